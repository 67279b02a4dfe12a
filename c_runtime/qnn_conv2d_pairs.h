/* SPDX-License-Identifier: 0BSD */
/* conv2d with weights of -8 to 7 on a map of pairs (SPEC 5.8, 6.9). Words of weights hold u = w + 8 for eight inputs of one
   filter, u1 + u3 * 2^4 + u5 * 2^8 + u7 * 2^12 + u0 * 2^16 + u2 * 2^20 + u4 * 2^24 + u6 * 2^28, row by row of the kernel,
   where rows have an even number of inputs, the last of which may have the weight 0: blocks of two filters, word by word
   (w[block][word][2]); a filter left over follows.

   A word of two inputs, times w1 + w0 * 2^16 with signs, is v0 w1 + (v0 w0 + v1 w1) * 2^16 modulo 2^32. Precondition,
   checked by the compiler: over a chunk of words the sums of the former and of the latter stay within int16, so that the
   latter is the upper half of a sum that begins with 2^15. For any weights that is so for one word. */
#ifndef QNN_CONV2D_PAIRS_H
#define QNN_CONV2D_PAIRS_H

#include "qnn_pairs.h"
#include "qnn_requantize.h"

#define QNN_PAIRS_WORD (4 * QNN_PAIRS_STEP) /* words of windows for a word of weights */
#define QNN_PAIRS_BEGIN 0x8000u             /* what a chunk's sum begins with */

/* chunk: how many words of weights are summed before the sums are taken apart. words: of a filter. */
typedef struct {
    qnn_window_t window;
    int32_t filters;
    int32_t pad_value;
    int32_t chunk;
    int32_t words;
    const uint32_t *weights;
    const int32_t *bias;
    qnn_requantize_t requantize;
} qnn_conv2d_pairs_t;

/* Sums of two filters in the four windows a to d. */
typedef struct {
    uint32_t a0, a1, b0, b1, c0, c1, d0, d1;
} qnn_pairs_sums_t;

/* The multiplier of a pair, from a word that is shifted to it. */
QNN_INLINE uint32_t qnn_pairs_weights(uint32_t w)
{
    return (w & 0x000F000Fu) - 0x00080008u;
}

/* A chunk's sum of products, from one that began with QNN_PAIRS_BEGIN. */
QNN_INLINE uint32_t qnn_pairs_upper(uint32_t s)
{
    return (uint32_t)((int32_t)s >> 16);
}

/* One pair of inputs in four windows, at (*x)[at]; w0, w1: the filters' words, shifted. */
QNN_INLINE qnn_pairs_sums_t qnn_pairs_add(qnn_pairs_sums_t s, const uint32_t **x, int32_t at, uint32_t w0, uint32_t w1)
{
    w0 = qnn_pairs_weights(w0);
    w1 = qnn_pairs_weights(w1);
    s.a0 += (*x)[at] * w0;
    s.a1 += (*x)[at] * w1;
    QNN_ORDER(*x, s.a0, s.a1, s.a1);
    s.b0 += (*x)[at + 1] * w0;
    s.b1 += (*x)[at + 1] * w1;
    QNN_ORDER(*x, s.b0, s.b1, s.b1);
    s.c0 += (*x)[at + 2] * w0;
    s.c1 += (*x)[at + 2] * w1;
    QNN_ORDER(*x, s.c0, s.c1, s.c1);
    s.d0 += (*x)[at + 3] * w0;
    s.d1 += (*x)[at + 3] * w1;
    QNN_ORDER(*x, s.d0, s.d1, s.d1);
    return s;
}

/* Add what a chunk of the words of two filters gives in four windows to acc[filter][window]. */
QNN_INLINE void qnn_pairs_chunk(const uint32_t *x, const uint32_t *end, const uint32_t *w, uint32_t acc[8])
{
    qnn_pairs_sums_t s = {QNN_PAIRS_BEGIN, QNN_PAIRS_BEGIN, QNN_PAIRS_BEGIN, QNN_PAIRS_BEGIN,
                          QNN_PAIRS_BEGIN, QNN_PAIRS_BEGIN, QNN_PAIRS_BEGIN, QNN_PAIRS_BEGIN};
    for (; x != end; x += QNN_PAIRS_WORD, w += 2) {
        uint32_t w0 = QNN_READ(w[0]), w1 = QNN_READ(w[1]);
        s = qnn_pairs_add(s, &x, 0, w0, w1);
        s = qnn_pairs_add(s, &x, QNN_PAIRS_STEP, w0 >> 4, w1 >> 4);
        s = qnn_pairs_add(s, &x, 2 * QNN_PAIRS_STEP, w0 >> 8, w1 >> 8);
        s = qnn_pairs_add(s, &x, 3 * QNN_PAIRS_STEP, w0 >> 12, w1 >> 12);
    }
    acc[0] += qnn_pairs_upper(s.a0), acc[1] += qnn_pairs_upper(s.b0);
    acc[2] += qnn_pairs_upper(s.c0), acc[3] += qnn_pairs_upper(s.d0);
    acc[4] += qnn_pairs_upper(s.a1), acc[5] += qnn_pairs_upper(s.b1);
    acc[6] += qnn_pairs_upper(s.c1), acc[7] += qnn_pairs_upper(s.d1);
}

