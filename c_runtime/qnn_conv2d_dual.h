/* SPDX-License-Identifier: 0BSD */
/* conv2d with two products in one multiplication (SPEC 5.8, 6.5). */
#ifndef QNN_CONV2D_DUAL_H
#define QNN_CONV2D_DUAL_H

#include "qnn_dual.h"
#include "qnn_requantize.h"
#include "qnn_window.h"

/* weights: words of four inputs (taps and channels) of one filter, less the filter's lowest weight: blocks of four
   filters, group by group (w[block][group][4]); the filters left over follow one by one. */
typedef struct {
    qnn_window_t window;
    int32_t filters;
    int32_t pad_value;
    const uint32_t *weights;
    const int8_t *lowest;
    const int32_t *bias;
    qnn_requantize_t requantize;
} qnn_conv2d_dual_t;

/* Four filters on two windows; x[group]: two words of the first window, two of the second. */
QNN_DUAL void qnn_conv2d_dual_block(const uint32_t *x, const uint32_t *end, const uint32_t *w, uint32_t sums[8])
{
    uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
    for (; x != end; x += 4, w += 4) {
        uint32_t a = x[0], b = x[1], c = x[2], d = x[3];
        s0 += qnn_dual_first(a, QNN_READ(w[0])) + qnn_dual_second(b, QNN_READ(w[0]));
        t0 += qnn_dual_first(c, QNN_READ(w[0])) + qnn_dual_second(d, QNN_READ(w[0]));
        s1 += qnn_dual_first(a, QNN_READ(w[1])) + qnn_dual_second(b, QNN_READ(w[1]));
        t1 += qnn_dual_first(c, QNN_READ(w[1])) + qnn_dual_second(d, QNN_READ(w[1]));
        s2 += qnn_dual_first(a, QNN_READ(w[2])) + qnn_dual_second(b, QNN_READ(w[2]));
        t2 += qnn_dual_first(c, QNN_READ(w[2])) + qnn_dual_second(d, QNN_READ(w[2]));
        s3 += qnn_dual_first(a, QNN_READ(w[3])) + qnn_dual_second(b, QNN_READ(w[3]));
        t3 += qnn_dual_first(c, QNN_READ(w[3])) + qnn_dual_second(d, QNN_READ(w[3]));
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
    sums[4] = t0;
    sums[5] = t1;
    sums[6] = t2;
    sums[7] = t3;
}

/* One filter on two windows: the sums are sums[0] and sums[4]. */
QNN_DUAL void qnn_conv2d_dual_one(const uint32_t *x, const uint32_t *end, const uint32_t *w, uint32_t sums[8])
{
    uint32_t s = 0, t = 0;
    for (; x != end; x += 4, w++) {
        s += qnn_dual_first(x[0], QNN_READ(*w)) + qnn_dual_second(x[1], QNN_READ(*w));
        t += qnn_dual_first(x[2], QNN_READ(*w)) + qnn_dual_second(x[3], QNN_READ(*w));
    }
    sums[0] = s;
    sums[4] = t;
}

/* The window of one pixel as words, every other pair of `words`; returns the sum of its inputs. */
QNN_INLINE uint32_t qnn_conv2d_dual_pack(int32_t count, const uint8_t *from, uint32_t *words)
{
    uint32_t sum = 0;
    const uint8_t *end = from + (count & ~3), *part;
    if (((uintptr_t)from & 3) == 0) {
        for (; from != end; from = part) {
            uint32_t halves = 0;
            const uint8_t *next;
            part = end - from > 512 ? from + 512 : end;
            for (next = from; next != part; next += 4, words += 4) {
                halves += qnn_dual_pack_aligned(next, words);
            }
            sum += qnn_dual_sum(halves);
        }
    } else {
        for (; from != end; from += 4, words += 4) {
            sum += qnn_dual_pack(from, words);
        }
    }
    if (count & 3) {
        sum += qnn_dual_pack_last(from, count & 3, words);
    }
    return sum;
}

/* The next window in reading order; a 1x1 window is read where it lies. */
QNN_INLINE uint32_t qnn_conv2d_dual_next(const qnn_conv2d_dual_t *p, qnn_pixel_t *pixel, const uint8_t *x,
                                         uint8_t *bytes, uint32_t *words)
{
    const qnn_window_t *w = &p->window;
    int32_t count = w->kernel_height * w->kernel_width * w->channels;
    qnn_pixel_t now = *pixel;
    const uint8_t *from = bytes;
    pixel->column++;
    if (pixel->column == w->out_width) {
        pixel->column = 0;
        pixel->row++;
    }
    if (w->kernel_height == 1 && w->kernel_width == 1) {
        from = x + (now.row * w->stride_height * w->width + now.column * w->stride_width) * w->channels;
    } else {
        qnn_window_pack(w, now.row, now.column, x, (uint8_t)p->pad_value, bytes);
    }
    return qnn_conv2d_dual_pack(count, from, words);
}

/* The outputs of `filters` filters from o on at one or two pixels. Sums modulo 2^32; the accumulator itself is proven to
   fit int32 (SPEC 4.1). */
QNN_INLINE void qnn_conv2d_dual_put(const qnn_conv2d_dual_t *p, int32_t o, int32_t filters, int32_t pixels,
                                    const uint32_t sums[8], const uint32_t inputs[2], qnn_sink_t y)
{
    int32_t i, j;
    for (j = 0; j < pixels; j++) {
        for (i = 0; i < filters; i++) {
            uint32_t acc = (uint32_t)QNN_READ(p->bias[o + i]) + sums[4 * j + i] +
                           (uint32_t)QNN_READ(p->lowest[o + i]) * inputs[j];
            qnn_put(y, j * p->filters + o + i, qnn_requantize(&p->requantize, o + i, (int32_t)acc));
        }
    }
}

/* work: 16 bytes a group of four inputs, then the bytes of one window. The last of an odd number of pixels is computed
   beside the words of the one before. */
QNN_SHARED void qnn_conv2d_dual(const qnn_conv2d_dual_t *p, const uint8_t *x, void *work, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    const qnn_window_t *window = &p->window;
    int32_t groups = (window->kernel_height * window->kernel_width * window->channels + 3) >> 2;
    int32_t left = window->out_height * window->out_width, o;
    uint32_t *words = (uint32_t *)work, *end = words + 4 * groups;
    qnn_pixel_t pixel = {0, 0};
    for (o = 0; o < 4 * groups; o++) {
        words[o] = 0;
    }
    for (; left > 0; left -= 2) {
        const uint32_t *w = p->weights;
        uint32_t sums[8], inputs[2];
        int32_t pixels = left > 1 ? 2 : 1;
        inputs[0] = qnn_conv2d_dual_next(p, &pixel, x, (uint8_t *)end, words);
        inputs[1] = 0;
        if (pixels == 2) {
            inputs[1] = qnn_conv2d_dual_next(p, &pixel, x, (uint8_t *)end, words + 2);
        }
        for (o = 0; o < (p->filters & ~3); o += 4, w += 4 * groups) {
            qnn_conv2d_dual_block(words, end, w, sums);
            qnn_conv2d_dual_put(p, o, 4, pixels, sums, inputs, y);
        }
        for (; o < p->filters; o++, w += groups) {
            qnn_conv2d_dual_one(words, end, w, sums);
            qnn_conv2d_dual_put(p, o, 1, pixels, sums, inputs, y);
        }
        y = qnn_after(y, pixels * p->filters);
    }
}

QNN_KERNEL void qnn_conv2d_dual_u8_u8(const qnn_conv2d_dual_t *p, const uint8_t *x, void *work, uint8_t *y)
{
    qnn_conv2d_dual(p, x, work, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_conv2d_dual_u8_i16(const qnn_conv2d_dual_t *p, const uint8_t *x, void *work, int16_t *y)
{
    qnn_conv2d_dual(p, x, work, qnn_sink(y, 1));
}

#endif
