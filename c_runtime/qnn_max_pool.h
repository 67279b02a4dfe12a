/* SPDX-License-Identifier: 0BSD */
/* max_pool: the largest value of each window, channel by channel (SPEC 5.10). */
#ifndef QNN_MAX_POOL_H
#define QNN_MAX_POOL_H

#include "qnn_window.h"

typedef struct {
    qnn_window_t window;
} qnn_max_pool_t;

/* y[c] = max(y[c], x[c]) for every channel. */
QNN_INLINE void qnn_max_pool_tap(int32_t channels, const uint8_t *x, uint8_t *y)
{
    const uint8_t *end = x + channels;
    for (; x != end; x++, y++) {
#ifdef QNN_CONSTANT_TIME
        *y = (uint8_t)qnn_larger(*x, *y);
#else /* QNN_CONSTANT_TIME */
        if (*x > *y) {
            *y = *x;
        }
#endif /* QNN_CONSTANT_TIME */
    }
}

/* y may be x where no window pads: each pixel is written at or before the first element of its window. */
QNN_KERNEL void qnn_max_pool_u8_u8(const qnn_max_pool_t *p, const uint8_t *x, uint8_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    const qnn_window_t *w = &p->window;
    int32_t row, column, i, j;
    for (row = 0; row < w->out_height; row++) {
        for (column = 0; column < w->out_width; column++, y += w->channels) {
            qnn_inside_t inside = qnn_window_inside(w, row, column);
            const uint8_t *line = x + inside.first;
            qnn_window_copy(y, line, w->channels);
            for (i = inside.top; i < inside.bottom; i++, line += w->width * w->channels) {
                const uint8_t *tap = line;
                for (j = inside.left; j < inside.right; j++, tap += w->channels) {
                    qnn_max_pool_tap(w->channels, tap, y);
                }
            }
        }
    }
}

#endif
