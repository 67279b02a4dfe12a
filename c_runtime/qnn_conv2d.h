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

/* Four filters on two packed windows. Precondition: every partial sum fits int32 (SPEC 4.1). */
QNN_INLINE const int8_t *qnn_conv2d_block(const int32_t *bias, int32_t count, const uint8_t *x, const uint8_t *z,
                                          const int8_t *w, int32_t acc[8])
{
    int32_t a0 = QNN_READ(bias[0]), a1 = QNN_READ(bias[1]), a2 = QNN_READ(bias[2]), a3 = QNN_READ(bias[3]);
    int32_t b0 = a0, b1 = a1, b2 = a2, b3 = a3;
    const uint8_t *end = x + count;
    for (; x != end; x++, z++, w += 4) {
        int32_t xv = *x, zv = *z, w0 = QNN_READ(w[0]), w1 = QNN_READ(w[1]), w2 = QNN_READ(w[2]), w3 = QNN_READ(w[3]);
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
    return w;
}

/* One filter on two packed windows: the sums are acc[0] and acc[4]. */
QNN_INLINE const int8_t *qnn_conv2d_one(int32_t bias, int32_t count, const uint8_t *x, const uint8_t *z,
                                        const int8_t *w, int32_t acc[8])
{
    int32_t a = bias, b = bias;
    const uint8_t *end = x + count;
    for (; x != end; x++, z++, w++) {
        a += (int32_t)*x * QNN_READ(*w);
        b += (int32_t)*z * QNN_READ(*w);
    }
    acc[0] = a;
    acc[4] = b;
    return w;
}

/* The next window in reading order, packed; a 1x1 window that moves by one needs no packing. */
QNN_INLINE const uint8_t *qnn_conv2d_next(const qnn_conv2d_t *p, qnn_pixel_t *pixel, const uint8_t *x, uint8_t *packed)
{
    const qnn_window_t *w = &p->window;
    qnn_pixel_t now = *pixel;
    pixel->column++;
    if (pixel->column == w->out_width) {
        pixel->column = 0;
        pixel->row++;
    }
    if (w->kernel_height == 1 && w->kernel_width == 1) {
        return x + (now.row * w->stride_height * w->width + now.column * w->stride_width) * w->channels;
    }
    qnn_window_pack(w, now.row, now.column, x, (uint8_t)p->pad_value, packed);
    return packed;
}

QNN_INLINE void qnn_conv2d_store(const qnn_conv2d_t *p, int32_t o, int32_t filters, int32_t pixels, int32_t acc[8],
                                 qnn_sink_t y)
{
    int32_t i, j;
    for (j = 0; j < pixels; j++) {
        for (i = 0; i < filters; i++) {
            qnn_put(y, j * p->filters + o + i, qnn_requantize(&p->requantize, o + i, acc[4 * j + i]));
        }
    }
}

/* packed: room for two windows. The last pixel of an odd number is computed together with itself. */
QNN_INLINE void qnn_conv2d(const qnn_conv2d_t *p, const uint8_t *x, uint8_t *packed, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t count = p->window.kernel_height * p->window.kernel_width * p->window.channels;
    int32_t left = p->window.out_height * p->window.out_width, o, pixels;
    qnn_pixel_t pixel = {0, 0};
    for (; left > 0; left -= 2) {
        const uint8_t *a = qnn_conv2d_next(p, &pixel, x, packed), *b = a;
        const int8_t *w = p->weights;
        int32_t acc[8];
        pixels = left > 1 ? 2 : 1;
        if (pixels == 2) {
            b = qnn_conv2d_next(p, &pixel, x, packed + count);
        }
        for (o = 0; o < (p->filters & ~3); o += 4) {
            w = qnn_conv2d_block(p->bias + o, count, a, b, w, acc);
            qnn_conv2d_store(p, o, 4, pixels, acc, y);
        }
        for (; o < p->filters; o++) {
            w = qnn_conv2d_one(QNN_READ(p->bias[o]), count, a, b, w, acc);
            qnn_conv2d_store(p, o, 1, pixels, acc, y);
        }
        y = qnn_after(y, pixels * p->filters);
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
