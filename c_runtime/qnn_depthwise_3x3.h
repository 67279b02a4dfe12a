/* SPDX-License-Identifier: 0BSD */
/* depthwise_conv2d of 3x3 taps, and conv2d of 3x3 taps on one channel (SPEC 5.8, 5.9): one filter sweeps over one
   channel with its nine weights in registers, line by line along the longer side of the map. */
#ifndef QNN_DEPTHWISE_3X3_H
#define QNN_DEPTHWISE_3X3_H

#include "qnn_dual.h"
#include "qnn_requantize.h"

/* One axis of the map: its size and the bytes from one element to the next, padding before it, stride, and the output's
   size and the elements from one of its outputs to the next. */
typedef struct {
    int32_t size;
    int32_t step;
    int32_t pad;
    int32_t stride;
    int32_t out_size;
    int32_t out_step;
} qnn_sweep_t;

typedef struct {
    int32_t channels;
    int32_t multiplier;
    qnn_sweep_t across; /* from line to line */
    qnn_sweep_t along;  /* within a line; stride 1 or 2 */
    int32_t pad_value;
    const int8_t *weights; /* w[filter][tap along][tap across], filter = channel * multiplier + i */
    const int32_t *bias;
    qnn_requantize_t requantize;
} qnn_depthwise_3x3_t;

/* Three taps across: inputs, or the weights for them. */
typedef struct {
    uint32_t a;
    uint32_t b;
    uint32_t c;
} qnn_three_t;

/* What is swept: the next inputs of three neighbouring lines. */
typedef struct {
    const uint8_t *x0;
    const uint8_t *x1;
    const uint8_t *x2;
} qnn_lines_t;

/* One filter on one line: w[tap along]; lines outside the map have weights of 0, their part is in the bias. */
typedef struct {
    qnn_three_t w[3];
    uint32_t bias;
    qnn_requantize_channel_t requantize;
} qnn_depthwise_3x3_filter_t;

QNN_INLINE uint32_t qnn_three_sum(qnn_three_t x, qnn_three_t w)
{
    return x.a * w.a + x.b * w.b + x.c * w.c;
}

QNN_INLINE qnn_three_t qnn_lines_read(const qnn_lines_t *from)
{
    qnn_three_t x;
    x.a = *from->x0;
    x.b = *from->x1;
    x.c = *from->x2;
    return x;
}

QNN_INLINE void qnn_lines_step(qnn_lines_t *from, int32_t step)
{
    from->x0 += step;
    from->x1 += step;
    from->x2 += step;
}

/* The next three inputs where their column may lie outside the map; columns are counted from the first one, padding
   included. */
QNN_INLINE qnn_three_t qnn_lines_take(const qnn_depthwise_3x3_t *p, qnn_lines_t *from, int32_t column)
{
    qnn_three_t x;
    x.a = x.b = x.c = (uint32_t)p->pad_value;
    if (column >= p->along.pad && column < p->along.pad + p->along.size) {
        x = qnn_lines_read(from);
        qnn_lines_step(from, p->along.step);
    }
    return x;
}

/* The sums are modulo 2^32; the accumulator itself is proven to fit int32 (SPEC 4.1). */
QNN_INLINE qnn_sink_t qnn_depthwise_3x3_put(const qnn_depthwise_3x3_t *p, const qnn_requantize_channel_t *c,
                                            uint32_t accumulator, qnn_sink_t y)
{
    qnn_put(y, 0, qnn_requantize_with(c, (int32_t)accumulator));
    return qnn_after(y, p->along.out_step);
}

/* Stride 1: each column ends one output, continues the next and begins the one after. */
QNN_INLINE void qnn_depthwise_3x3_by_one(const qnn_depthwise_3x3_t *p, qnn_lines_t from,
                                         const qnn_depthwise_3x3_filter_t *filter, qnn_sink_t y)
{
    qnn_depthwise_3x3_filter_t f = *filter;
    qnn_three_t x = qnn_lines_take(p, &from, 0);
    uint32_t begun = f.bias + qnn_three_sum(x, f.w[0]), continued;
    int32_t columns = p->along.out_size + 2, inside = p->along.pad + p->along.size, step = p->along.step, column;
    const uint8_t *end;
    x = qnn_lines_take(p, &from, 1);
    continued = begun + qnn_three_sum(x, f.w[1]);
    begun = f.bias + qnn_three_sum(x, f.w[0]);
    inside = columns < inside ? columns : inside;
    inside = inside > 2 ? inside : 2;
    end = from.x0 + (inside - 2) * step;
    for (; from.x0 != end; from.x0 += step, from.x1 += step, from.x2 += step) {
        x = qnn_lines_read(&from);
        y = qnn_depthwise_3x3_put(p, &f.requantize, continued + qnn_three_sum(x, f.w[2]), y);
        continued = begun + qnn_three_sum(x, f.w[1]);
        begun = f.bias + qnn_three_sum(x, f.w[0]);
        QNN_ORDER(from.x1, continued, begun, from.x2); /* three pointers that count, instead of one and sums of it */
    }
    for (column = inside; column < columns; column++) {
        x = qnn_lines_take(p, &from, column);
        y = qnn_depthwise_3x3_put(p, &f.requantize, continued + qnn_three_sum(x, f.w[2]), y);
        continued = begun + qnn_three_sum(x, f.w[1]);
        begun = f.bias + qnn_three_sum(x, f.w[0]);
    }
}

