/* SPDX-License-Identifier: 0BSD */
/* rescale: quantized outputs become integers in a decimal unit (SPEC 5.6). */
#ifndef QNN_RESCALE_H
#define QNN_RESCALE_H

#include "qnn_requantize.h"

typedef struct {
    int32_t elements;
    int32_t zero_point;
    qnn_requantize_t requantize;
} qnn_rescale_t;

/* y may have any alignment. */
QNN_KERNEL void qnn_rescale_i16_i32(const qnn_rescale_t *p, const int16_t *x, int32_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i;
    for (i = 0; i < p->elements; i++) {
        qnn_store_i32(y + i, qnn_requantize(&p->requantize, i, x[i] - p->zero_point));
    }
}

#endif
