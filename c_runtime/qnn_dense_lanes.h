/* SPDX-License-Identifier: 0BSD */
/* dense with weights of 2 to 6 bits that are read as they are stored, in exactly so many bits (SPEC 5.2, 6.11).

   A word has two lanes of 16 bits, and each lane as many weights of one output as it holds, the first one lowest: those
   of the lower lane belong to the upper halves of the inputs' words (qnn_dual.h) and the other way around, so that
   (x0 + x1 * 2^16) * (w1 + w0 * 2^16) has x0 w0 + x1 w1 in its upper half. Lanes of weights of 3, 5 and 6 bits have
   bits to spare: those of a unit of words, one word after the other from the top, are further weights.
   Weights are raised by the output's lowest one. With inputs of 255 and the largest weights, the products of a unit, or
   with more than four bits of a word, sum up to less than 2^16 (SPEC 6.11). */
#ifndef QNN_DENSE_LANES_H
#define QNN_DENSE_LANES_H

#include "qnn_dual.h"
#include "qnn_requantize.h"

/* weights: blocks of four outputs, word by word (w[block][word][4]); the outputs left over follow row by row. A row has
   `units` units, then `tail` words whose spare bits are not used. */
typedef struct {
    int32_t inputs;
    int32_t outputs;
    int32_t units;
    uint8_t tail;
    uint8_t bits;  /* of a weight */
    uint8_t each;  /* pairs of weights in a word */
    uint8_t unit;  /* words of a unit */
    uint8_t extra; /* pairs in a unit's spare bits */
    const uint32_t *weights;
    const int8_t *lowest;
    const int32_t *bias;
    qnn_requantize_t requantize;
} qnn_dense_lanes_t;

/* The lowest `bits` of both lanes. */
QNN_INLINE uint32_t qnn_lanes_mask(int32_t bits)
{
    return 0x00010001u * (((uint32_t)1 << bits) - 1u);
}

/* One output, whose words are `step` apart. */
QNN_BLOCK uint32_t qnn_dense_lanes_row(const qnn_dense_lanes_t *p, const uint32_t *x, const uint32_t *w, int32_t step)
{
    int32_t bits = p->bits, each = p->each, spare = 16 - bits * each, whole = p->units * p->unit, words = p->unit, i;
    uint32_t mask = qnn_lanes_mask(bits), rest = qnn_lanes_mask(spare), kept = 0, sum = 0;
    for (i = 0; i < whole + p->tail; i++, w += step) {
        const uint32_t *end = x + each;
        uint32_t v = QNN_READ(*w), s = 0;
        for (; x != end; x++, v >>= bits) {
            s += *x * (v & mask);
        }
        sum += s >> 16;
        kept = kept << spare | (v & rest);
        words--;
        if (words == 0) {
            words = p->unit;
            for (end = x + (i < whole ? p->extra : 0), s = 0; x != end; x++, kept >>= bits) {
                s += *x * (kept & mask);
            }
            sum += s >> 16;
            kept = 0;
        }
    }
    return sum;
}

#ifdef QNN_LEAST
#else /* QNN_LEAST */
/* What a word or a unit of four outputs comes to, and what its spare bits are. */
typedef struct {
    uint32_t a;
    uint32_t b;
    uint32_t c;
    uint32_t d;
} qnn_lanes_t;

/* One pair of inputs and the lowest weights of v, which are shifted out. */
QNN_INLINE qnn_lanes_t qnn_lanes_add(qnn_lanes_t s, uint32_t x, qnn_lanes_t *v, uint32_t mask, int32_t bits)
{
    s.a += x * (v->a & mask);
    v->a >>= bits;
    s.b += x * (v->b & mask);
    v->b >>= bits;
    s.c += x * (v->c & mask);
    v->c >>= bits;
    s.d += x * (v->d & mask);
    v->d >>= bits;
    return s;
}

