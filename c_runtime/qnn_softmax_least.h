/* SPDX-License-Identifier: 0BSD */
/* softmax with as little code as there can be: the polynomial is a loop, and one loop computes each term twice (SPEC 5.5). */
#ifndef QNN_SOFTMAX_LEAST_H
#define QNN_SOFTMAX_LEAST_H

#include "qnn_softmax.h"

QNN_CONST uint32_t qnn_softmax_powers[5] = {7419129u, 57311498u, 257211662u, 744187941u, (uint32_t)1 << 30};

/* As qnn_softmax_power. */
QNN_INLINE uint32_t qnn_softmax_least_power(uint32_t exponent)
{
    const uint32_t *next = qnn_softmax_powers;
    uint32_t fraction = exponent << 16, value = 0;
    int32_t left;
    for (left = 5; left > 0; left--) {
        value = qnn_softmax_step(QNN_READ(*next++), value, fraction);
        QNN_OPAQUE(next); /* or its address is computed anew each time */
    }
    return value >> (8u + (exponent >> 16));
}

/* As qnn_softmax_share, by one more bit of floor(2^16 * term / total), since round_half_up(v) = floor((2 v + 1) / 2). */
QNN_INLINE uint32_t qnn_softmax_least_share(uint32_t term, uint32_t total)
{
    uint32_t share = 0;
    int32_t bit;
    for (bit = 17; bit > 0; bit--) {
        share += share;
#ifdef QNN_CONSTANT_TIME
        uint32_t fits = qnn_mask(term >= total);
        term -= total & fits;
        share -= fits;
#else /* QNN_CONSTANT_TIME */
        if (term >= total) {
            term -= total;
            share++;
        }
#endif /* QNN_CONSTANT_TIME */
        term <<= 1;
    }
    return (share + 1) >> 1;
}

/* At least two classes. First the terms are added up, then each share follows. to: of any alignment. */
QNN_KERNEL void qnn_softmax_least(const qnn_softmax_t *p, const int16_t *x, void *to)
{
    QNN_FETCH(p, sizeof(*p));
    const int16_t *v, *end = x + p->elements;
    int32_t largest = *x, pass;
    uint32_t total = 0;
    uint8_t *y = (uint8_t *)to;
    for (v = x; v != end; v++) {
#ifdef QNN_CONSTANT_TIME
        largest = qnn_larger(largest, *v);
#else /* QNN_CONSTANT_TIME */
        if (*v > largest) {
            largest = *v;
        }
#endif /* QNN_CONSTANT_TIME */
    }
    for (pass = 0; pass < 2; pass++) {
        for (v = x; v != end; v++) {
            uint32_t term = qnn_softmax_least_power((uint32_t)qnn_requantize(&p->exponent, 0, largest - *v));
            if (pass == 0) {
                total += term;
                continue;
            }
            term = qnn_softmax_least_share(term, total);
            qnn_store_16(y, (uint16_t)term);
            y += 2;
        }
    }
}

#endif
