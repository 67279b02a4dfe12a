/* SPDX-License-Identifier: 0BSD */
/* dense with two products in one multiplication, all inputs or only the groups that are not zero (SPEC 5.2, 6.5). */
#ifndef QNN_DENSE_DUAL_H
#define QNN_DENSE_DUAL_H

#include "qnn_dual.h"
#include "qnn_requantize.h"
#include "qnn_rest.h"

/* weights: words of four inputs of one output, less the output's lowest weight: blocks of eight outputs, group by
   group (w[block][group][8]); the outputs left over follow row by row. */
typedef struct {
    int32_t inputs;
    int32_t outputs;
    const uint32_t *weights;
    const int8_t *lowest;
    const int32_t *bias;
    int32_t flips; /* 1 where the inputs are int8: each becomes the uint8 of 128 more */
    qnn_requantize_t requantize;
} qnn_dense_dual_t;

/* Groups of four inputs, packed: two words each; where zeros are skipped, the offset of the group's weights in a block
   in bytes is beside them. */
typedef struct {
    uint32_t *words;
    uint32_t *end;
    uint16_t *offsets;
    uint32_t sum;
} qnn_dense_dual_groups_t;

QNN_BLOCK void qnn_dense_dual_block(const uint32_t *x, const uint32_t *end, const uint32_t *w, uint32_t sums[8])
{
    uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
    for (; x != end; x += 2, w += 8) {
        uint32_t a = x[0], b = x[1];
        s0 += qnn_dual_first(a, QNN_READ(w[0])) + qnn_dual_second(b, QNN_READ(w[0]));
        s1 += qnn_dual_first(a, QNN_READ(w[1])) + qnn_dual_second(b, QNN_READ(w[1]));
        QNN_ORDER(w, s0, s1, s1);
        s2 += qnn_dual_first(a, QNN_READ(w[2])) + qnn_dual_second(b, QNN_READ(w[2]));
        s3 += qnn_dual_first(a, QNN_READ(w[3])) + qnn_dual_second(b, QNN_READ(w[3]));
        QNN_ORDER(w, s2, s3, s3);
        s4 += qnn_dual_first(a, QNN_READ(w[4])) + qnn_dual_second(b, QNN_READ(w[4]));
        s5 += qnn_dual_first(a, QNN_READ(w[5])) + qnn_dual_second(b, QNN_READ(w[5]));
        QNN_ORDER(w, s4, s5, s5);
        s6 += qnn_dual_first(a, QNN_READ(w[6])) + qnn_dual_second(b, QNN_READ(w[6]));
        s7 += qnn_dual_first(a, QNN_READ(w[7])) + qnn_dual_second(b, QNN_READ(w[7]));
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
    sums[4] = s4;
    sums[5] = s5;
    sums[6] = s6;
    sums[7] = s7;
}

QNN_BLOCK void qnn_dense_dual_block_sparse(const qnn_dense_dual_groups_t *g, const uint32_t *weights, uint32_t sums[8])
{
    uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
    const uint32_t *x = g->words, *end = g->end;
    const uint16_t *offset = g->offsets;
    for (; x != end; x += 2, offset++) {
        const uint32_t *w = (const uint32_t *)(const void *)((const uint8_t *)weights + *offset);
        uint32_t a = x[0], b = x[1];
        s0 += qnn_dual_first(a, QNN_READ(w[0])) + qnn_dual_second(b, QNN_READ(w[0]));
        s1 += qnn_dual_first(a, QNN_READ(w[1])) + qnn_dual_second(b, QNN_READ(w[1]));
        QNN_ORDER(w, s0, s1, s1);
        s2 += qnn_dual_first(a, QNN_READ(w[2])) + qnn_dual_second(b, QNN_READ(w[2]));
        s3 += qnn_dual_first(a, QNN_READ(w[3])) + qnn_dual_second(b, QNN_READ(w[3]));
        QNN_ORDER(w, s2, s3, s3);
        s4 += qnn_dual_first(a, QNN_READ(w[4])) + qnn_dual_second(b, QNN_READ(w[4]));
        s5 += qnn_dual_first(a, QNN_READ(w[5])) + qnn_dual_second(b, QNN_READ(w[5]));
        QNN_ORDER(w, s4, s5, s5);
        s6 += qnn_dual_first(a, QNN_READ(w[6])) + qnn_dual_second(b, QNN_READ(w[6]));
        s7 += qnn_dual_first(a, QNN_READ(w[7])) + qnn_dual_second(b, QNN_READ(w[7]));
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
    sums[4] = s4;
    sums[5] = s5;
    sums[6] = s6;
    sums[7] = s7;
}

/* One output: w[group]. */
QNN_INLINE uint32_t qnn_dense_dual_row(const qnn_dense_dual_groups_t *g, int32_t sparse, const uint32_t *weights)
{
    uint32_t sum = 0;
    const uint32_t *x = g->words, *w = weights;
    const uint16_t *offset = g->offsets;
    for (; x != g->end; x += 2, w++) {
        if (sparse) {
            w = weights + (*offset >> 5);
            offset++;
        }
        sum += qnn_dual_first(x[0], QNN_READ(*w)) + qnn_dual_second(x[1], QNN_READ(*w));
    }
    return sum;
}

#ifdef QNN_INT8_INPUTS
/* A group of inputs that are int8: as uint8 of 128 more. */
QNN_INLINE uint32_t qnn_dense_dual_flipped(const uint8_t *x, int32_t left, uint32_t *words)
{
    uint8_t flipped[4] = {0, 0, 0, 0};
    int32_t i;
    for (i = 0; i < (left < 4 ? left : 4); i++) {
        flipped[i] = (uint8_t)(x[i] ^ 0x80);
    }
    return qnn_dual_pack(flipped, words, 8);
}
#endif /* QNN_INT8_INPUTS */

QNN_INLINE uint32_t qnn_dense_dual_group(const qnn_dense_dual_t *p, const uint8_t *x, int32_t left, uint32_t *words)
{
#ifdef QNN_INT8_INPUTS
    if (p->flips) {
        return qnn_dense_dual_flipped(x, left, words);
    }
#endif /* QNN_INT8_INPUTS */
    (void)p;
    return left >= 4 ? qnn_dual_pack(x, words, 8) : qnn_dual_pack_last(x, left, words, 8);
}

/* The inputs as groups of four in `work`: 8 bytes a group, where `sparse` 10. */
QNN_INLINE qnn_dense_dual_groups_t qnn_dense_dual_groups(const qnn_dense_dual_t *p, int32_t sparse, const uint8_t *x,
                                                         void *work)
{
    qnn_dense_dual_groups_t g;
    int32_t groups = (p->inputs + 3) >> 2, i;
    uint32_t offset = 0;
    g.words = (uint32_t *)work;
    g.end = g.words;
    g.offsets = (uint16_t *)(void *)(g.words + 2 * groups);
    g.sum = 0;
    for (i = 0; i < groups; i++, x += 4, offset += 32) {
        uint32_t sum = qnn_dense_dual_group(p, x, p->inputs - 4 * i, g.end);
        if (sparse) {
            if (sum == 0) {
                continue;
            }
            *g.offsets = (uint16_t)offset;
            g.offsets++;
        }
        g.sum += sum;
        g.end += 2;
    }
    g.offsets = (uint16_t *)(void *)(g.words + 2 * groups);
    return g;
}

QNN_INLINE void qnn_dense_dual_put(const qnn_dense_dual_t *p, int32_t o, uint32_t sum, uint32_t inputs, qnn_sink_t y)
{
    uint32_t acc = (uint32_t)QNN_READ(p->bias[o]) + sum + (uint32_t)QNN_READ(p->lowest[o]) * inputs;
    qnn_put(y, o, qnn_requantize(&p->requantize, o, (int32_t)acc));
}

/* Sums modulo 2^32; the accumulator itself is proven to fit int32 (SPEC 4.1). rest: null where the words hold every
   weight. */
QNN_INLINE void qnn_dense_dual_all(const qnn_dense_dual_t *p, const qnn_rest_t *rest, int32_t sparse, const uint8_t *x,
                                   void *work, qnn_sink_t y)
{
    qnn_dense_dual_groups_t g = qnn_dense_dual_groups(p, sparse, x, work);
    int32_t groups = (p->inputs + 3) >> 2, o, i;
    uint32_t flip = p->flips ? 0x80u : 0;
    const uint32_t *w = p->weights;
    for (o = 0; o < (p->outputs & ~7); o += 8, w += 8 * groups) {
        uint32_t sums[8];
        if (sparse) {
            qnn_dense_dual_block_sparse(&g, w, sums);
        } else {
            qnn_dense_dual_block(g.words, g.end, w, sums);
        }
        for (i = 0; i < 8; i++) {
            uint32_t missing = rest ? qnn_rest_sum(rest, o + i, x, 0, flip) : 0;
            qnn_dense_dual_put(p, o + i, sums[i] + missing, g.sum, y);
        }
    }
    for (; o < p->outputs; o++, w += groups) {
        uint32_t missing = rest ? qnn_rest_sum(rest, o, x, 0, flip) : 0;
        qnn_dense_dual_put(p, o, qnn_dense_dual_row(&g, sparse, w) + missing, g.sum, y);
    }
}

QNN_SHARED void qnn_dense_dual(const qnn_dense_dual_t *p, int32_t sparse, const uint8_t *x, void *work, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    qnn_dense_dual_all(p, 0, sparse, x, work, y);
}

QNN_KERNEL void qnn_dense_dual_u8_u8(const qnn_dense_dual_t *p, const uint8_t *x, void *work, uint8_t *y)
{
    qnn_dense_dual(p, 0, x, work, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_dense_dual_u8_i16(const qnn_dense_dual_t *p, const uint8_t *x, void *work, int16_t *y)
{
    qnn_dense_dual(p, 0, x, work, qnn_sink(y, 1));
}

QNN_KERNEL void qnn_dense_dual_sparse_u8_u8(const qnn_dense_dual_t *p, const uint8_t *x, void *work, uint8_t *y)
{
    qnn_dense_dual(p, 1, x, work, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_dense_dual_sparse_u8_i16(const qnn_dense_dual_t *p, const uint8_t *x, void *work, int16_t *y)
{
    qnn_dense_dual(p, 1, x, work, qnn_sink(y, 1));
}

#endif