/* A filter's word on one window. */
QNN_INLINE uint32_t qnn_pairs_product(const uint32_t *x, uint32_t w)
{
    uint32_t sum = x[0] * qnn_pairs_weights(w) + x[QNN_PAIRS_STEP] * qnn_pairs_weights(w >> 4);
    return sum + x[2 * QNN_PAIRS_STEP] * qnn_pairs_weights(w >> 8) + x[3 * QNN_PAIRS_STEP] * qnn_pairs_weights(w >> 12);
}

/* Add a filter's products on one window to acc. */
QNN_BLOCK uint32_t qnn_pairs_one(const uint32_t *x, const uint32_t *end, const uint32_t *w, uint32_t acc)
{
    for (; x != end; x += QNN_PAIRS_WORD, w++) {
        acc += qnn_pairs_upper(QNN_PAIRS_BEGIN + qnn_pairs_product(x, QNN_READ(*w)));
    }
    return acc;
}

/* Add two filters' products on one window, which ends at `end`, to acc. step: of a chunk, in words of the window. */
QNN_BLOCK void qnn_pairs_two(const uint32_t *x, const uint32_t *end, int32_t step, const uint32_t *w, uint32_t acc[2])
{
    const uint32_t *next;
    for (; x != end; x = next) {
        uint32_t first = QNN_PAIRS_BEGIN, second = QNN_PAIRS_BEGIN;
        next = end - x > step ? x + step : end;
        for (; x != next; x += QNN_PAIRS_WORD, w += 2) {
            first += qnn_pairs_product(x, QNN_READ(w[0]));
            second += qnn_pairs_product(x, QNN_READ(w[1]));
        }
        acc[0] += qnn_pairs_upper(first), acc[1] += qnn_pairs_upper(second);
    }
}

/* An output: precondition, checked by the compiler, is that acc * 2^prescale fits int32 and the rule is that of SPEC 3.1.
   Sums are modulo 2^32. */
QNN_INLINE int32_t qnn_pairs_finish(const qnn_requantize_channel_t *c, uint32_t acc)
{
    return qnn_requantize_once(c, (int32_t)(acc << c->prescale));
}

/* The outputs of filter o at four pixels. */
QNN_INLINE void qnn_pairs_put_four(const qnn_conv2d_pairs_t *p, int32_t o, const uint32_t acc[4], qnn_sink_t y)
{
    qnn_requantize_channel_t c = qnn_requantize_channel(&p->requantize, o);
    int32_t filters = p->filters; /* read once: y might lie in *p, for all a compiler knows */
    y = qnn_after(y, o);
    qnn_put(y, 0, qnn_pairs_finish(&c, acc[0]));
    y = qnn_after(y, filters);
    qnn_put(y, 0, qnn_pairs_finish(&c, acc[1]));
    y = qnn_after(y, filters);
    qnn_put(y, 0, qnn_pairs_finish(&c, acc[2]));
    y = qnn_after(y, filters);
    qnn_put(y, 0, qnn_pairs_finish(&c, acc[3]));
}

/* Every filter at four pixels, whose windows end at `end`. */
QNN_BLOCK void qnn_pairs_four(const qnn_conv2d_pairs_t *p, const uint32_t *windows, const uint32_t *end, qnn_sink_t y)
{
    const uint32_t *w = p->weights;
    int32_t step = p->chunk * QNN_PAIRS_WORD, o, i;
    for (o = 0; o + 2 <= p->filters; o += 2, w += 2 * p->words) {
        uint32_t first = (uint32_t)QNN_READ(p->bias[o]), second = (uint32_t)QNN_READ(p->bias[o + 1]);
        uint32_t acc[8] = {first, first, first, first, second, second, second, second};
        const uint32_t *x, *next, *v = w;
        for (x = windows; x != end; x = next, v += 2 * p->chunk) {
            next = end - x > step ? x + step : end;
            qnn_pairs_chunk(x, next, v, acc);
        }
        qnn_pairs_put_four(p, o, acc, y);
        qnn_pairs_put_four(p, o + 1, acc + 4, y);
    }
    if (p->filters & 1) {
        uint32_t acc[4];
        for (i = 0; i < 4; i++) {
            acc[i] = qnn_pairs_one(windows + i, end + i, w, (uint32_t)QNN_READ(p->bias[o]));
        }
        qnn_pairs_put_four(p, o, acc, y);
    }
}

