/* SPDX-License-Identifier: 0BSD */
/* conv2d with weights of four bits (SPEC 5.8, 6.6). The words of weights hold eight inputs (taps and channels) of one
   filter: blocks of two filters, word by word (w[block][word][2]); a filter left over follows. Weights without an
   input are 0. */
#ifndef QNN_CONV2D_NARROW_H
#define QNN_CONV2D_NARROW_H

#include "qnn_conv2d_packed.h"
#include "qnn_narrow.h"

#define QNN_NARROW_STEP (2 * QNN_DUAL_STEP) /* words from a window's eight inputs to its next */

/* chunk: how many words are summed before the sums are taken apart. */
typedef struct {
    qnn_conv2d_packed_t layer;
    int32_t chunk;
} qnn_conv2d_narrow_t;

/* Sums of two filters in the four windows a to d. */
typedef struct {
    uint32_t a0, a1, b0, b1, c0, c1, d0, d1;
} qnn_narrow_sums_t;

/* One pair of inputs in four windows, whose words are at (*x)[at]; w0, w1: the filters' words, shifted. */
QNN_INLINE qnn_narrow_sums_t qnn_narrow_add(qnn_narrow_sums_t s, const uint32_t **x, int32_t at, uint32_t w0,
                                            uint32_t w1)
{
    w0 = qnn_narrow_pair(w0);
    w1 = qnn_narrow_pair(w1);
    s.a0 += (*x)[at] * w0;
    s.a1 += (*x)[at] * w1;
    QNN_ORDER(*x, s.a0, s.a1, s.a1);
    s.b0 += (*x)[at + 2] * w0;
    s.b1 += (*x)[at + 2] * w1;
    QNN_ORDER(*x, s.b0, s.b1, s.b1);
    s.c0 += (*x)[at + 4] * w0;
    s.c1 += (*x)[at + 4] * w1;
    QNN_ORDER(*x, s.c0, s.c1, s.c1);
    s.d0 += (*x)[at + 6] * w0;
    s.d1 += (*x)[at + 6] * w1;
    QNN_ORDER(*x, s.d0, s.d1, s.d1);
    return s;
}

/* What a chunk of the words of two filters gives in four windows. */
QNN_INLINE qnn_narrow_sums_t qnn_conv2d_narrow_chunk(const uint32_t *x, const uint32_t *end, const uint32_t *w)
{
    qnn_narrow_sums_t s = {0, 0, 0, 0, 0, 0, 0, 0};
    for (; x != end; x += QNN_NARROW_STEP, w += 2) {
        uint32_t w0 = QNN_READ(w[0]), w1 = QNN_READ(w[1]);
        s = qnn_narrow_add(s, &x, 0, w0, w1);
        s = qnn_narrow_add(s, &x, 1, w0 >> 8, w1 >> 8);
        s = qnn_narrow_add(s, &x, QNN_DUAL_STEP, w0 >> 4, w1 >> 4);
        s = qnn_narrow_add(s, &x, QNN_DUAL_STEP + 1, w0 >> 12, w1 >> 12);
    }
    return s;
}

/* Two filters on four windows: sums[filter][window]. */
QNN_INLINE void qnn_conv2d_narrow_block(const uint32_t *x, int32_t words, int32_t chunk, const uint32_t *w,
                                        uint32_t sums[8])
{
    qnn_narrow_sums_t t = {0, 0, 0, 0, 0, 0, 0, 0};
    for (; words > 0; words -= chunk) {
        const uint32_t *end = x + (words < chunk ? words : chunk) * QNN_NARROW_STEP;
        qnn_narrow_sums_t s = qnn_conv2d_narrow_chunk(x, end, w);
        t.a0 += s.a0 >> 16, t.b0 += s.b0 >> 16, t.c0 += s.c0 >> 16, t.d0 += s.d0 >> 16;
        t.a1 += s.a1 >> 16, t.b1 += s.b1 >> 16, t.c1 += s.c1 >> 16, t.d1 += s.d1 >> 16;
        x = end;
        w += 2 * chunk;
    }
    sums[0] = t.a0, sums[1] = t.b0, sums[2] = t.c0, sums[3] = t.d0;
    sums[4] = t.a1, sums[5] = t.b1, sums[6] = t.c1, sums[7] = t.d1;
}