/* The first `count` pairs of inputs, at most eight. Without a loop, where that is a constant. */
QNN_INLINE qnn_lanes_t qnn_lanes_pairs(qnn_lanes_t s, const uint32_t *x, int32_t count, qnn_lanes_t *v, uint32_t mask,
                                       int32_t bits)
{
#ifdef QNN_BALANCED
    const uint32_t *end = x + count;
    for (; x != end; x++) {
        s = qnn_lanes_add(s, *x, v, mask, bits);
    }
#else /* QNN_BALANCED */
    s = count > 0 ? qnn_lanes_add(s, x[0], v, mask, bits) : s;
    s = count > 1 ? qnn_lanes_add(s, x[1], v, mask, bits) : s;
    s = count > 2 ? qnn_lanes_add(s, x[2], v, mask, bits) : s;
    s = count > 3 ? qnn_lanes_add(s, x[3], v, mask, bits) : s;
    s = count > 4 ? qnn_lanes_add(s, x[4], v, mask, bits) : s;
    s = count > 5 ? qnn_lanes_add(s, x[5], v, mask, bits) : s;
    s = count > 6 ? qnn_lanes_add(s, x[6], v, mask, bits) : s;
    s = count > 7 ? qnn_lanes_add(s, x[7], v, mask, bits) : s;
#endif /* QNN_BALANCED */
    return s;
}

QNN_INLINE qnn_lanes_t qnn_lanes_sum(qnn_lanes_t sums, qnn_lanes_t s)
{
    sums.a += s.a >> 16;
    sums.b += s.b >> 16;
    sums.c += s.c >> 16;
    sums.d += s.d >> 16;
    return sums;
}

/* The spare bits of a word, below those of the words before it. */
QNN_INLINE qnn_lanes_t qnn_lanes_keep(qnn_lanes_t kept, qnn_lanes_t v, uint32_t rest, int32_t spare)
{
    kept.a = kept.a << spare | (v.a & rest);
    kept.b = kept.b << spare | (v.b & rest);
    kept.c = kept.c << spare | (v.c & rest);
    kept.d = kept.d << spare | (v.d & rest);
    return kept;
}

/* Four outputs. bits, each, extra: those of *p, constants where this is instantiated for one width. */
QNN_INLINE void qnn_lanes_block(const qnn_dense_lanes_t *p, const uint32_t *x, const uint32_t *w, uint32_t sums[4],
                                int32_t bits, int32_t each, int32_t extra)
{
    const qnn_lanes_t none = {0, 0, 0, 0};
    int32_t spare = 16 - bits * each, whole = p->units, unit, word;
    uint32_t mask = qnn_lanes_mask(bits), rest = qnn_lanes_mask(spare);
    qnn_lanes_t t = none;
    for (unit = 0; unit <= whole; unit++) {
        qnn_lanes_t s = none, kept = none;
        for (word = unit < whole ? p->unit : p->tail; word > 0; word--, w += 4, x += each) {
            qnn_lanes_t v;
            v.a = QNN_READ(w[0]);
            v.b = QNN_READ(w[1]);
            v.c = QNN_READ(w[2]);
            v.d = QNN_READ(w[3]);
            s = qnn_lanes_pairs(s, x, each, &v, mask, bits);
            if (spare) {
                kept = qnn_lanes_keep(kept, v, rest, spare);
            }
            if (bits > 4) {
                t = qnn_lanes_sum(t, s);
                s = none;
            }
        }
        if (extra && unit < whole) {
            s = qnn_lanes_pairs(s, x, extra, &kept, mask, bits);
            x += extra;
        }
        t = qnn_lanes_sum(t, s);
    }
    sums[0] = t.a;
    sums[1] = t.b;
    sums[2] = t.c;
    sums[3] = t.d;
}

