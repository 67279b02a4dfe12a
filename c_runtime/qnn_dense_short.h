/* SPDX-License-Identifier: 0BSD */
/* dense for small layers: one loop for all of them, as little code and as few constants as possible (SPEC 5.2). */
#ifndef QNN_DENSE_SHORT_H
#define QNN_DENSE_SHORT_H

#include "qnn_base.h"

/* weights: row by row, and behind each row a byte: shift - 1 plus 32 times its prescale. constants: bias and multiplier of
   each row. */
typedef struct {
    uint16_t inputs;
    uint16_t outputs;
    const int8_t *weights;
    const int32_t *constants;
} qnn_dense_short_t;

/* The requantization of SPEC 3.1 with a zero point of 0, as ((t >> (shift - 1)) + 1) >> 1; no limit, since the compiler
   proved that acc * 2^prescale fits int32. */
QNN_INLINE int32_t qnn_dense_short_result(int32_t acc, int32_t multiplier, int32_t shift)
{
    if (shift > 31) {
        acc = (int32_t)((uint32_t)acc << (shift >> 5));
        QNN_BRANCH(acc);
    }
    acc = (int32_t)(((int64_t)acc * multiplier) >> 32);
    return ((acc >> (shift & 31)) + 1) >> 1;
}

/* `odd`, a constant wherever this is instantiated: inputs may be no multiple of four. */
QNN_INLINE void qnn_dense_short(const qnn_dense_short_t *p, const uint8_t *x, uint8_t *y, int32_t wide, int32_t odd)
{
    QNN_FETCH(p, sizeof(*p));
    const int8_t *w = p->weights;
    const int32_t *constants = p->constants, *last = constants + 2 * p->outputs;
    int32_t low = wide ? INT16_MIN : 0, high = wide ? INT16_MAX : 255;
    const uint8_t *v, *end = x + p->inputs, *fours = odd ? x + (p->inputs & ~3) : end;
    for (; constants != last; constants += 2) {
        int32_t acc = QNN_READ(constants[0]);
        for (v = x; v != fours; v += 4, w += 4) {
            acc += (int32_t)v[0] * QNN_READ(w[0]);
            acc += (int32_t)v[1] * QNN_READ(w[1]);
            acc += (int32_t)v[2] * QNN_READ(w[2]);
            acc += (int32_t)v[3] * QNN_READ(w[3]);
        }
        if (odd) {
            for (; v != end; v++, w++) {
                acc += (int32_t)*v * QNN_READ(*w);
            }
        }
        acc = qnn_dense_short_result(acc, QNN_READ(constants[1]), QNN_READ(*w++));
#ifdef QNN_CONSTANT_TIME
        acc = qnn_smaller(qnn_larger(acc, low), high);
#else /* QNN_CONSTANT_TIME */
        acc = acc < low ? low : acc;
        acc = acc > high ? high : acc;
#endif /* QNN_CONSTANT_TIME */
        y[QNN_LITTLE_ENDIAN ? 0 : wide] = (uint8_t)acc;
        if (wide) {
            y[QNN_LITTLE_ENDIAN] = (uint8_t)(acc >> 8);
            y++;
        }
        y++;
    }
}

QNN_SMALL void qnn_dense_short_fours(const qnn_dense_short_t *p, const uint8_t *x, uint8_t *y, int32_t wide)
{
    qnn_dense_short(p, x, y, wide, 0);
}

QNN_SMALL void qnn_dense_short_any(const qnn_dense_short_t *p, const uint8_t *x, uint8_t *y, int32_t wide)
{
    qnn_dense_short(p, x, y, wide, 1);
}

QNN_INLINE void qnn_dense_short_fours_u8_u8(const qnn_dense_short_t *p, const uint8_t *x, uint8_t *y)
{
    qnn_dense_short_fours(p, x, y, 0);
}

QNN_INLINE void qnn_dense_short_fours_u8_i16(const qnn_dense_short_t *p, const uint8_t *x, int16_t *y)
{
    qnn_dense_short_fours(p, x, (uint8_t *)y, 1);
}

QNN_INLINE void qnn_dense_short_any_u8_u8(const qnn_dense_short_t *p, const uint8_t *x, uint8_t *y)
{
    qnn_dense_short_any(p, x, y, 0);
}

QNN_INLINE void qnn_dense_short_any_u8_i16(const qnn_dense_short_t *p, const uint8_t *x, int16_t *y)
{
    qnn_dense_short_any(p, x, (uint8_t *)y, 1);
}

#endif
