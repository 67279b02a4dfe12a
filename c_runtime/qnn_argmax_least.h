/* SPDX-License-Identifier: 0BSD */
/* argmax with as little code as there can be (SPEC 5.4). */
#ifndef QNN_ARGMAX_LEAST_H
#define QNN_ARGMAX_LEAST_H

#include "qnn_argmax.h"

/* At least two elements. */
QNN_KERNEL int qnn_argmax_least(const qnn_argmax_t *p, const int16_t *x)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i, best = 0, largest = *x;
    for (i = 1; i < p->elements; i++) {
        x++;
        QNN_OPAQUE(x); /* or each element's address is computed from the first one's */
#ifdef QNN_CONSTANT_TIME
        best = qnn_choose(qnn_mask(*x > largest), i, best);
        largest = qnn_larger(largest, *x);
#else /* QNN_CONSTANT_TIME */
        if (*x > largest) {
            largest = *x;
            best = i;
        }
#endif /* QNN_CONSTANT_TIME */
    }
    return (int)best;
}

#endif
