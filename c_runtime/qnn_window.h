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

QNN_INLINE uint8_t *qnn_window_fill(uint8_t *to, int32_t count, uint8_t value)
{
    const uint8_t *end = to + count;
    for (; to != end; to++) {
        *to = value;
    }
    return to;
}

QNN_INLINE uint8_t *qnn_window_copy(uint8_t *to, const uint8_t *from, int32_t count)
{
    const uint8_t *end = from + (count & ~3);
    for (; from != end; from += 4, to += 4) {
        to[0] = from[0];
        to[1] = from[1];
        to[2] = from[2];
        to[3] = from[3];
    }
    for (end = from + (count & 3); from != end; from++, to++) {
        *to = *from;
    }
    return to;
}

/* The window of output pixel (row, column) as one array of taps and channels; taps outside the map read `fill`. */
QNN_KERNEL void qnn_window_pack(const qnn_window_t *p, int32_t row, int32_t column, const uint8_t *x, uint8_t fill,
                                uint8_t *to)
{
    qnn_inside_t inside = qnn_window_inside(p, row, column);
    int32_t stride = p->width * p->channels, count = (inside.right - inside.left) * p->channels, r;
    int32_t before = inside.left * p->channels, after = (p->kernel_width - inside.right) * p->channels;
    const uint8_t *from = x + inside.first;
    if (count == p->kernel_width * p->channels && inside.bottom - inside.top == p->kernel_height) {
        for (r = 0; r < p->kernel_height; r++, from += stride) {
            to = qnn_window_copy(to, from, count);
        }
        return;
    }
    to = qnn_window_fill(to, inside.top * p->kernel_width * p->channels, fill);
    for (r = inside.top; r < inside.bottom; r++, from += stride) {
        to = qnn_window_fill(to, before, fill);
        to = qnn_window_copy(to, from, count);
        to = qnn_window_fill(to, after, fill);
    }
    qnn_window_fill(to, (p->kernel_height - inside.bottom) * p->kernel_width * p->channels, fill);
}

#endif
