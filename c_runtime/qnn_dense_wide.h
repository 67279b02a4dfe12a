/* SPDX-License-Identifier: 0BSD */
/* dense with inputs or weights of 16 bits, sums of 32 or 64 bits (SPEC 5.2, 6.6). */
#ifndef QNN_DENSE_WIDE_H
#define QNN_DENSE_WIDE_H

#include "qnn_wide.h"

/* weights: blocks of four outputs, input by input (w[block][input][4]); the outputs left over follow row by row. */
typedef struct {
    int32_t inputs;
    int32_t outputs;
    const void *weights; /* int8_t or int16_t */
    const void *bias;    /* int32_t or, with sums of 64 bits, int64_t */
    int32_t rounding_shift;
    int32_t wide; /* the result is int16_t, not uint8_t */
    qnn_requantize_t requantize;
} qnn_dense_wide_t;

/* Four outputs, sums of 32 bits. Precondition: every partial sum fits, proven by the compiler (SPEC 4.1). */
QNN_INLINE void qnn_dense_wide_four(int32_t count, qnn_values_t x, qnn_values_t w, int32_t acc[4])
{
    int32_t a0 = acc[0], a1 = acc[1], a2 = acc[2], a3 = acc[3], i;
    for (i = 0; i < (count & ~1); i += 2) {
        int32_t x0 = qnn_input(x, i), x1 = qnn_input(x, i + 1);
        a0 += x0 * qnn_weight(w, 4 * i);
        a1 += x0 * qnn_weight(w, 4 * i + 1);
        a2 += x0 * qnn_weight(w, 4 * i + 2);
        a3 += x0 * qnn_weight(w, 4 * i + 3);
        a0 += x1 * qnn_weight(w, 4 * i + 4);
        a1 += x1 * qnn_weight(w, 4 * i + 5);
        a2 += x1 * qnn_weight(w, 4 * i + 6);
        a3 += x1 * qnn_weight(w, 4 * i + 7);
    }
    if (count & 1) {
        int32_t last = qnn_input(x, i);
        a0 += last * qnn_weight(w, 4 * i);
        a1 += last * qnn_weight(w, 4 * i + 1);
        a2 += last * qnn_weight(w, 4 * i + 2);
        a3 += last * qnn_weight(w, 4 * i + 3);
    }
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
}

QNN_INLINE int32_t qnn_dense_wide_one(int32_t count, qnn_values_t x, qnn_values_t w, int32_t acc)
{
    int32_t i;
    for (i = 0; i < count; i++) {
        acc += qnn_input(x, i) * qnn_weight(w, i);
    }
    return acc;
}

/* Four outputs, sums of 64 bits. */
QNN_INLINE void qnn_dense_wide_four_64(int32_t count, qnn_values_t x, qnn_values_t w, int64_t acc[4])
{
    for (; count > 0; count -= QNN_MOST_PRODUCTS) {
        int32_t part = count < QNN_MOST_PRODUCTS ? count : QNN_MOST_PRODUCTS, i;
        qnn_sum_t s0 = {0, 0}, s1 = {0, 0}, s2 = {0, 0}, s3 = {0, 0};
        for (i = 0; i < (part & ~1); i += 2) {
            int32_t x0 = qnn_input(x, i), x1 = qnn_input(x, i + 1);
            qnn_sum_add(&s0, x0 * qnn_weight(w, 4 * i) + x1 * qnn_weight(w, 4 * i + 4));
            qnn_sum_add(&s1, x0 * qnn_weight(w, 4 * i + 1) + x1 * qnn_weight(w, 4 * i + 5));
            qnn_sum_add(&s2, x0 * qnn_weight(w, 4 * i + 2) + x1 * qnn_weight(w, 4 * i + 6));
            qnn_sum_add(&s3, x0 * qnn_weight(w, 4 * i + 3) + x1 * qnn_weight(w, 4 * i + 7));
        }
        if (part & 1) {
            int32_t last = qnn_input(x, i);
            qnn_sum_add(&s0, last * qnn_weight(w, 4 * i));
            qnn_sum_add(&s1, last * qnn_weight(w, 4 * i + 1));
            qnn_sum_add(&s2, last * qnn_weight(w, 4 * i + 2));
            qnn_sum_add(&s3, last * qnn_weight(w, 4 * i + 3));
        }
        acc[0] += qnn_sum_value(s0);
        acc[1] += qnn_sum_value(s1);
        acc[2] += qnn_sum_value(s2);
        acc[3] += qnn_sum_value(s3);
        x = qnn_values_after(x, part);
        w = qnn_values_after(w, 4 * part);
    }
}

