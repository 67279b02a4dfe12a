/* SPDX-License-Identifier: 0BSD */
/* softmax of a single logit, which stands for two classes: one exponential and one division (SPEC 5.5). */
#ifndef QNN_SOFTMAX_TWO_H
#define QNN_SOFTMAX_TWO_H

#include "qnn_softmax.h"

/* The likelier class has the term 2^22, the other e <= 2^22, and their shares add up to 2^15 exactly: both would be
   rounded up only if 2^15 * e / (2^22 + e) were k + 1/2, so 2^16 * e = (2k + 1) * (2^22 + e); but with 2^a the power of
   two in e, the left side has 16 + a of them and the right side a (or 23, where e = 2^22 and the left has 38). */
QNN_SMALL void qnn_softmax_two_i16(const qnn_softmax_t *p, const int16_t *x, uint16_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t above = x[0] - p->zero_point;
#ifdef QNN_CONSTANT_TIME
    uint32_t term = qnn_softmax_power((uint32_t)qnn_requantize(&p->exponent, 0, qnn_larger(above, -above)));
#else /* QNN_CONSTANT_TIME */
    uint32_t term = qnn_softmax_power((uint32_t)qnn_requantize(&p->exponent, 0, above < 0 ? -above : above));
#endif /* QNN_CONSTANT_TIME */
    uint32_t share = qnn_softmax_share(term, ((uint32_t)1 << 22) + term);
#ifdef QNN_CONSTANT_TIME
    share = (uint32_t)qnn_choose(qnn_mask(above > 0), 32768 - (int32_t)share, (int32_t)share);
#else /* QNN_CONSTANT_TIME */
    share = above > 0 ? 32768u - share : share;
#endif /* QNN_CONSTANT_TIME */
    qnn_store_16(y, (uint16_t)(32768u - share));
    qnn_store_16(y + 1, (uint16_t)share);
}

#endif
