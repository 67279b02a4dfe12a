/* SPDX-License-Identifier: 0BSD */
/* Windows packed for two products in one multiplication (SPEC 5.7, 6.5), four of them side by side. */
#ifndef QNN_DUAL_WINDOW_H
#define QNN_DUAL_WINDOW_H

#include "qnn_dual.h"
#include "qnn_window.h"

#define QNN_DUAL_STEP 8 /* words from a window's group to its next: four windows, two words each */

/* A window that is being packed: where its next words go, the sum of its inputs so far, the shift of
   their second words. */
typedef struct {
    uint32_t *words;
    uint32_t sum;
    int32_t shift;
} qnn_dual_column_t;

/* Pack `count` inputs that lie together, a multiple of 4 of any alignment. */
QNN_INLINE qnn_dual_column_t qnn_dual_run(qnn_dual_column_t to, const uint8_t *from, int32_t count)
{
    const uint8_t *end;
    if ((uintptr_t)from & 3) {
        for (end = from + count; from != end; from += 4, to.words += QNN_DUAL_STEP) {
            to.sum += qnn_dual_pack(from, to.words, to.shift);
        }
        return to;
    }
    for (; count > 0; count -= 512) { /* halves hold the sums of 128 groups */
        uint32_t halves = 0;
        int32_t part = count < 512 ? count : 512;
        if (part & 4) {
            halves = qnn_dual_pack_aligned(from, to.words, to.shift);
            from += 4, to.words += QNN_DUAL_STEP;
        }
        for (end = from + (part & ~7); from != end; from += 8, to.words += 2 * QNN_DUAL_STEP) {
            halves += qnn_dual_pack_aligned(from, to.words, to.shift);
            halves += qnn_dual_pack_aligned(from + 4, to.words + QNN_DUAL_STEP, to.shift);
        }
        to.sum += qnn_dual_sum(halves);
    }
    return to;
}

/* The same for inputs that are all `value`. */
QNN_INLINE qnn_dual_column_t qnn_dual_fill(qnn_dual_column_t to, uint8_t value, int32_t count)
{
    uint32_t pair = value * 0x00010001u;
    const uint32_t *end = to.words + (count >> 2) * QNN_DUAL_STEP;
    to.sum += value * (uint32_t)count;
    for (; to.words != end; to.words += QNN_DUAL_STEP) {
        qnn_dual_put(to.words, pair, pair, to.shift);
    }
    return to;
}

/* A window of whole groups, row by row from the map. */
QNN_INLINE uint32_t qnn_dual_window_rows(const qnn_window_t *p, qnn_pixel_t pixel, const uint8_t *x, uint8_t pad,
                                         qnn_dual_column_t to)
{
    qnn_inside_t inside = qnn_window_inside(p, pixel.row, pixel.column);
    int32_t stride = p->width * p->channels, count = (inside.right - inside.left) * p->channels, r;
    int32_t row = p->kernel_width * p->channels, before = inside.left * p->channels;
    const uint8_t *from = x + inside.first;
    if (count == row && inside.bottom - inside.top == p->kernel_height) {
        for (r = 0; r < p->kernel_height; r++, from += stride) {
            to = qnn_dual_run(to, from, row);
        }
        return to.sum;
    }
    to = qnn_dual_fill(to, pad, inside.top * row);
    for (r = inside.top; r < inside.bottom; r++, from += stride) {
        to = qnn_dual_fill(to, pad, before);
        to = qnn_dual_run(to, from, count);
        to = qnn_dual_fill(to, pad, row - before - count);
    }
    return qnn_dual_fill(to, pad, (p->kernel_height - inside.bottom) * row).sum;
}

/* Pack the window of one output pixel; returns the sum of its inputs. Taps outside the map read `pad`. bytes: room for
   one window where the channels are no multiple of 4. shift: of the second words. */
QNN_SHARED uint32_t qnn_dual_window(const qnn_window_t *p, qnn_pixel_t pixel, const uint8_t *x, uint8_t pad,
                                    uint8_t *bytes, uint32_t *words, int32_t shift)
{
    int32_t count = p->kernel_height * p->kernel_width * p->channels;
    qnn_dual_column_t to;
    to.words = words;
    to.sum = 0;
    to.shift = shift;
    if ((p->channels & 3) == 0) {
        if (count == p->channels) { /* one tap, which is inside the map */
            int32_t first = pixel.row * p->stride_height * p->width + pixel.column * p->stride_width;
            return qnn_dual_run(to, x + first * count, count).sum;
        }
        return qnn_dual_window_rows(p, pixel, x, pad, to);
    }
    qnn_window_pack(p, pixel, x, pad, bytes, 1);
    to = qnn_dual_run(to, bytes, count & ~3);
    if (count & 3) {
        to.sum += qnn_dual_pack_last(bytes + (count & ~3), count & 3, to.words, shift);
    }
    return to.sum;
}

#endif