QNN_INLINE int64_t qnn_dense_wide_one_64(int32_t count, qnn_values_t x, qnn_values_t w, int64_t acc)
{
    for (; count > 0; count -= QNN_MOST_PRODUCTS) {
        int32_t part = count < QNN_MOST_PRODUCTS ? count : QNN_MOST_PRODUCTS, i;
        qnn_sum_t sum = {0, 0};
        for (i = 0; i < part; i++) {
            qnn_sum_add(&sum, qnn_input(x, i) * qnn_weight(w, i));
        }
        acc += qnn_sum_value(sum);
        x = qnn_values_after(x, part);
        w = qnn_values_after(w, part);
    }
    return acc;
}

/* x_wide, w_wide: the inputs and the weights have 16 bits. y: uint8_t or int16_t of any alignment. */
QNN_INLINE void qnn_dense_wide_32(const qnn_dense_wide_t *p, int32_t x_wide, int32_t w_wide, const void *data, void *y)
{
    QNN_FETCH(p, sizeof(*p));
    const int32_t *bias = (const int32_t *)p->bias;
    qnn_values_t x = qnn_values(data, x_wide), w = qnn_values(p->weights, w_wide);
    qnn_sink_t out = qnn_sink(y, p->wide);
    int32_t acc[4], o, i;
    for (o = 0; o < (p->outputs & ~3); o += 4, w = qnn_values_after(w, 4 * p->inputs)) {
        for (i = 0; i < 4; i++) {
            acc[i] = QNN_READ(bias[o + i]);
        }
        qnn_dense_wide_four(p->inputs, x, w, acc);
        for (i = 0; i < 4; i++) {
            qnn_put(out, o + i, qnn_requantize(&p->requantize, o + i, acc[i]));
        }
    }
    for (; o < p->outputs; o++, w = qnn_values_after(w, p->inputs)) {
        acc[0] = qnn_dense_wide_one(p->inputs, x, w, QNN_READ(bias[o]));
        qnn_put(out, o, qnn_requantize(&p->requantize, o, acc[0]));
    }
}

QNN_INLINE void qnn_dense_wide_64(const qnn_dense_wide_t *p, int32_t x_wide, int32_t w_wide, const void *data, void *y)
{
    QNN_FETCH(p, sizeof(*p));
    const int64_t *bias = (const int64_t *)p->bias;
    qnn_values_t x = qnn_values(data, x_wide), w = qnn_values(p->weights, w_wide);
    qnn_sink_t out = qnn_sink(y, p->wide);
    int64_t acc[4];
    int32_t o, i;
    for (o = 0; o < (p->outputs & ~3); o += 4, w = qnn_values_after(w, 4 * p->inputs)) {
        for (i = 0; i < 4; i++) {
            acc[i] = QNN_READ(bias[o + i]);
        }
        qnn_dense_wide_four_64(p->inputs, x, w, acc);
        for (i = 0; i < 4; i++) {
            qnn_put(out, o + i, qnn_requantize_sum(&p->requantize, o + i, acc[i], p->rounding_shift));
        }
    }
    for (; o < p->outputs; o++, w = qnn_values_after(w, p->inputs)) {
        acc[0] = qnn_dense_wide_one_64(p->inputs, x, w, QNN_READ(bias[o]));
        qnn_put(out, o, qnn_requantize_sum(&p->requantize, o, acc[0], p->rounding_shift));
    }
}

QNN_SHARED void qnn_dense_u8_w16(const qnn_dense_wide_t *p, const uint8_t *x, void *y)
{
    qnn_dense_wide_32(p, 0, 1, x, y);
}

QNN_SHARED void qnn_dense_i16_w8(const qnn_dense_wide_t *p, const int16_t *x, void *y)
{
    qnn_dense_wide_32(p, 1, 0, x, y);
}

QNN_SHARED void qnn_dense_i16_w16(const qnn_dense_wide_t *p, const int16_t *x, void *y)
{
    qnn_dense_wide_32(p, 1, 1, x, y);
}

QNN_SHARED void qnn_dense_u8_w8_sum64(const qnn_dense_wide_t *p, const uint8_t *x, void *y)
{
    qnn_dense_wide_64(p, 0, 0, x, y);
}

QNN_SHARED void qnn_dense_u8_w16_sum64(const qnn_dense_wide_t *p, const uint8_t *x, void *y)
{
    qnn_dense_wide_64(p, 0, 1, x, y);
}

QNN_SHARED void qnn_dense_i16_w8_sum64(const qnn_dense_wide_t *p, const int16_t *x, void *y)
{
    qnn_dense_wide_64(p, 1, 0, x, y);
}

QNN_SHARED void qnn_dense_i16_w16_sum64(const qnn_dense_wide_t *p, const int16_t *x, void *y)
{
    qnn_dense_wide_64(p, 1, 1, x, y);
}

#endif
