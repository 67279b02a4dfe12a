/* SPDX-License-Identifier: 0BSD */
/* conv2d with inputs or weights of 16 bits, sums of 32 bits (SPEC 5.8, 6.6). */
#ifndef QNN_CONV2D_WIDE_H
#define QNN_CONV2D_WIDE_H

#include "qnn_wide.h"
#include "qnn_window_wide.h"

/* weights: blocks of four filters, tap by tap (w[block][tap and channel][4]); the filters left over follow one by one. */
typedef struct {
    qnn_window_t window;
    int32_t filters;
    int32_t pad_value;
    int32_t wide;        /* the result is int16_t, not uint8_t */
    const void *weights; /* int8_t or int16_t */
    const int32_t *bias;
    qnn_requantize_t requantize;
} qnn_conv2d_wide_t;

/* Four filters on two windows. Precondition: every partial sum fits int32 (SPEC 4.1). */
QNN_INLINE void qnn_conv2d_wide_four(const int32_t *bias, int32_t count, qnn_values_t x, qnn_values_t z, qnn_values_t w,
                                     int32_t acc[8])
{
    int32_t a0 = QNN_READ(bias[0]), a1 = QNN_READ(bias[1]), a2 = QNN_READ(bias[2]), a3 = QNN_READ(bias[3]);
    int32_t b0 = a0, b1 = a1, b2 = a2, b3 = a3, i;
    for (i = 0; i < count; i++) {
        int32_t xv = qnn_input(x, i), zv = qnn_input(z, i);
        int32_t w0 = qnn_weight(w, 4 * i), w1 = qnn_weight(w, 4 * i + 1);
        int32_t w2 = qnn_weight(w, 4 * i + 2), w3 = qnn_weight(w, 4 * i + 3);
        a0 += xv * w0;
        a1 += xv * w1;
        a2 += xv * w2;
        a3 += xv * w3;
        b0 += zv * w0;
        b1 += zv * w1;
        b2 += zv * w2;
        b3 += zv * w3;
    }
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
    acc[4] = b0;
    acc[5] = b1;
    acc[6] = b2;
    acc[7] = b3;
}

/* One filter on two windows: the sums are acc[0] and acc[4]. */
QNN_INLINE void qnn_conv2d_wide_one(int32_t bias, int32_t count, qnn_values_t x, qnn_values_t z, qnn_values_t w,
                                    int32_t acc[8])
{
    int32_t a = bias, b = bias, i;
    for (i = 0; i < count; i++) {
        int32_t weight = qnn_weight(w, i);
        a += qnn_input(x, i) * weight;
        b += qnn_input(z, i) * weight;
    }
    acc[0] = a;
    acc[4] = b;
}

QNN_INLINE void qnn_conv2d_wide_store(const qnn_conv2d_wide_t *p, int32_t o, int32_t filters, int32_t pixels,
                                      const int32_t acc[8], qnn_sink_t y)
{
    int32_t i, j;
    for (j = 0; j < pixels; j++) {
        for (i = 0; i < filters; i++) {
            qnn_put(y, j * p->filters + o + i, qnn_requantize(&p->requantize, o + i, acc[4 * j + i]));
        }
    }
}

/* All filters on the windows x and z; where there is one pixel only, z is x. */
QNN_INLINE void qnn_conv2d_wide_pixels(const qnn_conv2d_wide_t *p, qnn_values_t x, qnn_values_t z, int32_t w_wide,
                                       int32_t pixels, qnn_sink_t y)
{
    int32_t count = p->window.kernel_height * p->window.kernel_width * p->window.channels, acc[8], o;
    qnn_values_t w = qnn_values(p->weights, w_wide);
    for (o = 0; o < (p->filters & ~3); o += 4, w = qnn_values_after(w, 4 * count)) {
        qnn_conv2d_wide_four(p->bias + o, count, x, z, w, acc);
        qnn_conv2d_wide_store(p, o, 4, pixels, acc, y);
    }
    for (; o < p->filters; o++, w = qnn_values_after(w, count)) {
        qnn_conv2d_wide_one(QNN_READ(p->bias[o]), count, x, z, w, acc);
        qnn_conv2d_wide_store(p, o, 1, pixels, acc, y);
    }
}

/* x_wide, w_wide: the map and the weights have 16 bits. work: room for two windows. */
QNN_INLINE void qnn_conv2d_wide(const qnn_conv2d_wide_t *p, int32_t x_wide, int32_t w_wide, const void *x, void *work,
                                void *y)
{
    QNN_FETCH(p, sizeof(*p));
    const qnn_window_t *window = &p->window;
    int32_t count = window->kernel_height * window->kernel_width * window->channels;
    int32_t left = window->out_height * window->out_width, pixels;
    void *second = (uint8_t *)work + (x_wide ? 2 * count : count);
    qnn_sink_t out = qnn_sink(y, p->wide);
    qnn_pixel_t pixel = {0, 0};
    for (; left > 0; left -= 2) {
        const void *a = qnn_window_next(window, x_wide, &pixel, x, p->pad_value, work), *b = a;
        pixels = left > 1 ? 2 : 1;
        if (pixels == 2) {
            b = qnn_window_next(window, x_wide, &pixel, x, p->pad_value, second);
        }
        qnn_conv2d_wide_pixels(p, qnn_values(a, x_wide), qnn_values(b, x_wide), w_wide, pixels, out);
        out = qnn_after(out, pixels * p->filters);
    }
}

QNN_SHARED void qnn_conv2d_u8_w16(const qnn_conv2d_wide_t *p, const uint8_t *x, void *work, void *y)
{
    qnn_conv2d_wide(p, 0, 1, x, work, y);
}

QNN_SHARED void qnn_conv2d_i16_w8(const qnn_conv2d_wide_t *p, const int16_t *x, void *work, void *y)
{
    qnn_conv2d_wide(p, 1, 0, x, work, y);
}

QNN_SHARED void qnn_conv2d_i16_w16(const qnn_conv2d_wide_t *p, const int16_t *x, void *work, void *y)
{
    qnn_conv2d_wide(p, 1, 1, x, work, y);
}

#endif
