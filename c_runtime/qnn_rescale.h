/* SPDX-License-Identifier: 0BSD */
/* rescale: quantized outputs become integers in a decimal unit, rounded once (SPEC 5.6). */
#ifndef QNN_RESCALE_H
#define QNN_RESCALE_H

#include "qnn_base.h"

typedef struct {
    int32_t elements;
    const int64_t *constant;   /* the offset and the half that rounds, times 2^(32 + shift) */
    const int32_t *multiplier; /* below 2^31 */
    const uint8_t *shift;
    const uint8_t *prescale; /* null where every one is 0 */
} qnn_rescale_t;

/* The compiler proved that no value leaves int32. y may have any alignment. */
QNN_KERNEL void qnn_rescale_i16_i32(const qnn_rescale_t *p, const int16_t *x, int32_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i;
    for (i = 0; i < p->elements; i++) {
        uint32_t value = (uint32_t)(int32_t)x[i] << (p->prescale ? QNN_READ(p->prescale[i]) : 0);
        int64_t sum = (int64_t)(int32_t)value * QNN_READ(p->multiplier[i]) + QNN_READ(p->constant[i]);
        qnn_store_i32(y + i, (int32_t)(sum >> 32) >> QNN_READ(p->shift[i]));
    }
}

#endif
