/* SPDX-License-Identifier: 0BSD */
/* Windows over maps of 16-bit values (SPEC 5.7). */
#ifndef QNN_WINDOW_WIDE_H
#define QNN_WINDOW_WIDE_H

#include "qnn_window.h"

QNN_INLINE int16_t *qnn_window_fill_i16(int16_t *to, int32_t count, int16_t value)
{
    const int16_t *end = to + count;
    for (; to != end; to++) {
        *to = value;
    }
    return to;
}

QNN_INLINE int16_t *qnn_window_copy_i16(int16_t *to, const int16_t *from, int32_t count)
{
    const int16_t *end = from + (count & ~1);
    for (; from != end; from += 2, to += 2) {
        to[0] = from[0];
        to[1] = from[1];
    }
    if (count & 1) {
        *to = *from;
        to++;
    }
    return to;
}

/* The window of output pixel (row, column) as one array of taps and channels; taps outside the map read `fill`. */
QNN_KERNEL void qnn_window_pack_i16(const qnn_window_t *p, int32_t row, int32_t column, const int16_t *x, int16_t fill,
                                    int16_t *to)
{
    qnn_inside_t inside = qnn_window_inside(p, row, column);
    int32_t count = (inside.right - inside.left) * p->channels, r;
    int32_t before = inside.left * p->channels, after = (p->kernel_width - inside.right) * p->channels;
    const int16_t *from = x + inside.first;
    to = qnn_window_fill_i16(to, inside.top * p->kernel_width * p->channels, fill);
    for (r = inside.top; r < inside.bottom; r++, from += p->width * p->channels) {
        to = qnn_window_fill_i16(to, before, fill);
        to = qnn_window_copy_i16(to, from, count);
        to = qnn_window_fill_i16(to, after, fill);
    }
    qnn_window_fill_i16(to, (p->kernel_height - inside.bottom) * p->kernel_width * p->channels, fill);
}

/* The next window in reading order, packed into `work`, or where it lies in the map: a kernel of one tap needs no packing.
   wide: the map has 16-bit values. */
QNN_INLINE const void *qnn_window_next(const qnn_window_t *p, int32_t wide, qnn_pixel_t *pixel, const void *x,
                                       int32_t fill, void *work)
{
    qnn_pixel_t now = *pixel;
    pixel->column++;
    if (pixel->column == p->out_width) {
        pixel->column = 0;
        pixel->row++;
    }
    if (p->kernel_height == 1 && p->kernel_width == 1) {
        int32_t first = (now.row * p->stride_height * p->width + now.column * p->stride_width) * p->channels;
        return (const uint8_t *)x + (wide ? 2 * first : first);
    }
    if (wide) {
        qnn_window_pack_i16(p, now.row, now.column, (const int16_t *)x, (int16_t)fill, (int16_t *)work);
    } else {
        qnn_window_pack(p, now, (const uint8_t *)x, (uint8_t)fill, (uint8_t *)work, 1);
    }
    return work;
}

#endif
