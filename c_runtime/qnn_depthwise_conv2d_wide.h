/* SPDX-License-Identifier: 0BSD */
/* depthwise_conv2d with inputs or weights of 16 bits, sums of 32 or 64 bits (SPEC 5.9, 6.6). */
#ifndef QNN_DEPTHWISE_CONV2D_WIDE_H
#define QNN_DEPTHWISE_CONV2D_WIDE_H

#include "qnn_wide.h"
#include "qnn_window_wide.h"

typedef struct {
    qnn_window_t window;
    int32_t multiplier;
    int32_t pad_value;
    int32_t rounding_shift;
    int32_t wide;        /* the result is int16_t, not uint8_t */
    const void *weights; /* int8_t or int16_t: w[filter][tap], filter = channel * multiplier + i */
    const void *bias;    /* int32_t or, with sums of 64 bits, int64_t */
    qnn_requantize_t requantize;
} qnn_depthwise_conv2d_wide_t;

/* How a kernel is instantiated: 16-bit inputs, 16-bit weights, sums of 64 bits. */
typedef struct {
    int32_t x_wide;
    int32_t w_wide;
    int32_t sum64;
} qnn_depthwise_widths_t;

/* One filter on one channel of a window. Precondition: every partial sum fits int32 (SPEC 4.1). */
QNN_INLINE int32_t qnn_depthwise_wide_32(int32_t acc, int32_t taps, int32_t channels, qnn_values_t x, qnn_values_t w)
{
    int32_t t, i = 0;
    for (t = 0; t < taps; t++, i += channels) {
        acc += qnn_input(x, i) * qnn_weight(w, t);
    }
    return acc;
}

QNN_INLINE int64_t qnn_depthwise_wide_64(int64_t acc, int32_t taps, int32_t channels, qnn_values_t x, qnn_values_t w)
{
    for (; taps > 0; taps -= QNN_MOST_PRODUCTS) {
        int32_t part = taps < QNN_MOST_PRODUCTS ? taps : QNN_MOST_PRODUCTS, t, i = 0;
        qnn_sum_t sum = {0, 0};
        for (t = 0; t < part; t++, i += channels) {
            qnn_sum_add(&sum, qnn_input(x, i) * qnn_weight(w, t));
        }
        acc += qnn_sum_value(sum);
        x = qnn_values_after(x, i);
        w = qnn_values_after(w, part);
    }
    return acc;
}

QNN_INLINE int32_t qnn_depthwise_wide_result(const qnn_depthwise_conv2d_wide_t *p, int32_t sum64, int32_t o,
                                          qnn_values_t x, qnn_values_t w)
{
    int32_t taps = p->window.kernel_height * p->window.kernel_width, channels = p->window.channels;
    if (sum64) {
        int64_t acc = qnn_depthwise_wide_64(QNN_READ(((const int64_t *)p->bias)[o]), taps, channels, x, w);
        return qnn_requantize_sum(&p->requantize, o, acc, p->rounding_shift);
    }
    return qnn_requantize(&p->requantize, o,
                          qnn_depthwise_wide_32(QNN_READ(((const int32_t *)p->bias)[o]), taps, channels, x, w));
}

QNN_INLINE void qnn_depthwise_wide_pixel(const qnn_depthwise_conv2d_wide_t *p, qnn_depthwise_widths_t widths,
                                         const void *taps, qnn_sink_t y)
{
    int32_t size = p->window.kernel_height * p->window.kernel_width, c, i, o = 0;
    qnn_values_t x = qnn_values(taps, widths.x_wide), w = qnn_values(p->weights, widths.w_wide);
    for (c = 0; c < p->window.channels; c++, x = qnn_values_after(x, 1)) {
        for (i = 0; i < p->multiplier; i++, o++, w = qnn_values_after(w, size)) {
            qnn_put(y, o, qnn_depthwise_wide_result(p, widths.sum64, o, x, w));
        }
    }
}

/* work: room for one window. */
QNN_INLINE void qnn_depthwise_wide(const qnn_depthwise_conv2d_wide_t *p, qnn_depthwise_widths_t widths, const void *x,
                                   void *work, void *y)
{
    QNN_FETCH(p, sizeof(*p));
    qnn_sink_t out = qnn_sink(y, p->wide);
    int32_t left = p->window.out_height * p->window.out_width;
    qnn_pixel_t pixel = {0, 0};
    for (; left > 0; left--) {
        const void *taps = qnn_window_next(&p->window, widths.x_wide, &pixel, x, p->pad_value, work);
        qnn_depthwise_wide_pixel(p, widths, taps, out);
        out = qnn_after(out, p->window.channels * p->multiplier);
    }
}

QNN_INLINE qnn_depthwise_widths_t qnn_depthwise_widths(int32_t x_wide, int32_t w_wide, int32_t sum64)
{
    qnn_depthwise_widths_t widths;
    widths.x_wide = x_wide;
    widths.w_wide = w_wide;
    widths.sum64 = sum64;
    return widths;
}

QNN_SHARED void qnn_depthwise_conv2d_u8_w16(const qnn_depthwise_conv2d_wide_t *p, const uint8_t *x, void *work, void *y)
{
    qnn_depthwise_wide(p, qnn_depthwise_widths(0, 1, 0), x, work, y);
}

QNN_SHARED void qnn_depthwise_conv2d_i16_w8(const qnn_depthwise_conv2d_wide_t *p, const int16_t *x, void *work, void *y)
{
    qnn_depthwise_wide(p, qnn_depthwise_widths(1, 0, 0), x, work, y);
}

QNN_SHARED void qnn_depthwise_conv2d_i16_w16(const qnn_depthwise_conv2d_wide_t *p, const int16_t *x, void *work, void *y)
{
    qnn_depthwise_wide(p, qnn_depthwise_widths(1, 1, 0), x, work, y);
}

QNN_SHARED void qnn_depthwise_conv2d_u8_w8_sum64(const qnn_depthwise_conv2d_wide_t *p, const uint8_t *x, void *work,
                                                 void *y)
{
    qnn_depthwise_wide(p, qnn_depthwise_widths(0, 0, 1), x, work, y);
}

QNN_SHARED void qnn_depthwise_conv2d_u8_w16_sum64(const qnn_depthwise_conv2d_wide_t *p, const uint8_t *x, void *work,
                                                  void *y)
{
    qnn_depthwise_wide(p, qnn_depthwise_widths(0, 1, 1), x, work, y);
}

QNN_SHARED void qnn_depthwise_conv2d_i16_w8_sum64(const qnn_depthwise_conv2d_wide_t *p, const int16_t *x, void *work,
                                                  void *y)
{
    qnn_depthwise_wide(p, qnn_depthwise_widths(1, 0, 1), x, work, y);
}

QNN_SHARED void qnn_depthwise_conv2d_i16_w16_sum64(const qnn_depthwise_conv2d_wide_t *p, const int16_t *x, void *work,
                                                   void *y)
{
    qnn_depthwise_wide(p, qnn_depthwise_widths(1, 1, 1), x, work, y);
}

#endif
