/* SPDX-License-Identifier: 0BSD */
/* The geometry that convolutions and pools share (SPEC 5.7). */
#ifndef QNN_WINDOW_H
#define QNN_WINDOW_H

#include "qnn_base.h"

typedef struct {
    int32_t height;
    int32_t width;
    int32_t channels;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t pad_top;
    int32_t pad_left;
    int32_t out_height;
    int32_t out_width;
} qnn_window_t;

/* An output pixel. */
typedef struct {
    int32_t row;
    int32_t column;
} qnn_pixel_t;

QNN_INLINE void qnn_pixel_next(const qnn_window_t *p, qnn_pixel_t *pixel)
{
    pixel->column++;
    if (pixel->column == p->out_width) {
        pixel->column = 0;
        pixel->row++;
    }
}

/* The part of one window that lies inside the map: rows top..bottom - 1 and columns left..right - 1 of the kernel, and
   where its first element is in the map. */
typedef struct {
    int32_t top;
    int32_t bottom;
    int32_t left;
    int32_t right;
    int32_t first;
} qnn_inside_t;

QNN_INLINE qnn_inside_t qnn_window_inside(const qnn_window_t *p, int32_t row, int32_t column)
{
    int32_t y = row * p->stride_height - p->pad_top, x = column * p->stride_width - p->pad_left;
    qnn_inside_t inside;
    inside.top = y < 0 ? -y : 0;
    inside.left = x < 0 ? -x : 0;
    inside.bottom = p->height - y < p->kernel_height ? p->height - y : p->kernel_height;
    inside.right = p->width - x < p->kernel_width ? p->width - x : p->kernel_width;
    inside.first = ((y + inside.top) * p->width + x + inside.left) * p->channels;
    return inside;
}

/* Bytes are written `step` bytes apart. */
QNN_INLINE uint8_t *qnn_window_spread(uint8_t *to, int32_t step, int32_t count, uint8_t value)
{
    for (; count > 0; count--, to += step) {
        *to = value;
    }
    return to;
}

QNN_INLINE uint8_t *qnn_window_scatter(uint8_t *to, int32_t step, const uint8_t *from, int32_t count)
{
    const uint8_t *end = from + (count & ~3);
    for (; from != end; from += 4, to += 4 * step) {
        to[0] = from[0];
        to[step] = from[1];
        to[2 * step] = from[2];
        to[3 * step] = from[3];
    }
    for (end = from + (count & 3); from != end; from++, to += step) {
        *to = *from;
    }
    return to;
}

QNN_INLINE uint8_t *qnn_window_fill(uint8_t *to, int32_t count, uint8_t value)
{
    return qnn_window_spread(to, 1, count, value);
}

QNN_INLINE uint8_t *qnn_window_copy(uint8_t *to, const uint8_t *from, int32_t count)
{
    return qnn_window_scatter(to, 1, from, count);
}

/* The window of an output pixel as an array of taps and channels; taps outside the map read `fill`. */
QNN_KERNEL void qnn_window_pack(const qnn_window_t *p, qnn_pixel_t pixel, const uint8_t *x, uint8_t fill, uint8_t *to,
                                int32_t step)
{
    qnn_inside_t inside = qnn_window_inside(p, pixel.row, pixel.column);
    int32_t stride = p->width * p->channels, count = (inside.right - inside.left) * p->channels, r;
    int32_t before = inside.left * p->channels, after = (p->kernel_width - inside.right) * p->channels;
    const uint8_t *from = x + inside.first;
    to = qnn_window_spread(to, step, inside.top * p->kernel_width * p->channels, fill);
    for (r = inside.top; r < inside.bottom; r++, from += stride) {
        to = qnn_window_spread(to, step, before, fill);
        to = qnn_window_scatter(to, step, from, count);
        to = qnn_window_spread(to, step, after, fill);
    }
    qnn_window_spread(to, step, (p->kernel_height - inside.bottom) * p->kernel_width * p->channels, fill);
}

#endif