/* The output of filter o at one pixel. */
QNN_INLINE void qnn_pairs_put(const qnn_conv2d_pairs_t *p, int32_t o, uint32_t acc, qnn_sink_t y)
{
    qnn_requantize_channel_t c = qnn_requantize_channel(&p->requantize, o);
    qnn_put(y, o, qnn_pairs_finish(&c, acc));
}

/* Every filter at the last pixels, fewer than four. */
QNN_INLINE void qnn_pairs_last(const qnn_conv2d_pairs_t *p, const uint32_t *windows, const uint32_t *end, int32_t count,
                               qnn_sink_t y)
{
    int32_t step = p->chunk * QNN_PAIRS_WORD, o, i;
    for (i = 0; i < count; i++, y = qnn_after(y, p->filters)) {
        const uint32_t *w = p->weights;
        for (o = 0; o + 2 <= p->filters; o += 2, w += 2 * p->words) {
            uint32_t acc[2] = {(uint32_t)QNN_READ(p->bias[o]), (uint32_t)QNN_READ(p->bias[o + 1])};
            qnn_pairs_two(windows + i, end + i, step, w, acc);
            qnn_pairs_put(p, o, acc[0], y);
            qnn_pairs_put(p, o + 1, acc[1], y);
        }
        if (p->filters & 1) {
            uint32_t acc = qnn_pairs_one(windows + i, end + i, w, (uint32_t)QNN_READ(p->bias[o]));
            qnn_pairs_put(p, o, acc, y);
        }
    }
}

/* The windows of the next `count` pixels in reading order; those that are missing to four are the map's first one. */
QNN_INLINE void qnn_pairs_next(const qnn_window_t *p, const qnn_pairs_t *pairs, qnn_pixel_t *pixel, int32_t count,
                               uint32_t *windows)
{
    const uint32_t *from[4];
    int32_t i, across = (p->stride_width * p->channels) >> 1;
    for (i = 0; i < 4; i++) {
        from[i] = pairs->map;
        if (i < count) {
            from[i] += pixel->row * p->stride_height * pairs->row + pixel->column * across;
            qnn_pixel_next(p, pixel);
        }
    }
    qnn_pairs_windows(pairs, p->kernel_height, from, windows);
}

/* work: the map's words, then those of four windows. */
QNN_SHARED void qnn_conv2d_pairs(const qnn_conv2d_pairs_t *p, const uint8_t *x, void *work, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    const qnn_window_t *window = &p->window;
    qnn_pairs_t pairs = qnn_pairs(window, work);
    int32_t left = window->out_height * window->out_width;
    uint32_t *windows = pairs.map + pairs.rows * pairs.row, *end = windows + QNN_PAIRS_WORD * p->words;
    qnn_pixel_t pixel = {0, 0};
    qnn_pairs_pack(window, &pairs, x, (uint32_t)p->pad_value);
    qnn_pairs_fill(windows + QNN_PAIRS_STEP * window->kernel_height * pairs.words, end, 0);
    for (; left >= 4; left -= 4) {
        qnn_pairs_next(window, &pairs, &pixel, 4, windows);
        qnn_pairs_four(p, windows, end, y);
        y = qnn_after(y, 4 * p->filters);
    }
    if (left) {
        qnn_pairs_next(window, &pairs, &pixel, left, windows);
        qnn_pairs_last(p, windows, end, left, y);
    }
}

QNN_KERNEL void qnn_conv2d_pairs_u8_u8(const qnn_conv2d_pairs_t *p, const uint8_t *x, void *work, uint8_t *y)
{
    qnn_conv2d_pairs(p, x, work, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_conv2d_pairs_u8_i16(const qnn_conv2d_pairs_t *p, const uint8_t *x, void *work, int16_t *y)
{
    qnn_conv2d_pairs(p, x, work, qnn_sink(y, 1));
}

#endif
