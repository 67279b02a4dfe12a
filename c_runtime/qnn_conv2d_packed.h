/* SPDX-License-Identifier: 0BSD */
/* What conv2d kernels on packed windows share: four windows side by side, and what follows their sums (SPEC 5.8, 6.5). */
#ifndef QNN_CONV2D_PACKED_H
#define QNN_CONV2D_PACKED_H

#include "qnn_dual_window.h"
#include "qnn_requantize.h"

/* weights: words of one filter's weights, each less the filter's lowest one; how they are ordered is the kernel's. */
typedef struct {
    qnn_window_t window;
    int32_t filters;
    int32_t pad_value;
    const uint32_t *weights;
    const int8_t *lowest;
    const int32_t *bias;
    qnn_requantize_t requantize;
} qnn_conv2d_packed_t;

/* Four windows side by side: words[group][window][2] up to end, and the sums of their inputs. bytes: room for one
   window that cannot be packed where it lies. */
typedef struct {
    uint32_t *words;
    uint32_t *end;
    uint8_t *bytes;
    uint32_t inputs[4];
} qnn_columns_t;

/* The constants of one filter. */
typedef struct {
    uint32_t bias;
    uint32_t lowest;
    qnn_requantize_channel_t requantize;
} qnn_conv2d_packed_channel_t;

QNN_INLINE qnn_conv2d_packed_channel_t qnn_conv2d_packed_channel(const qnn_conv2d_packed_t *p, int32_t o)
{
    qnn_conv2d_packed_channel_t c;
    c.bias = (uint32_t)QNN_READ(p->bias[o]);
    c.lowest = (uint32_t)QNN_READ(p->lowest[o]);
    c.requantize = qnn_requantize_channel(&p->requantize, o);
    return c;
}

/* The windows of the next `count` pixels in reading order; shift: of the second words. */
QNN_INLINE void qnn_conv2d_packed_next(const qnn_conv2d_packed_t *p, qnn_pixel_t *pixel, const uint8_t *x,
                                       int32_t count, int32_t shift, qnn_columns_t *columns)
{
    int32_t i;
    for (i = 0; i < count; i++) {
        columns->inputs[i] = qnn_dual_window(&p->window, *pixel, x, (uint8_t)p->pad_value, columns->bytes,
                                             columns->words + 2 * i, shift);
        qnn_pixel_next(&p->window, pixel);
    }
}

/* The accumulator of one filter at one pixel. The sum is modulo 2^32; the accumulator itself is proven to fit int32
   (SPEC 4.1). */
QNN_INLINE int32_t qnn_conv2d_packed_accumulator(const qnn_conv2d_packed_channel_t *c, uint32_t sum, uint32_t inputs)
{
    return (int32_t)(c->bias + sum + c->lowest * inputs);
}

/* The output of one filter at one pixel. */
QNN_INLINE void qnn_conv2d_packed_put(const qnn_conv2d_packed_t *p, int32_t o, uint32_t sum, uint32_t inputs,
                                      qnn_sink_t y)
{
    qnn_conv2d_packed_channel_t c = qnn_conv2d_packed_channel(p, o);
    qnn_put(y, o, qnn_requantize_with(&c.requantize, qnn_conv2d_packed_accumulator(&c, sum, inputs)));
}

/* The outputs of filter o at four pixels, one by one. */
QNN_SHARED void qnn_conv2d_packed_put_each(const qnn_conv2d_packed_t *p, int32_t o, const uint32_t sums[4],
                                           const uint32_t inputs[4], qnn_sink_t y)
{
    int32_t i;
    for (i = 0; i < 4; i++, y = qnn_after(y, p->filters)) {
        qnn_conv2d_packed_put(p, o, sums[i], inputs[i], y);
    }
}

/* The same together, where a multiplication and a shift do: else is rare, so that one copy of its code serves. */
QNN_INLINE void qnn_conv2d_packed_put_four(const qnn_conv2d_packed_t *p, int32_t o, const uint32_t sums[4],
                                           const uint32_t inputs[4], qnn_sink_t y)
{
    qnn_conv2d_packed_channel_t c;
    int32_t filters = p->filters; /* read once: y might lie in *p, for all a compiler knows */
    int32_t q[4];
    if (qnn_requantize_is_long(&p->requantize)) {
        qnn_conv2d_packed_put_each(p, o, sums, inputs, y);
        return;
    }
    c = qnn_conv2d_packed_channel(p, o);
    q[0] = qnn_conv2d_packed_accumulator(&c, sums[0], inputs[0]);
    q[1] = qnn_conv2d_packed_accumulator(&c, sums[1], inputs[1]);
    q[2] = qnn_conv2d_packed_accumulator(&c, sums[2], inputs[2]);
    q[3] = qnn_conv2d_packed_accumulator(&c, sums[3], inputs[3]);
    qnn_requantize_four(&c.requantize, q);
    y = qnn_after(y, o);
    qnn_put(y, 0, q[0]);
    y = qnn_after(y, filters);
    qnn_put(y, 0, q[1]);
    y = qnn_after(y, filters);
    qnn_put(y, 0, q[2]);
    y = qnn_after(y, filters);
    qnn_put(y, 0, q[3]);
}

#endif
