/* SPDX-License-Identifier: 0BSD */
/* pad: a frame of the zero point around a map (SPEC 5.14). */
#ifndef QNN_PAD_H
#define QNN_PAD_H

#include "qnn_window.h"

typedef struct {
    int32_t height;
    int32_t width;
    int32_t channels;
    int32_t top;
    int32_t bottom;
    int32_t left;
    int32_t right;
    int32_t value;
} qnn_pad_t;

QNN_KERNEL void qnn_pad_u8_u8(const qnn_pad_t *p, const uint8_t *x, uint8_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t line = p->width * p->channels, whole = (p->left + p->width + p->right) * p->channels, row;
    uint8_t value = (uint8_t)p->value;
    y = qnn_window_fill(y, p->top * whole, value);
    for (row = 0; row < p->height; row++, x += line) {
        y = qnn_window_fill(y, p->left * p->channels, value);
        y = qnn_window_copy(y, x, line);
        y = qnn_window_fill(y, p->right * p->channels, value);
    }
    qnn_window_fill(y, p->bottom * whole, value);
}

#endif
