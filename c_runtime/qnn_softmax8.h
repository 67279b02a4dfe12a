/* SPDX-License-Identifier: 0BSD */
/* softmax8: probabilities of 8 bits as TensorFlow Lite Micro computes them (SPEC 5.18). */
#ifndef QNN_SOFTMAX8_H
#define QNN_SOFTMAX8_H

#include "qnn_base.h"

typedef struct {
    int32_t rows;
    int32_t classes;    /* at most 511 */
    int32_t zero_point; /* 0, or -128 where the results are int8 */
    int32_t length;
    const int32_t *exponentials; /* of 0 to length - 1 steps below the maximum, Q0.31; 0 further down */
} qnn_softmax8_t;

/* a * b / 2^31, rounded half up. */
QNN_INLINE int32_t qnn_softmax8_product(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

QNN_INLINE int32_t qnn_softmax8_exp(const qnn_softmax8_t *p, int32_t below)
{
#ifdef QNN_CONSTANT_TIME
    int32_t inside = (int32_t)qnn_mask(below < p->length);
    return QNN_READ(p->exponentials[below & inside]) & inside;
#else /* QNN_CONSTANT_TIME */
    return below < p->length ? QNN_READ(p->exponentials[below]) : 0;
#endif /* QNN_CONSTANT_TIME */
}

/* 1 / (1 + a) in Q0.31 of a Q0.31 in 0..1: three Newton steps for 2 / (1 + a), in Q2.29, which stay within 1..2. */
QNN_INLINE int32_t qnn_softmax8_reciprocal(int32_t a)
{
    int32_t half = (int32_t)(((uint32_t)a + 0x80000000u) >> 1), step;
    int32_t x = 1515870810 + qnn_softmax8_product(half, -1010580540);
    for (step = 0; step < 3; step++) {
        int32_t rest = ((int32_t)1 << 29) - qnn_softmax8_product(half, x);
        x += (int32_t)((uint32_t)qnn_softmax8_product(x, rest) << 2);
    }
#ifdef QNN_CONSTANT_TIME
    return qnn_choose(qnn_mask(x >= (int32_t)1 << 30), INT32_MAX, (int32_t)((uint32_t)x << 1));
#else /* QNN_CONSTANT_TIME */
    return x >= (int32_t)1 << 30 ? INT32_MAX : (int32_t)((uint32_t)x << 1);
#endif /* QNN_CONSTANT_TIME */
}

/* y may be x. */
QNN_KERNEL void qnn_softmax8_row(const qnn_softmax8_t *p, const uint8_t *x, uint8_t *y)
{
    int32_t total = 0, largest = 0, shift = 34, scale, c;
    for (c = 0; c < p->classes; c++) {
#ifdef QNN_CONSTANT_TIME
        largest = qnn_larger(largest, x[c]);
#else /* QNN_CONSTANT_TIME */
        largest = x[c] > largest ? x[c] : largest;
#endif /* QNN_CONSTANT_TIME */
    }
    for (c = 0; c < p->classes; c++) {
        total += (int32_t)(((uint32_t)qnn_softmax8_exp(p, largest - x[c]) + ((uint32_t)1 << 11)) >> 12);
    }
#ifdef QNN_CONSTANT_TIME
    for (c = 0; c < 30; c++) {
        uint32_t small = qnn_mask(total < (int32_t)1 << 30);
        total += total & (int32_t)small;
        shift += (int32_t)small;
    }
#else /* QNN_CONSTANT_TIME */
    for (; total < (int32_t)1 << 30; total += total) {
        shift--;
    }
#endif /* QNN_CONSTANT_TIME */
    scale = qnn_softmax8_reciprocal((int32_t)(((uint32_t)total << 1) & 0x7FFFFFFFu));
    for (c = 0; c < p->classes; c++) {
        uint32_t q = (uint32_t)qnn_softmax8_product(qnn_softmax8_exp(p, largest - x[c]), scale);
        q = (q + ((uint32_t)1 << (shift - 1))) >> shift;
#ifdef QNN_CONSTANT_TIME
        y[c] = (uint8_t)(qnn_choose(qnn_mask(q > 255), 255, (int32_t)q) + p->zero_point);
#else /* QNN_CONSTANT_TIME */
        y[c] = (uint8_t)((q > 255 ? 255 : (int32_t)q) + p->zero_point);
#endif /* QNN_CONSTANT_TIME */
    }
}

QNN_KERNEL void qnn_softmax8_u8_u8(const qnn_softmax8_t *p, const uint8_t *x, uint8_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t row;
    for (row = 0; row < p->rows; row++, x += p->classes, y += p->classes) {
        qnn_softmax8_row(p, x, y);
    }
}

#endif
