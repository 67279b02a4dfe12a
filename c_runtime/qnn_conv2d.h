/* SPDX-License-Identifier: 0BSD */
/* conv2d: int8 filters slide over uint8 maps, one requantization per output (SPEC 5.8). */
#ifndef QNN_CONV2D_H
#define QNN_CONV2D_H

#include "qnn_requantize.h"
#include "qnn_window.h"

/* weights: blocks of four filters, tap by tap (w[block][tap and channel][4]); the filters left over follow one by one. */
typedef struct {
    qnn_window_t window;
    int32_t filters;
    int32_t pad_value;
    const int8_t *weights;
    const int32_t *bias;
    qnn_requantize_t requantize;
} qnn_conv2d_t;

/* The accumulators of one filter in four windows. Every partial sum fits int32 (SPEC 4.1). */
typedef struct {
    int32_t a;
    int32_t b;
    int32_t c;
    int32_t d;
} qnn_conv2d_sums_t;

QNN_INLINE qnn_conv2d_sums_t qnn_conv2d_bias(int32_t bias)
{
    qnn_conv2d_sums_t s;
    s.a = s.b = s.c = s.d = bias;
    return s;
}

/* One weight and the inputs of four windows. */
QNN_INLINE qnn_conv2d_sums_t qnn_conv2d_add(qnn_conv2d_sums_t s, int32_t w, int32_t x0, int32_t x1, int32_t x2,
                                            int32_t x3)
{
    s.a += x0 * w;
    s.b += x1 * w;
    s.c += x2 * w;
    s.d += x3 * w;
    return s;
}

/* The outputs of filter o at four pixels. */
QNN_INLINE void qnn_conv2d_put(const qnn_conv2d_t *p, int32_t o, qnn_conv2d_sums_t s, qnn_sink_t y)
{
    qnn_requantize_channel_t c = qnn_requantize_channel(&p->requantize, o);
    qnn_put(y, o, qnn_requantize_with(&c, s.a));
    qnn_put(y, o + p->filters, qnn_requantize_with(&c, s.b));
    qnn_put(y, o + 2 * p->filters, qnn_requantize_with(&c, s.c));
    qnn_put(y, o + 3 * p->filters, qnn_requantize_with(&c, s.d));
}

/* Every filter at four pixels: x[tap and channel][pixel]. */
QNN_BLOCK void qnn_conv2d_four(const qnn_conv2d_t *p, const uint8_t *columns, const uint8_t *end, qnn_sink_t y)
{
    const int8_t *w = p->weights;
    const uint8_t *x;
    int32_t o, left;
    for (o = 0; o + 4 <= p->filters; o += 4) {
        qnn_conv2d_sums_t s0 = qnn_conv2d_bias(QNN_READ(p->bias[o])), s1 = qnn_conv2d_bias(QNN_READ(p->bias[o + 1]));
        qnn_conv2d_sums_t s2 = qnn_conv2d_bias(QNN_READ(p->bias[o + 2])), s3 = qnn_conv2d_bias(QNN_READ(p->bias[o + 3]));
        for (x = columns; x != end; x += 4, w += 4) {
            int32_t x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
            s0 = qnn_conv2d_add(s0, QNN_READ(w[0]), x0, x1, x2, x3);
            QNN_ORDER(w, s0.b, s0.c, s0.d);
            s1 = qnn_conv2d_add(s1, QNN_READ(w[1]), x0, x1, x2, x3);
            QNN_ORDER(w, s1.b, s1.c, s1.d);
            s2 = qnn_conv2d_add(s2, QNN_READ(w[2]), x0, x1, x2, x3);
            QNN_ORDER(w, s2.b, s2.c, s2.d);
            s3 = qnn_conv2d_add(s3, QNN_READ(w[3]), x0, x1, x2, x3);
        }
        qnn_conv2d_put(p, o, s0, y);
        qnn_conv2d_put(p, o + 1, s1, y);
        qnn_conv2d_put(p, o + 2, s2, y);
        qnn_conv2d_put(p, o + 3, s3, y);
    }
    for (left = p->filters & 3; left > 0; left--, o++) {
        qnn_conv2d_sums_t s = qnn_conv2d_bias(QNN_READ(p->bias[o]));
        for (x = columns; x != end; x += 4, w++) {
            s = qnn_conv2d_add(s, QNN_READ(*w), x[0], x[1], x[2], x[3]);
        }
        qnn_conv2d_put(p, o, s, y);
    }
}

/* Every filter at one of the last pixels, fewer than four. */
QNN_INLINE void qnn_conv2d_one(const qnn_conv2d_t *p, const uint8_t *column, const uint8_t *end, qnn_sink_t y)
{
    int32_t taps = (int32_t)(end - column) >> 2, blocked = p->filters & ~3, o;
    for (o = 0; o < p->filters; o++) {
        const int8_t *w = p->weights + (o < blocked ? (o & ~3) * taps + (o & 3) : o * taps);
        int32_t sum = QNN_READ(p->bias[o]), step = o < blocked ? 4 : 1;
        const uint8_t *x;
        for (x = column; x != end; x += 4, w += step) {
            sum += (int32_t)*x * QNN_READ(*w);
        }
        qnn_put(y, o, qnn_requantize(&p->requantize, o, sum));
    }
}

/* The windows of the next `count` pixels in reading order, side by side. */
QNN_INLINE void qnn_conv2d_next(const qnn_conv2d_t *p, qnn_pixel_t *pixel, const uint8_t *x, int32_t count,
                                uint8_t *columns)
{
    int32_t i;
    for (i = 0; i < count; i++) {
        qnn_window_pack(&p->window, *pixel, x, (uint8_t)p->pad_value, columns + i, 4);
        qnn_pixel_next(&p->window, pixel);
    }
}

/* columns: room for four windows. */
QNN_SHARED void qnn_conv2d(const qnn_conv2d_t *p, const uint8_t *x, uint8_t *columns, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    const qnn_window_t *window = &p->window;
    uint8_t *end = columns + 4 * window->kernel_height * window->kernel_width * window->channels;
    int32_t left = window->out_height * window->out_width, i;
    qnn_pixel_t pixel = {0, 0};
    for (; left >= 4; left -= 4) {
        qnn_conv2d_next(p, &pixel, x, 4, columns);
        qnn_conv2d_four(p, columns, end, y);
        y = qnn_after(y, 4 * p->filters);
    }
    qnn_conv2d_next(p, &pixel, x, left, columns);
    for (i = 0; i < left; i++) {
        qnn_conv2d_one(p, columns + i, end + i, y);
        y = qnn_after(y, p->filters);
    }
}

QNN_KERNEL void qnn_conv2d_u8_u8(const qnn_conv2d_t *p, const uint8_t *x, void *work, uint8_t *y)
{
    qnn_conv2d(p, x, (uint8_t *)work, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_conv2d_u8_i16(const qnn_conv2d_t *p, const uint8_t *x, void *work, int16_t *y)
{
    qnn_conv2d(p, x, (uint8_t *)work, qnn_sink(y, 1));
}

#endif
