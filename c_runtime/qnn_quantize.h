/* SPDX-License-Identifier: 0BSD */
/* quantize: raw int32 readings become uint8 or int16, with one offset and factor per feature (SPEC 5.1). */
#ifndef QNN_QUANTIZE_H
#define QNN_QUANTIZE_H

#include "qnn_requantize.h"

typedef struct {
    int32_t elements;
    const int32_t *low;
    const int32_t *high;
    const uint8_t *halve; /* null where every range fits int32 */
    qnn_requantize_t requantize;
} qnn_quantize_t;

QNN_INLINE void qnn_quantize(const qnn_quantize_t *p, const int32_t *x, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i;
    for (i = 0; i < p->elements; i++) {
        int32_t raw = qnn_load_i32(x + i);
        uint32_t distance;
#ifdef QNN_CONSTANT_TIME
        raw = qnn_smaller(qnn_larger(raw, QNN_READ(p->low[i])), QNN_READ(p->high[i]));
#else /* QNN_CONSTANT_TIME */
        if (raw < QNN_READ(p->low[i])) {
            raw = QNN_READ(p->low[i]);
        }
        if (raw > QNN_READ(p->high[i])) {
            raw = QNN_READ(p->high[i]);
        }
#endif /* QNN_CONSTANT_TIME */
        distance = (uint32_t)raw - (uint32_t)QNN_READ(p->low[i]);
        if (p->halve) {
            distance >>= QNN_READ(p->halve[i]);
        }
        qnn_put(y, i, qnn_requantize(&p->requantize, i, (int32_t)distance));
    }
}

QNN_KERNEL void qnn_quantize_i32_u8(const qnn_quantize_t *p, const int32_t *x, uint8_t *y)
{
    qnn_quantize(p, x, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_quantize_i32_i16(const qnn_quantize_t *p, const int32_t *x, int16_t *y)
{
    qnn_quantize(p, x, qnn_sink(y, 1));
}

#endif
