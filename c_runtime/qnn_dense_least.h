/* SPDX-License-Identifier: 0BSD */
/* dense with as little code as there can be: one loop for every layer, one product at a time (SPEC 5.2). */
#ifndef QNN_DENSE_LEAST_H
#define QNN_DENSE_LEAST_H

#include "qnn_base.h"

/* weights: row by row, and behind each row a byte: shift - 1 plus 32 times its prescale. constants: bias and multiplier of
   each row. rounding: 1 plus twice the zero point of the results; low, high: their range. */
typedef struct {
    uint16_t inputs;
    uint16_t outputs;
    int16_t low;
    int16_t high;
    int16_t rounding;
    uint16_t wide; /* results are int16_t, not uint8_t */
    const int8_t *weights;
    const int32_t *constants;
} qnn_dense_least_t;

/* The requantization of SPEC 3.1 as ((t >> (shift - 1)) + 2 * zero_point + 1) >> 1; no limit, since the compiler proved
   that acc * 2^prescale fits int32. Precondition: every partial sum fits int32 (SPEC 4.1). y: of any alignment. */
QNN_SMALL void qnn_dense_least(const qnn_dense_least_t *p, const uint8_t *x, void *to)
{
    QNN_FETCH(p, sizeof(*p));
    const int8_t *w = p->weights;
    const int32_t *constants = p->constants;
    uint8_t *y = (uint8_t *)to;
    int32_t left;
    for (left = p->outputs; left > 0; left--) {
        const uint8_t *v, *end = x + p->inputs;
        int32_t acc = QNN_READ(*constants++);
        int32_t shift, upper;
        for (v = x; v != end; v++) {
            acc += (int32_t)*v * QNN_READ(*w++);
            QNN_OPAQUE(w); /* or it is computed once more behind the loop */
        }
        shift = QNN_READ(*w++);
        acc = (int32_t)((uint32_t)acc << (shift >> 5));
        acc = (int32_t)(((int64_t)acc * QNN_READ(*constants++)) >> 32);
        acc = ((acc >> (shift & 31)) + p->rounding) >> 1;
#ifdef QNN_CONSTANT_TIME
        acc = qnn_smaller(qnn_larger(acc, p->low), p->high);
#else /* QNN_CONSTANT_TIME */
        acc = acc < p->low ? p->low : acc;
        acc = acc > p->high ? p->high : acc;
#endif /* QNN_CONSTANT_TIME */
        upper = acc >> (8 * p->wide); /* of a byte itself, which is then written twice */
        *y = (uint8_t)(QNN_LITTLE_ENDIAN ? acc : upper);
        y += p->wide;
        *y++ = (uint8_t)(QNN_LITTLE_ENDIAN ? upper : acc);
    }
}

#endif
