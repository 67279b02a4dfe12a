/* SPDX-License-Identifier: 0BSD */
/* dense: a matrix of int8 weights times uint8 activations, one requantization per output (SPEC 5.2). */
#ifndef QNN_DENSE_H
#define QNN_DENSE_H

#include "qnn_requantize.h"

/* weights: blocks of four outputs, input by input (w[block][input][4]); the outputs left over follow row by row. */
typedef struct {
    int32_t inputs;
    int32_t outputs;
    const int8_t *weights;
    const int32_t *bias;
    qnn_requantize_t requantize;
} qnn_dense_t;

/* flip: 0, or 0x80 where the inputs are int8, which then enter as uint8 of 128 more; a constant where it is used.

   Sums in locals, so that they stay in registers. Precondition: every partial sum fits int32, proven by the
   compiler from the weights (SPEC 4.1). */
QNN_INLINE const int8_t *qnn_dense_block(int32_t acc[4], int32_t inputs, const uint8_t *x, uint8_t flip,
                                         const int8_t *w)
{
    int32_t a0 = acc[0], a1 = acc[1], a2 = acc[2], a3 = acc[3];
    const uint8_t *end = x + (inputs & ~3);
    for (; x != end; x += 4, w += 16) {
        int32_t x0 = x[0] ^ flip, x1 = x[1] ^ flip, x2 = x[2] ^ flip, x3 = x[3] ^ flip;
        a0 += x0 * QNN_READ(w[0]) + x1 * QNN_READ(w[4]) + x2 * QNN_READ(w[8]) + x3 * QNN_READ(w[12]);
        a1 += x0 * QNN_READ(w[1]) + x1 * QNN_READ(w[5]) + x2 * QNN_READ(w[9]) + x3 * QNN_READ(w[13]);
        a2 += x0 * QNN_READ(w[2]) + x1 * QNN_READ(w[6]) + x2 * QNN_READ(w[10]) + x3 * QNN_READ(w[14]);
        a3 += x0 * QNN_READ(w[3]) + x1 * QNN_READ(w[7]) + x2 * QNN_READ(w[11]) + x3 * QNN_READ(w[15]);
    }
    for (end = x + (inputs & 3); x != end; x++, w += 4) {
        int32_t x0 = *x ^ flip;
        a0 += x0 * QNN_READ(w[0]);
        a1 += x0 * QNN_READ(w[1]);
        a2 += x0 * QNN_READ(w[2]);
        a3 += x0 * QNN_READ(w[3]);
    }
    acc[0] = a0;
    acc[1] = a1;
    acc[2] = a2;
    acc[3] = a3;
    return w;
}

QNN_INLINE const int8_t *qnn_dense_row(int32_t *acc, int32_t inputs, const uint8_t *x, uint8_t flip, const int8_t *w)
{
    const uint8_t *end = x + inputs;
    int32_t sum = *acc;
    for (; x != end; x++, w++) {
        sum += (*x ^ flip) * QNN_READ(*w);
    }
    *acc = sum;
    return w;
}

/* The outputs o to o + 3; returns where the next block's weights start. */
QNN_INLINE const int8_t *qnn_dense_four(const qnn_dense_t *p, int32_t o, const uint8_t *x, uint8_t flip,
                                        const int8_t *w, int32_t q[4])
{
    int32_t i;
    for (i = 0; i < 4; i++) {
        q[i] = QNN_READ(p->bias[o + i]);
    }
    w = qnn_dense_block(q, p->inputs, x, flip, w);
    for (i = 0; i < 4; i++) {
        q[i] = qnn_requantize(&p->requantize, o + i, q[i]);
    }
    return w;
}

QNN_INLINE const int8_t *qnn_dense_one(const qnn_dense_t *p, int32_t o, const uint8_t *x, uint8_t flip,
                                       const int8_t *w, int32_t *q)
{
    *q = QNN_READ(p->bias[o]);
    w = qnn_dense_row(q, p->inputs, x, flip, w);
    *q = qnn_requantize(&p->requantize, o, *q);
    return w;
}

QNN_INLINE void qnn_dense(const qnn_dense_t *p, const uint8_t *x, uint8_t flip, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    const int8_t *w = p->weights;
    int32_t o, i, q[4];
    for (o = 0; o < (p->outputs & ~3); o += 4) {
        w = qnn_dense_four(p, o, x, flip, w, q);
        for (i = 0; i < 4; i++) {
            qnn_put(y, o + i, q[i]);
        }
    }
    for (; o < p->outputs; o++) {
        w = qnn_dense_one(p, o, x, flip, w, q);
        qnn_put(y, o, q[0]);
    }
}

QNN_KERNEL void qnn_dense_u8_u8(const qnn_dense_t *p, const uint8_t *x, uint8_t *y)
{
    qnn_dense(p, x, 0, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_dense_i8_u8(const qnn_dense_t *p, const uint8_t *x, uint8_t *y)
{
    qnn_dense(p, x, 0x80, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_dense_u8_i16(const qnn_dense_t *p, const uint8_t *x, int16_t *y)
{
    qnn_dense(p, x, 0, qnn_sink(y, 1));
}

#endif
