/* SPDX-License-Identifier: 0BSD */
/* A map as words of two neighbouring inputs, and windows of it (SPEC 6.9).

   A word is v + next * 2^16. Where windows begin at even inputs of a row, all windows read the same words, so that an
   input is packed once and not once for each window that covers it. */
#ifndef QNN_PAIRS_H
#define QNN_PAIRS_H

#include "qnn_window.h"

#define QNN_PAIRS_STEP 4 /* words from a window's pair to its next: four windows side by side */

/* rows of `row` words each; a window's row has `words` of them, whose last upper half may be beyond the window. */
typedef struct {
    uint32_t *map;
    int32_t rows;
    int32_t row;
    int32_t words;
} qnn_pairs_t;

QNN_INLINE qnn_pairs_t qnn_pairs(const qnn_window_t *p, void *work)
{
    qnn_pairs_t pairs;
    int32_t columns = (p->out_width - 1) * p->stride_width + p->kernel_width;
    pairs.map = (uint32_t *)work;
    pairs.rows = (p->out_height - 1) * p->stride_height + p->kernel_height;
    pairs.row = (columns * p->channels + 1) >> 1;
    pairs.words = (p->kernel_width * p->channels + 1) >> 1;
    return pairs;
}

QNN_INLINE uint32_t *qnn_pairs_fill(uint32_t *to, const uint32_t *end, uint32_t pair)
{
    for (; to != end; to++) {
        *to = pair;
    }
    return to;
}

/* Inputs that lie together; the last half is `pad` where they are an odd number. */
QNN_INLINE uint32_t *qnn_pairs_run(uint32_t *to, const uint8_t *from, int32_t count, uint32_t pad)
{
    const uint8_t *end = from + (count & ~1);
    for (; from != end; from += 2) {
        *to++ = from[0] | ((uint32_t)from[1] << 16);
    }
    if (count & 1) {
        *to++ = *from | (pad << 16);
    }
    return to;
}

/* The map with the padding that windows cover, row by row; pad_left * channels is even. */
QNN_SHARED void qnn_pairs_pack(const qnn_window_t *p, const qnn_pairs_t *pairs, const uint8_t *x, uint32_t pad)
{
    int32_t left = (p->pad_left * p->channels) >> 1, most = 2 * (pairs->row - left), r;
    int32_t count = p->width * p->channels < most ? p->width * p->channels : most;
    uint32_t *to = pairs->map;
    for (r = -p->pad_top; r < pairs->rows - p->pad_top; r++) {
        const uint32_t *end = to + pairs->row;
        if (r >= 0 && r < p->height) {
            to = qnn_pairs_fill(to, to + left, pad * 0x00010001u);
            to = qnn_pairs_run(to, x + r * p->width * p->channels, count, pad);
        }
        to = qnn_pairs_fill(to, end, pad * 0x00010001u);
    }
}

/* Copy the words of four windows, which begin at from[0] to from[3], side by side. */
QNN_INLINE void qnn_pairs_windows(const qnn_pairs_t *pairs, int32_t height, const uint32_t *const from[4], uint32_t *to)
{
    const uint32_t *a = from[0], *b = from[1], *c = from[2], *d = from[3];
    int32_t between = pairs->row - pairs->words, r;
    for (r = 0; r < height; r++) {
        const uint32_t *end = a + pairs->words;
        for (; a != end; a++, b++, c++, d++, to += QNN_PAIRS_STEP) {
            uint32_t first = *a, second = *b, third = *c, fourth = *d;
            to[0] = first;
            to[1] = second;
            to[2] = third;
            to[3] = fourth;
        }
        a += between, b += between, c += between, d += between;
    }
}

#endif
