/* SPDX-License-Identifier: 0BSD */
/* mul: the product of two tensors, element by element, one requantization (SPEC 5.19). */
#ifndef QNN_MUL_H
#define QNN_MUL_H

#include "qnn_requantize.h"

typedef struct {
    int32_t elements;
    int32_t repeat; /* elements of the second tensor, which starts again after them */
    int32_t zero1;
    int32_t zero2;
    qnn_requantize_t requantize;
} qnn_mul_t;

QNN_INLINE void qnn_mul(const qnn_mul_t *p, const uint8_t *a, const uint8_t *b, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i, j;
    for (i = 0; i < p->elements; i += p->repeat) {
        for (j = 0; j < p->repeat; j++) {
            int32_t product = (a[i + j] - p->zero1) * (b[j] - p->zero2);
            qnn_put(y, i + j, qnn_requantize(&p->requantize, 0, product));
        }
    }
}

#ifdef QNN_MUL_WIDE
QNN_KERNEL void qnn_mul_i16_i16(const qnn_mul_t *p, const int16_t *a, const int16_t *b, int16_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i, j;
    for (i = 0; i < p->elements; i += p->repeat) {
        for (j = 0; j < p->repeat; j++) {
            qnn_put(qnn_sink(y, 1), i + j, qnn_requantize(&p->requantize, 0, (int32_t)a[i + j] * b[j]));
        }
    }
}
#endif /* QNN_MUL_WIDE */

QNN_KERNEL void qnn_mul_u8_u8(const qnn_mul_t *p, const uint8_t *a, const uint8_t *b, uint8_t *y)
{
    qnn_mul(p, a, b, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_mul_u8_i16(const qnn_mul_t *p, const uint8_t *a, const uint8_t *b, int16_t *y)
{
    qnn_mul(p, a, b, qnn_sink(y, 1));
}

#endif
