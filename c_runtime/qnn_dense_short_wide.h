/* SPDX-License-Identifier: 0BSD */
/* dense for small layers with inputs or weights of 16 bits: as little code as possible (SPEC 5.2, 6.6). */
#ifndef QNN_DENSE_SHORT_WIDE_H
#define QNN_DENSE_SHORT_WIDE_H

#include "qnn_wide.h"

/* weights: row by row, and behind each row one more: shift - 1 plus 32 times its prescale. constants: of each row its bias,
   with sums of 64 bits the lower word first, and its multiplier. low, high, zero_point: of the results. */
typedef struct {
    uint16_t inputs;
    uint16_t outputs;
    int16_t low;
    int16_t high;
    uint8_t zero_point;
    uint8_t wide; /* results are int16_t, not uint8_t */
    uint8_t rounding_shift;
    const void *weights; /* int8_t or int16_t */
    const int32_t *constants;
} qnn_dense_short_wide_t;

/* The sum of one row, as it enters the requantization. */
QNN_INLINE int32_t qnn_dense_short_wide_sum(const qnn_dense_short_wide_t *p, int32_t sum64, qnn_values_t x,
                                            qnn_values_t w, const int32_t *bias)
{
    int32_t i;
    if (sum64) {
        uint64_t start = ((uint64_t)(uint32_t)QNN_READ(bias[1]) << 32) | (uint32_t)QNN_READ(bias[0]);
        qnn_sum_t sum = {0, 0};
        for (i = 0; i < p->inputs; i++) {
            qnn_sum_add(&sum, qnn_input(x, i) * qnn_weight(w, i));
        }
        return qnn_narrow((int64_t)(start + (uint64_t)qnn_sum_value(sum)), p->rounding_shift);
    } else {
        int32_t acc = QNN_READ(bias[0]);
        for (i = 0; i < p->inputs; i++) {
            acc += qnn_input(x, i) * qnn_weight(w, i);
        }
        return acc;
    }
}

/* The requantization of SPEC 3.1 as ((t >> (shift - 1)) + 1) >> 1 and the zero point; no limit, since the compiler proved
   that acc * 2^prescale fits int32. */
QNN_INLINE int32_t qnn_dense_short_wide_result(const qnn_dense_short_wide_t *p, int32_t acc, int32_t multiplier,
                                               uint32_t shift)
{
    acc = (int32_t)((uint32_t)acc << (shift >> 5));
    acc = (int32_t)(((int64_t)acc * multiplier) >> 32);
    acc = (((acc >> (shift & 31)) + 1) >> 1) + p->zero_point;
#ifdef QNN_CONSTANT_TIME
    return qnn_smaller(qnn_larger(acc, p->low), p->high);
#else /* QNN_CONSTANT_TIME */
    acc = acc < p->low ? p->low : acc;
    return acc > p->high ? p->high : acc;
#endif /* QNN_CONSTANT_TIME */
}

/* x_wide, w_wide: the inputs and the weights have 16 bits; sum64: sums have 64. y: of any alignment. */
QNN_INLINE void qnn_dense_short_wide(const qnn_dense_short_wide_t *p, int32_t x_wide, int32_t w_wide, int32_t sum64,
                                     const void *x, void *y)
{
    QNN_FETCH(p, sizeof(*p));
    const int32_t *constants = p->constants;
    qnn_values_t w = qnn_values(p->weights, w_wide), in = qnn_values(x, x_wide);
    qnn_sink_t out = qnn_sink(y, p->wide);
    int32_t o;
    for (o = 0; o < p->outputs; o++) {
        int32_t acc = qnn_dense_short_wide_sum(p, sum64, in, w, constants);
        uint32_t shift = (uint32_t)qnn_weight(w, p->inputs);
        constants += sum64 ? 2 : 1;
        qnn_put(out, o, qnn_dense_short_wide_result(p, acc, QNN_READ(*constants), shift));
        constants++;
        w = qnn_values_after(w, p->inputs + 1);
    }
}

QNN_SMALL void qnn_dense_short_u8_w16(const qnn_dense_short_wide_t *p, const uint8_t *x, void *y)
{
    qnn_dense_short_wide(p, 0, 1, 0, x, y);
}

QNN_SMALL void qnn_dense_short_i16_w8(const qnn_dense_short_wide_t *p, const int16_t *x, void *y)
{
    qnn_dense_short_wide(p, 1, 0, 0, x, y);
}

QNN_SMALL void qnn_dense_short_i16_w16(const qnn_dense_short_wide_t *p, const int16_t *x, void *y)
{
    qnn_dense_short_wide(p, 1, 1, 0, x, y);
}

QNN_SMALL void qnn_dense_short_u8_w16_sum64(const qnn_dense_short_wide_t *p, const uint8_t *x, void *y)
{
    qnn_dense_short_wide(p, 0, 1, 1, x, y);
}

QNN_SMALL void qnn_dense_short_i16_w8_sum64(const qnn_dense_short_wide_t *p, const int16_t *x, void *y)
{
    qnn_dense_short_wide(p, 1, 0, 1, x, y);
}

QNN_SMALL void qnn_dense_short_i16_w16_sum64(const qnn_dense_short_wide_t *p, const int16_t *x, void *y)
{
    qnn_dense_short_wide(p, 1, 1, 1, x, y);
}

#endif
