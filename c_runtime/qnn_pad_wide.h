/* SPDX-License-Identifier: 0BSD */
/* pad of 16-bit values (SPEC 5.14). */
#ifndef QNN_PAD_WIDE_H
#define QNN_PAD_WIDE_H

#include "qnn_pad.h"
#include "qnn_window_wide.h"

QNN_KERNEL void qnn_pad_i16_i16(const qnn_pad_t *p, const int16_t *x, int16_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t line = p->width * p->channels, whole = (p->left + p->width + p->right) * p->channels, row;
    int16_t value = (int16_t)p->value;
    y = qnn_window_fill_i16(y, p->top * whole, value);
    for (row = 0; row < p->height; row++, x += line) {
        y = qnn_window_fill_i16(y, p->left * p->channels, value);
        y = qnn_window_copy_i16(y, x, line);
        y = qnn_window_fill_i16(y, p->right * p->channels, value);
    }
    qnn_window_fill_i16(y, p->bottom * whole, value);
}

#endif