/* One filter, whose words are `step` apart, on one window. */
QNN_BLOCK uint32_t qnn_conv2d_narrow_one(const uint32_t *x, const uint32_t *end, const uint32_t *w, int32_t step)
{
    uint32_t s = 0;
    for (; x != end; x += QNN_NARROW_STEP, w += step) {
        uint32_t v = QNN_READ(*w);
        uint32_t sum = x[0] * qnn_narrow_pair(v) + x[1] * qnn_narrow_pair(v >> 8);
        sum += x[QNN_DUAL_STEP] * qnn_narrow_pair(v >> 4) + x[QNN_DUAL_STEP + 1] * qnn_narrow_pair(v >> 12);
        s += sum >> 16;
    }
    return s;
}

/* Every filter at four pixels. */
QNN_BLOCK void qnn_conv2d_narrow_four(const qnn_conv2d_narrow_t *narrow, const qnn_columns_t *columns, qnn_sink_t y)
{
    const qnn_conv2d_packed_t *p = &narrow->layer;
    const uint32_t *w = p->weights;
    int32_t words = (int32_t)(columns->end - columns->words) >> 4, o, i;
    for (o = 0; o + 2 <= p->filters; o += 2, w += 2 * words) {
        uint32_t sums[8];
        qnn_conv2d_narrow_block(columns->words, words, narrow->chunk, w, sums);
        qnn_conv2d_packed_put_four(p, o, sums, columns->inputs, y);
        qnn_conv2d_packed_put_four(p, o + 1, sums + 4, columns->inputs, y);
    }
    if (p->filters & 1) {
        uint32_t sums[4];
        for (i = 0; i < 4; i++) {
            sums[i] = qnn_conv2d_narrow_one(columns->words + 2 * i, columns->end + 2 * i, w, 1);
        }
        qnn_conv2d_packed_put_four(p, o, sums, columns->inputs, y);
    }
}

/* Every filter at the last pixels, fewer than four. */
QNN_INLINE void qnn_conv2d_narrow_last(const qnn_conv2d_packed_t *p, const qnn_columns_t *columns, int32_t count,
                                       qnn_sink_t y)
{
    int32_t words = (int32_t)(columns->end - columns->words) >> 4, o, i;
    for (i = 0; i < count; i++, y = qnn_after(y, p->filters)) {
        for (o = 0; o < p->filters; o++) {
            int32_t step = (o | 1) < p->filters ? 2 : 1;
            const uint32_t *w = p->weights + (o & ~1) * words + (o & 1);
            uint32_t sum = qnn_conv2d_narrow_one(columns->words + 2 * i, columns->end + 2 * i, w, step);
            qnn_conv2d_packed_put(p, o, sum, columns->inputs[i], y);
        }
    }
}

/* work: 64 bytes for every eight inputs, then the bytes of one window. */
QNN_SHARED void qnn_conv2d_narrow(const qnn_conv2d_narrow_t *narrow, const uint8_t *x, void *work, qnn_sink_t y)
{
    QNN_FETCH(narrow, sizeof(*narrow));
    const qnn_conv2d_packed_t *p = &narrow->layer;
    const qnn_window_t *window = &p->window;
    int32_t words = (window->kernel_height * window->kernel_width * window->channels + 7) >> 3;
    int32_t left = window->out_height * window->out_width;
    qnn_columns_t columns;
    qnn_pixel_t pixel = {0, 0};
    columns.words = (uint32_t *)work;
    columns.end = columns.words + QNN_NARROW_STEP * words;
    columns.bytes = (uint8_t *)columns.end;
    for (; left >= 4; left -= 4) {
        qnn_conv2d_packed_next(p, &pixel, x, 4, 0, &columns);
        qnn_conv2d_narrow_four(narrow, &columns, y);
        y = qnn_after(y, 4 * p->filters);
    }
    qnn_conv2d_packed_next(p, &pixel, x, left, 0, &columns);
    qnn_conv2d_narrow_last(p, &columns, left, y);
}

QNN_KERNEL void qnn_conv2d_narrow_u8_u8(const qnn_conv2d_narrow_t *narrow, const uint8_t *x, void *work, uint8_t *y)
{
    qnn_conv2d_narrow(narrow, x, work, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_conv2d_narrow_u8_i16(const qnn_conv2d_narrow_t *narrow, const uint8_t *x, void *work, int16_t *y)
{
    qnn_conv2d_narrow(narrow, x, work, qnn_sink(y, 1));
}

#endif
