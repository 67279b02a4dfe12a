/* SPDX-License-Identifier: 0BSD */
/* depthwise_conv2d: every channel has filters of its own (SPEC 5.9). */
#ifndef QNN_DEPTHWISE_CONV2D_H
#define QNN_DEPTHWISE_CONV2D_H

#include "qnn_requantize.h"
#include "qnn_window.h"

typedef struct {
    qnn_window_t window;
    int32_t multiplier;
    int32_t pad_value;
    const int8_t *weights; /* w[filter][tap], filter = channel * multiplier + i */
    const int32_t *bias;
    qnn_requantize_t requantize;
} qnn_depthwise_conv2d_t;

/* One filter on one channel of a packed window. Precondition: every partial sum fits int32 (SPEC 4.1). */
QNN_INLINE int32_t qnn_depthwise_conv2d_sum(int32_t bias, int32_t taps, int32_t channels, const uint8_t *x,
                                            const int8_t *w)
{
    int32_t acc = bias;
    const int8_t *end = w + taps;
    for (; w != end; w++, x += channels) {
        acc += (int32_t)*x * QNN_READ(*w);
    }
    return acc;
}

QNN_INLINE qnn_sink_t qnn_depthwise_conv2d_pixel(const qnn_depthwise_conv2d_t *p, const uint8_t *packed, qnn_sink_t y)
{
    int32_t taps = p->window.kernel_height * p->window.kernel_width, channels = p->window.channels, c, i, o = 0;
    const int8_t *w = p->weights;
    for (c = 0; c < channels; c++) {
        for (i = 0; i < p->multiplier; i++, o++, w += taps) {
            int32_t acc = qnn_depthwise_conv2d_sum(QNN_READ(p->bias[o]), taps, channels, packed + c, w);
            qnn_put(y, o, qnn_requantize(&p->requantize, o, acc));
        }
    }
    return qnn_after(y, o);
}

/* packed: room for one window. */
QNN_INLINE void qnn_depthwise_conv2d(const qnn_depthwise_conv2d_t *p, const uint8_t *x, uint8_t *packed, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t left = p->window.out_height * p->window.out_width;
    qnn_pixel_t pixel = {0, 0};
    for (; left > 0; left--) {
        qnn_window_pack(&p->window, pixel, x, (uint8_t)p->pad_value, packed, 1);
        y = qnn_depthwise_conv2d_pixel(p, packed, y);
        qnn_pixel_next(&p->window, &pixel);
    }
}

QNN_KERNEL void qnn_depthwise_conv2d_u8_u8(const qnn_depthwise_conv2d_t *p, const uint8_t *x, void *work, uint8_t *y)
{
    qnn_depthwise_conv2d(p, x, (uint8_t *)work, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_depthwise_conv2d_u8_i16(const qnn_depthwise_conv2d_t *p, const uint8_t *x, void *work, int16_t *y)
{
    qnn_depthwise_conv2d(p, x, (uint8_t *)work, qnn_sink(y, 1));
}

#endif
