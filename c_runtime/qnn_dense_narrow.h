/* SPDX-License-Identifier: 0BSD */
/* dense with weights of four bits (SPEC 5.2, 6.6). */
#ifndef QNN_DENSE_NARROW_H
#define QNN_DENSE_NARROW_H

#include "qnn_narrow.h"
#include "qnn_requantize.h"

/* weights: words of eight inputs of one output, less the output's lowest weight: blocks of four outputs, word by word
   (w[block][word][4]); the outputs left over follow row by row. Weights without an input are 0. chunk: how many words are summed before the sums are
   taken apart. */
typedef struct {
    int32_t inputs;
    int32_t outputs;
    int32_t chunk;
    const uint32_t *weights;
    const int8_t *lowest;
    const int32_t *bias;
    qnn_requantize_t requantize;
} qnn_dense_narrow_t;

/* Eight inputs x[4], eight weights: the products are in the upper half. */
QNN_INLINE uint32_t qnn_dense_narrow_products(const uint32_t *x, uint32_t w)
{
    uint32_t s = x[0] * qnn_narrow_pair(w);
    s += x[1] * qnn_narrow_pair(w >> 8);
    s += x[2] * qnn_narrow_pair(w >> 4);
    s += x[3] * qnn_narrow_pair(w >> 12);
    return s;
}

/* Four outputs. */
QNN_BLOCK void qnn_dense_narrow_block(const uint32_t *x, int32_t words, int32_t chunk, const uint32_t *w,
                                      uint32_t sums[4])
{
    uint32_t t0 = 0, t1 = 0, t2 = 0, t3 = 0;
    for (; words > 0; words -= chunk) {
        const uint32_t *end = x + 4 * (words < chunk ? words : chunk);
        uint32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (; x != end; x += 4, w += 4) {
            s0 += qnn_dense_narrow_products(x, QNN_READ(w[0]));
            QNN_ORDER(w, s0, s0, s0);
            s1 += qnn_dense_narrow_products(x, QNN_READ(w[1]));
            QNN_ORDER(w, s1, s1, s1);
            s2 += qnn_dense_narrow_products(x, QNN_READ(w[2]));
            QNN_ORDER(w, s2, s2, s2);
            s3 += qnn_dense_narrow_products(x, QNN_READ(w[3]));
        }
        t0 += s0 >> 16;
        t1 += s1 >> 16;
        t2 += s2 >> 16;
        t3 += s3 >> 16;
    }
    sums[0] = t0;
    sums[1] = t1;
    sums[2] = t2;
    sums[3] = t3;
}

/* One output. */
QNN_INLINE uint32_t qnn_dense_narrow_row(const uint32_t *x, int32_t words, const uint32_t *w)
{
    uint32_t sum = 0;
    for (; words > 0; words--, x += 4, w++) {
        sum += qnn_dense_narrow_products(x, QNN_READ(*w)) >> 16;
    }
    return sum;
}

/* The inputs as words, four for every eight of them; returns their sum. */
QNN_INLINE uint32_t qnn_dense_narrow_pack(int32_t inputs, const uint8_t *x, uint32_t *words)
{
    uint32_t sum = 0;
    int32_t left;
    for (left = inputs; left > 0; left -= 4, x += 4, words += 2) {
        sum += left >= 4 ? qnn_dual_pack(x, words, 0) : qnn_dual_pack_last(x, left, words, 0);
    }
    return sum;
}

/* Sums modulo 2^32; the accumulator itself is proven to fit int32 (SPEC 4.1). */
QNN_INLINE void qnn_dense_narrow_put(const qnn_dense_narrow_t *p, int32_t o, uint32_t sum, uint32_t inputs, qnn_sink_t y)
{
    uint32_t acc = (uint32_t)QNN_READ(p->bias[o]) + sum + (uint32_t)QNN_READ(p->lowest[o]) * inputs;
    qnn_put(y, o, qnn_requantize(&p->requantize, o, (int32_t)acc));
}

/* work: 16 bytes for every eight inputs. */
QNN_SHARED void qnn_dense_narrow_outputs(const qnn_dense_narrow_t *p, const uint8_t *x, void *work, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    uint32_t *packed = (uint32_t *)work, inputs = qnn_dense_narrow_pack(p->inputs, x, packed);
    int32_t words = (p->inputs + 7) >> 3, o, i;
    const uint32_t *w = p->weights;
    for (o = 0; o < (p->outputs & ~3); o += 4, w += 4 * words) {
        uint32_t sums[4];
        qnn_dense_narrow_block(packed, words, p->chunk, w, sums);
        for (i = 0; i < 4; i++) {
            qnn_dense_narrow_put(p, o + i, sums[i], inputs, y);
        }
    }
    for (; o < p->outputs; o++, w += words) {
        qnn_dense_narrow_put(p, o, qnn_dense_narrow_row(packed, words, w), inputs, y);
    }
}

QNN_KERNEL void qnn_dense_narrow_u8_u8(const qnn_dense_narrow_t *p, const uint8_t *x, void *work, uint8_t *y)
{
    qnn_dense_narrow_outputs(p, x, work, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_dense_narrow_u8_i16(const qnn_dense_narrow_t *p, const uint8_t *x, void *work, int16_t *y)
{
    qnn_dense_narrow_outputs(p, x, work, qnn_sink(y, 1));
}

#endif
