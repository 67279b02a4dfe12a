/* SPDX-License-Identifier: 0BSD */
/* conv2d with sums of 64 bits: a dense layer for every window (SPEC 5.8, 6.6). */
#ifndef QNN_CONV2D_SUM64_H
#define QNN_CONV2D_SUM64_H

#include "qnn_dense_wide.h"
#include "qnn_window_wide.h"

typedef struct {
    qnn_window_t window;
    int32_t pad_value;
    qnn_dense_wide_t filters; /* from the taps and channels of a window to the filters' outputs */
} qnn_conv2d_sum64_t;

/* All filters on one window; each kind of layer shares its code with dense. */
QNN_INLINE void qnn_conv2d_sum64_pixel(const qnn_dense_wide_t *p, int32_t x_wide, int32_t w_wide, const void *x, void *y)
{
    if (x_wide && w_wide) {
        qnn_dense_i16_w16_sum64(p, (const int16_t *)x, y);
    } else if (x_wide) {
        qnn_dense_i16_w8_sum64(p, (const int16_t *)x, y);
    } else if (w_wide) {
        qnn_dense_u8_w16_sum64(p, (const uint8_t *)x, y);
    } else {
        qnn_dense_u8_w8_sum64(p, (const uint8_t *)x, y);
    }
}

/* x_wide, w_wide: the map and the weights have 16 bits. work: room for one window. */
QNN_INLINE void qnn_conv2d_sum64(const qnn_conv2d_sum64_t *p, int32_t x_wide, int32_t w_wide, const void *x, void *work,
                                 void *y)
{
    const qnn_dense_wide_t *filters = &p->filters; /* for a kernel, which fetches it */
    QNN_FETCH(p, sizeof(*p));
    qnn_sink_t out = qnn_sink(y, p->filters.wide);
    int32_t left = p->window.out_height * p->window.out_width;
    qnn_pixel_t pixel = {0, 0};
    for (; left > 0; left--) {
        const void *taps = qnn_window_next(&p->window, x_wide, &pixel, x, p->pad_value, work);
        qnn_conv2d_sum64_pixel(filters, x_wide, w_wide, taps, out.data);
        out = qnn_after(out, p->filters.outputs);
    }
}

QNN_KERNEL void qnn_conv2d_u8_w8_sum64(const qnn_conv2d_sum64_t *p, const uint8_t *x, void *work, void *y)
{
    qnn_conv2d_sum64(p, 0, 0, x, work, y);
}

QNN_KERNEL void qnn_conv2d_u8_w16_sum64(const qnn_conv2d_sum64_t *p, const uint8_t *x, void *work, void *y)
{
    qnn_conv2d_sum64(p, 0, 1, x, work, y);
}

QNN_KERNEL void qnn_conv2d_i16_w8_sum64(const qnn_conv2d_sum64_t *p, const int16_t *x, void *work, void *y)
{
    qnn_conv2d_sum64(p, 1, 0, x, work, y);
}

QNN_KERNEL void qnn_conv2d_i16_w16_sum64(const qnn_conv2d_sum64_t *p, const int16_t *x, void *work, void *y)
{
    qnn_conv2d_sum64(p, 1, 1, x, work, y);
}

#endif
