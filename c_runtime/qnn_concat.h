/* SPDX-License-Identifier: 0BSD */
/* concat: the channels of two tensors of one quantization, side by side (SPEC 5.13). */
#ifndef QNN_CONCAT_H
#define QNN_CONCAT_H

#include "qnn_window.h"

typedef struct {
    int32_t pixels;
    int32_t channels1;
    int32_t channels2;
} qnn_concat_t;

QNN_KERNEL void qnn_concat_u8_u8(const qnn_concat_t *p, const uint8_t *a, const uint8_t *b, uint8_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i;
    for (i = 0; i < p->pixels; i++, a += p->channels1, b += p->channels2) {
        y = qnn_window_copy(y, a, p->channels1);
        y = qnn_window_copy(y, b, p->channels2);
    }
}

#endif
