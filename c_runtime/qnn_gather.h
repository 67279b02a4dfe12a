/* SPDX-License-Identifier: 0BSD */
/* gather: a tensor's elements in another order, or some of them (SPEC 5.20). */
#ifndef QNN_GATHER_H
#define QNN_GATHER_H

#include "qnn_base.h"

/* Sizes of the result's four axes, the last one innermost, and how far a step along each goes in the input. */
typedef struct {
    int32_t start;
    int32_t size0;
    int32_t step0;
    int32_t size1;
    int32_t step1;
    int32_t size2;
    int32_t step2;
    int32_t size3;
    int32_t step3;
} qnn_gather_t;

QNN_KERNEL void qnn_gather_u8_u8(const qnn_gather_t *p, const uint8_t *x, uint8_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t a, b, c, d;
    for (a = 0; a < p->size0; a++) {
        for (b = 0; b < p->size1; b++) {
            for (c = 0; c < p->size2; c++) {
                int32_t from = p->start + a * p->step0 + b * p->step1 + c * p->step2;
                for (d = 0; d < p->size3; d++, from += p->step3) {
                    *y++ = x[from];
                }
            }
        }
    }
}

#ifdef QNN_GATHER_WIDE
QNN_KERNEL void qnn_gather_i16_i16(const qnn_gather_t *p, const int16_t *x, int16_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t a, b, c, d;
    for (a = 0; a < p->size0; a++) {
        for (b = 0; b < p->size1; b++) {
            for (c = 0; c < p->size2; c++) {
                int32_t from = p->start + a * p->step0 + b * p->step1 + c * p->step2;
                for (d = 0; d < p->size3; d++, from += p->step3) {
                    qnn_store_16((uint8_t *)y++, (uint16_t)x[from]);
                }
            }
        }
    }
}
#endif /* QNN_GATHER_WIDE */

#endif
