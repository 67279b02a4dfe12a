/* SPDX-License-Identifier: 0BSD */
/* load: raw values of 16 bits, whose alignment the caller chooses, to where kernels read them (SPEC 5.22). */
#ifndef QNN_LOAD_H
#define QNN_LOAD_H

#include "qnn_copy.h"

typedef struct {
    int32_t elements;
} qnn_load_t;

QNN_KERNEL void qnn_load_i16_i16(const qnn_load_t *p, const int16_t *x, int16_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    qnn_copy(x, 2 * p->elements, y);
}

#endif
