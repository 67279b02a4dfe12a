/* SPDX-License-Identifier: 0BSD */
/* add16: the sum of two tensors of 16 bits, each brought to one scale first, as imported models have it (SPEC 5.23). */
#ifndef QNN_ADD16_H
#define QNN_ADD16_H

#include "qnn_requantize.h"

typedef struct {
    int32_t elements;
    qnn_requantize_t scale; /* of the first and of the second tensor */
    qnn_requantize_t requantize;
} qnn_add16_t;

#define QNN_ADD16_UNITS 32768 /* 2^15 */

/* y may be a or b. */
QNN_KERNEL void qnn_add16_i16_i16(const qnn_add16_t *p, const int16_t *a, const int16_t *b, int16_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i;
    for (i = 0; i < p->elements; i++) {
        int32_t first = qnn_requantize(&p->scale, 0, a[i] * QNN_ADD16_UNITS);
        int32_t second = qnn_requantize(&p->scale, 1, b[i] * QNN_ADD16_UNITS);
        qnn_put(qnn_sink(y, 1), i, qnn_requantize(&p->requantize, 0, first + second));
    }
}

#endif
