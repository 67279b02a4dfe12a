/* SPDX-License-Identifier: 0BSD */
/* softmax: class probabilities in Q15, in integers alone (SPEC 5.5). */
#ifndef QNN_SOFTMAX_H
#define QNN_SOFTMAX_H

#include "qnn_requantize.h"

typedef struct {
    int32_t elements; /* at most 255; 1 stands for the two classes (zero_point, x[0]) */
    int32_t zero_point;
    qnn_requantize_t exponent;
} qnn_softmax_t;

QNN_INLINE uint32_t qnn_softmax_step(uint32_t coefficient, uint32_t value, uint32_t fraction)
{
    return coefficient - (uint32_t)(((uint64_t)value * fraction) >> 32);
}

/* 2^-exponent in Q22 for an exponent with 16 fraction bits, at most 23 * 2^16; error below 2.2e-6. */
QNN_INLINE uint32_t qnn_softmax_power(uint32_t exponent)
{
    uint32_t fraction = exponent << 16;
    uint32_t value = qnn_softmax_step(57311498u, 7419129u, fraction);
    value = qnn_softmax_step(257211662u, value, fraction);
    value = qnn_softmax_step(744187941u, value, fraction);
    value = qnn_softmax_step((uint32_t)1 << 30, value, fraction);
    return value >> (8u + (exponent >> 16));
}

QNN_INLINE int32_t qnn_softmax_input(const qnn_softmax_t *p, const int16_t *x, int32_t c)
{
    if (p->elements > 1) {
        return x[c];
    }
    return c ? x[0] : p->zero_point;
}

QNN_INLINE uint32_t qnn_softmax_term(const qnn_softmax_t *p, int32_t largest, int32_t x)
{
    return qnn_softmax_power((uint32_t)qnn_requantize(&p->exponent, 0, largest - x));
}

/* round_half_up(2^15 * term / total) by long division; precondition: term <= total < 2^30. */
QNN_INLINE uint16_t qnn_softmax_share(uint32_t term, uint32_t total)
{
    uint32_t share = 0, rest = term;
    int bit;
    for (bit = 0; bit < 16; bit++) {
        share <<= 1;
#ifdef QNN_CONSTANT_TIME
        uint32_t fits = qnn_mask(rest >= total);
        rest -= total & fits;
        share |= fits & 1u;
#else /* QNN_CONSTANT_TIME */
        if (rest >= total) {
            rest -= total;
            share |= 1u;
        }
#endif /* QNN_CONSTANT_TIME */
        rest <<= 1;
    }
#ifdef QNN_CONSTANT_TIME
    return (uint16_t)(share + (qnn_mask(rest >= total) & 1u));
#else /* QNN_CONSTANT_TIME */
    return (uint16_t)(share + (rest >= total ? 1u : 0u));
#endif /* QNN_CONSTANT_TIME */
}

/* y: one value a class, 0..32768, of any alignment. */
QNN_KERNEL void qnn_softmax_i16(const qnn_softmax_t *p, const int16_t *x, uint16_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t count = p->elements == 1 ? 2 : p->elements, largest = INT32_MIN, c;
    uint32_t total = 0;
    for (c = 0; c < count; c++) {
        int32_t value = qnn_softmax_input(p, x, c);
#ifdef QNN_CONSTANT_TIME
        largest = qnn_larger(largest, value);
#else /* QNN_CONSTANT_TIME */
        if (value > largest) {
            largest = value;
        }
#endif /* QNN_CONSTANT_TIME */
    }
    for (c = 0; c < count; c++) {
        total += qnn_softmax_term(p, largest, qnn_softmax_input(p, x, c));
    }
    for (c = 0; c < count; c++) {
        uint32_t term = qnn_softmax_term(p, largest, qnn_softmax_input(p, x, c));
        qnn_store_16(y + c, qnn_softmax_share(term, total));
    }
}

#endif
