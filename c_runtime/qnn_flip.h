/* SPDX-License-Identifier: 0BSD */
/* flip: int8 becomes uint8 of 128 more, or the other way round (SPEC 5.17). */
#ifndef QNN_FLIP_H
#define QNN_FLIP_H

#include "qnn_base.h"

typedef struct {
    int32_t elements;
} qnn_flip_t;

/* Both are read and written as bytes; y may be x. */
QNN_KERNEL void qnn_flip_u8_u8(const qnn_flip_t *p, const uint8_t *x, uint8_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i;
    for (i = 0; i < p->elements; i++) {
        y[i] = (uint8_t)(x[i] ^ 0x80);
    }
}

#endif