/* The same of any width. A network without weights of so many bits has no copy for them. */
QNN_BLOCK void qnn_dense_lanes_block(const qnn_dense_lanes_t *p, const uint32_t *x, const uint32_t *w, uint32_t sums[4])
{
    (void)p, (void)x, (void)w, (void)sums; /* where nothing of the following is there */
#ifdef QNN_BALANCED
    qnn_lanes_block(p, x, w, sums, p->bits, p->each, p->extra);
#else /* QNN_BALANCED */
#ifdef QNN_LANES_2
    if (p->bits == 2) {
        qnn_lanes_block(p, x, w, sums, 2, 8, 0);
    }
#endif /* QNN_LANES_2 */
#ifdef QNN_LANES_3
    if (p->bits == 3) {
        qnn_lanes_block(p, x, w, sums, 3, 5, 1);
    }
#endif /* QNN_LANES_3 */
#ifdef QNN_LANES_4
    if (p->bits == 4) {
        qnn_lanes_block(p, x, w, sums, 4, 4, 0);
    }
#endif /* QNN_LANES_4 */
#ifdef QNN_LANES_5
    if (p->bits == 5) {
        qnn_lanes_block(p, x, w, sums, 5, 3, 1);
    }
#endif /* QNN_LANES_5 */
#ifdef QNN_LANES_6
    if (p->bits == 6) {
        qnn_lanes_block(p, x, w, sums, 6, 2, 2);
    }
#endif /* QNN_LANES_6 */
#endif /* QNN_BALANCED */
}
#endif /* QNN_LEAST */

/* The inputs as words of pairs, zeros up to `words` of them; returns their sum. */
QNN_INLINE uint32_t qnn_dense_lanes_pack(int32_t inputs, const uint8_t *x, uint32_t *to, const uint32_t *end)
{
    uint32_t sum = 0;
    int32_t left;
    for (left = inputs; left > 0; left -= 4, x += 4, to += 2) {
        sum += left >= 4 ? qnn_dual_pack(x, to, 0) : qnn_dual_pack_last(x, left, to, 0);
    }
    for (; to < end; to++) {
        *to = 0;
    }
    return sum;
}

/* Sums modulo 2^32; the accumulator itself is proven to fit int32 (SPEC 4.1). */
QNN_INLINE void qnn_dense_lanes_put(const qnn_dense_lanes_t *p, int32_t o, uint32_t sum, uint32_t inputs, qnn_sink_t y)
{
    uint32_t acc = (uint32_t)QNN_READ(p->bias[o]) + sum + (uint32_t)QNN_READ(p->lowest[o]) * inputs;
    qnn_put(y, o, qnn_requantize(&p->requantize, o, (int32_t)acc));
}

/* work: a word for every two inputs, and those that make whole words of weights. */
QNN_SHARED void qnn_dense_lanes(const qnn_dense_lanes_t *p, const uint8_t *x, void *work, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t words = p->units * p->unit + p->tail, blocked = p->outputs & ~3, o;
    uint32_t *packed = (uint32_t *)work;
    const uint32_t *end = packed + p->units * (p->unit * p->each + p->extra) + p->tail * p->each, *w = p->weights;
    uint32_t inputs = qnn_dense_lanes_pack(p->inputs, x, packed, end);
#ifdef QNN_LEAST
    for (o = 0; o < blocked; o++, w += o & 3 ? 1 : 4 * words - 3) {
        qnn_dense_lanes_put(p, o, qnn_dense_lanes_row(p, packed, w, 4), inputs, y);
    }
#else /* QNN_LEAST */
    int32_t i;
    for (o = 0; o < blocked; o += 4, w += 4 * words) {
        uint32_t sums[4];
        qnn_dense_lanes_block(p, packed, w, sums);
        for (i = 0; i < 4; i++) {
            qnn_dense_lanes_put(p, o + i, sums[i], inputs, y);
        }
    }
#endif /* QNN_LEAST */
    for (; o < p->outputs; o++, w += words) {
        qnn_dense_lanes_put(p, o, qnn_dense_lanes_row(p, packed, w, 1), inputs, y);
    }
}

QNN_KERNEL void qnn_dense_lanes_u8_u8(const qnn_dense_lanes_t *p, const uint8_t *x, void *work, uint8_t *y)
{
    qnn_dense_lanes(p, x, work, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_dense_lanes_u8_i16(const qnn_dense_lanes_t *p, const uint8_t *x, void *work, int16_t *y)
{
    qnn_dense_lanes(p, x, work, qnn_sink(y, 1));
}

#endif
