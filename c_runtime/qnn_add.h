/* SPDX-License-Identifier: 0BSD */
/* add: two tensors of different scales, one requantization (SPEC 5.12). */
#ifndef QNN_ADD_H
#define QNN_ADD_H

#include "qnn_requantize.h"

typedef struct {
    int32_t elements;
    int32_t factor1;
    int32_t factor2;
    int32_t offset;
    qnn_requantize_t requantize;
} qnn_add_t;

/* y may be a or b. */
QNN_INLINE void qnn_add(const qnn_add_t *p, const uint8_t *a, const uint8_t *b, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i;
    for (i = 0; i < p->elements; i++) {
        int32_t acc = a[i] * p->factor1 + b[i] * p->factor2 + p->offset;
        qnn_put(y, i, qnn_requantize(&p->requantize, 0, acc));
    }
}

QNN_KERNEL void qnn_add_u8_u8(const qnn_add_t *p, const uint8_t *a, const uint8_t *b, uint8_t *y)
{
    qnn_add(p, a, b, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_add_u8_i16(const qnn_add_t *p, const uint8_t *a, const uint8_t *b, int16_t *y)
{
    qnn_add(p, a, b, qnn_sink(y, 1));
}

#endif
