/* SPDX-License-Identifier: 0BSD */
/* average_pool of 16-bit values (SPEC 5.11). */
#ifndef QNN_AVERAGE_POOL_WIDE_H
#define QNN_AVERAGE_POOL_WIDE_H

#include "qnn_average_pool.h"

/* The sum of one channel over the positions of a window inside the map: at most 65535 positions, so it fits int32. */
QNN_INLINE int32_t qnn_average_pool_sum_i16(const qnn_window_t *w, const qnn_inside_t *inside, const int16_t *x)
{
    int32_t sum = 0, i, j;
    for (i = inside->top; i < inside->bottom; i++, x += w->width * w->channels) {
        const int16_t *tap = x;
        for (j = inside->left; j < inside->right; j++, tap += w->channels) {
            sum += *tap;
        }
    }
    return sum;
}

/* y may be x where no window pads and both have 16 bits: each value is written at or before the first element of its
   window. */
QNN_INLINE void qnn_average_pool_i16(const qnn_average_pool_t *p, const int16_t *x, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    const qnn_window_t *w = &p->window;
    int32_t row, column, c;
    for (row = 0; row < w->out_height; row++) {
        for (column = 0; column < w->out_width; column++) {
            qnn_inside_t inside = qnn_window_inside(w, row, column);
            int32_t positions = (inside.bottom - inside.top) * (inside.right - inside.left);
            int32_t index = p->cases > 1 ? positions - 1 : 0;
            for (c = 0; c < w->channels; c++) {
                int32_t sum = qnn_average_pool_sum_i16(w, &inside, x + inside.first + c);
                qnn_put(y, c, qnn_requantize(&p->requantize, index, sum - positions * p->zero_point));
            }
            y = qnn_after(y, w->channels);
        }
    }
}

QNN_KERNEL void qnn_average_pool_i16_u8(const qnn_average_pool_t *p, const int16_t *x, uint8_t *y)
{
    qnn_average_pool_i16(p, x, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_average_pool_i16_i16(const qnn_average_pool_t *p, const int16_t *x, int16_t *y)
{
    qnn_average_pool_i16(p, x, qnn_sink(y, 1));
}

#endif
