/* SPDX-License-Identifier: 0BSD */
/* argmax: the class of the largest output, the lowest index among equals (SPEC 5.4). */
#ifndef QNN_ARGMAX_H
#define QNN_ARGMAX_H

#include "qnn_base.h"

typedef struct {
    int32_t elements;
    int32_t zero_point;
} qnn_argmax_t;

QNN_KERNEL int qnn_argmax_i16(const qnn_argmax_t *p, const int16_t *x)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i, best = 0;
    if (p->elements == 1) {
        return x[0] > p->zero_point;
    }
#ifdef QNN_CONSTANT_TIME
    int32_t largest = x[0];
    for (i = 1; i < p->elements; i++) {
        uint32_t more = qnn_mask(x[i] > largest);
        largest = qnn_choose(more, x[i], largest);
        best = qnn_choose(more, i, best);
    }
#else /* QNN_CONSTANT_TIME */
    for (i = 1; i < p->elements; i++) {
        if (x[i] > x[best]) {
            best = i;
        }
    }
#endif /* QNN_CONSTANT_TIME */
    return (int)best;
}

#ifdef QNN_ARGMAX_BYTES
QNN_KERNEL int qnn_argmax_i8(const qnn_argmax_t *p, const int8_t *x)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i, best = 0;
    if (p->elements == 1) {
        return x[0] > p->zero_point;
    }
#ifdef QNN_CONSTANT_TIME
    int32_t largest = x[0];
    for (i = 1; i < p->elements; i++) {
        uint32_t more = qnn_mask(x[i] > largest);
        largest = qnn_choose(more, x[i], largest);
        best = qnn_choose(more, i, best);
    }
#else /* QNN_CONSTANT_TIME */
    for (i = 1; i < p->elements; i++) {
        if (x[i] > x[best]) {
            best = i;
        }
    }
#endif /* QNN_CONSTANT_TIME */
    return (int)best;
}

QNN_KERNEL int qnn_argmax_u8(const qnn_argmax_t *p, const uint8_t *x)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i, best = 0;
    if (p->elements == 1) {
        return x[0] > p->zero_point;
    }
#ifdef QNN_CONSTANT_TIME
    int32_t largest = x[0];
    for (i = 1; i < p->elements; i++) {
        uint32_t more = qnn_mask(x[i] > largest);
        largest = qnn_choose(more, x[i], largest);
        best = qnn_choose(more, i, best);
    }
#else /* QNN_CONSTANT_TIME */
    for (i = 1; i < p->elements; i++) {
        if (x[i] > x[best]) {
            best = i;
        }
    }
#endif /* QNN_CONSTANT_TIME */
    return (int)best;
}
#endif /* QNN_ARGMAX_BYTES */

#endif