/* Stride 2: every other column ends one output and begins the next. */
QNN_INLINE void qnn_depthwise_3x3_by_two(const qnn_depthwise_3x3_t *p, qnn_lines_t from,
                                         const qnn_depthwise_3x3_filter_t *filter, qnn_sink_t y)
{
    qnn_depthwise_3x3_filter_t f = *filter;
    qnn_three_t x = qnn_lines_take(p, &from, 0);
    uint32_t begun = f.bias + qnn_three_sum(x, f.w[0]);
    int32_t first = p->along.pad, last = first + p->along.size - 1, step = p->along.step, column;
    for (column = 1; column < 2 * p->along.out_size; column += 2) {
        if (column >= first && column < last) {
            begun += qnn_three_sum(qnn_lines_read(&from), f.w[1]);
            qnn_lines_step(&from, step);
            x = qnn_lines_read(&from);
            qnn_lines_step(&from, step);
        } else {
            begun += qnn_three_sum(qnn_lines_take(p, &from, column), f.w[1]);
            x = qnn_lines_take(p, &from, column + 1);
        }
        y = qnn_depthwise_3x3_put(p, &f.requantize, begun + qnn_three_sum(x, f.w[2]), y);
        begun = f.bias + qnn_three_sum(x, f.w[0]);
    }
}

QNN_INLINE qnn_depthwise_3x3_filter_t qnn_depthwise_3x3_filter(const qnn_depthwise_3x3_t *p, int32_t o)
{
    qnn_depthwise_3x3_filter_t f;
    const int8_t *w = p->weights + 9 * o;
    int32_t i;
    for (i = 0; i < 3; i++, w += 3) {
        f.w[i].a = (uint32_t)QNN_READ(w[0]);
        f.w[i].b = (uint32_t)QNN_READ(w[1]);
        f.w[i].c = (uint32_t)QNN_READ(w[2]);
    }
    f.bias = (uint32_t)QNN_READ(p->bias[o]);
    f.requantize = qnn_requantize_channel(&p->requantize, o);
    return f;
}

/* Take the lines outside the map out of a filter whose first line is `line`. */
QNN_INLINE qnn_depthwise_3x3_filter_t qnn_depthwise_3x3_inside(const qnn_depthwise_3x3_t *p,
                                                               qnn_depthwise_3x3_filter_t f, int32_t line)
{
    uint32_t pad = (uint32_t)p->pad_value;
    if (line < 0) {
        f.bias += pad * (f.w[0].a + f.w[1].a + f.w[2].a);
        f.w[0].a = f.w[1].a = f.w[2].a = 0;
    }
    if (line + 1 < 0 || line + 1 >= p->across.size) {
        f.bias += pad * (f.w[0].b + f.w[1].b + f.w[2].b);
        f.w[0].b = f.w[1].b = f.w[2].b = 0;
    }
    if (line + 2 >= p->across.size) {
        f.bias += pad * (f.w[0].c + f.w[1].c + f.w[2].c);
        f.w[0].c = f.w[1].c = f.w[2].c = 0;
    }
    return f;
}

/* Where a line begins in a channel; for a line outside the map, one that may be read. */
QNN_INLINE const uint8_t *qnn_depthwise_3x3_start(const qnn_depthwise_3x3_t *p, const uint8_t *x, int32_t line)
{
    return x + (line < 0 ? 0 : line < p->across.size ? line : p->across.size - 1) * p->across.step;
}

/* The three lines from `line` on; those outside the map are replaced by others, as the filter ignores them. */
QNN_INLINE qnn_lines_t qnn_depthwise_3x3_lines(const qnn_depthwise_3x3_t *p, const uint8_t *x, int32_t line)
{
    qnn_lines_t from;
    from.x0 = qnn_depthwise_3x3_start(p, x, line);
    from.x1 = qnn_depthwise_3x3_start(p, x, line + 1);
    from.x2 = qnn_depthwise_3x3_start(p, x, line + 2);
    return from;
}

/* One filter on one channel: inlined into every layer, whose sizes and limits then are constants in the loop over a
   line. */
QNN_BLOCK void qnn_depthwise_3x3_channel(const qnn_depthwise_3x3_t *p, int32_t o, const uint8_t *x, qnn_sink_t y)
{
    qnn_depthwise_3x3_filter_t whole = qnn_depthwise_3x3_filter(p, o);
    int32_t line = -p->across.pad, left;
    for (left = p->across.out_size; left > 0; left--, line += p->across.stride) {
        qnn_lines_t from = qnn_depthwise_3x3_lines(p, x, line);
        qnn_depthwise_3x3_filter_t filter = whole;
        if (line < 0 || line + 2 >= p->across.size) {
            filter = qnn_depthwise_3x3_inside(p, whole, line);
        }
        if (p->along.stride == 1) {
            qnn_depthwise_3x3_by_one(p, from, &filter, y);
        } else {
            qnn_depthwise_3x3_by_two(p, from, &filter, y);
        }
        y = qnn_after(y, p->across.out_step);
    }
}

QNN_INLINE void qnn_depthwise_3x3(const qnn_depthwise_3x3_t *p, const uint8_t *x, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t c, i, o = 0;
    for (c = 0; c < p->channels; c++) {
        for (i = 0; i < p->multiplier; i++, o++) {
            qnn_depthwise_3x3_channel(p, o, x + c, qnn_after(y, o));
        }
    }
}

QNN_KERNEL void qnn_depthwise_3x3_u8_u8(const qnn_depthwise_3x3_t *p, const uint8_t *x, uint8_t *y)
{
    qnn_depthwise_3x3(p, x, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_depthwise_3x3_u8_i16(const qnn_depthwise_3x3_t *p, const uint8_t *x, int16_t *y)
{
    qnn_depthwise_3x3(p, x, qnn_sink(y, 1));
}

#endif
