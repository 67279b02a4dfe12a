/* SPDX-License-Identifier: 0BSD */
/* sigmoid16: logistic and tanh of 16 bits, lines between the entries of one table (SPEC 5.24). */
#ifndef QNN_SIGMOID16_H
#define QNN_SIGMOID16_H

#include "qnn_base.h"

typedef struct {
    int32_t elements;
    int32_t multiplier; /* below 2^15 */
    int32_t shift;
    int32_t tanh;
    const uint16_t *table; /* 256 entries, the logistic function from 0 on */
} qnn_sigmoid16_t;

/* The logistic function of value / 2^bits table steps, value >= 0, times 2^(16 + bits). */
QNN_INLINE int32_t qnn_sigmoid16_part(const qnn_sigmoid16_t *p, int32_t value, int32_t bits, int32_t most)
{
    int32_t index = value >> bits, rest = value & (((int32_t)1 << bits) - 1), first;
#ifdef QNN_CONSTANT_TIME
    uint32_t inside = qnn_mask(index < 255);
    index &= (int32_t)inside;
    first = QNN_READ(p->table[index]);
    first = (int32_t)((uint32_t)first << bits) + rest * (QNN_READ(p->table[index + 1]) - first);
    return qnn_choose(inside, first, most);
#else /* QNN_CONSTANT_TIME */
    if (index >= 255) {
        return most;
    }
    first = QNN_READ(p->table[index]);
    return (int32_t)((uint32_t)first << bits) + rest * (QNN_READ(p->table[index + 1]) - first);
#endif /* QNN_CONSTANT_TIME */
}

QNN_INLINE int32_t qnn_sigmoid16_logistic(const qnn_sigmoid16_t *p, int32_t value)
{
#ifdef QNN_CONSTANT_TIME
    int32_t part = qnn_sigmoid16_part(p, qnn_larger(value, -value), 9, (int32_t)32767 * 1024);
    return qnn_choose(qnn_mask(value < 0), ((int32_t)1 << 25) - part + 511, part + 512) >> 10;
#else /* QNN_CONSTANT_TIME */
    int32_t part = qnn_sigmoid16_part(p, value < 0 ? -value : value, 9, (int32_t)32767 * 1024);
    return (value < 0 ? ((int32_t)1 << 25) - part + 511 : part + 512) >> 10;
#endif /* QNN_CONSTANT_TIME */
}

QNN_INLINE int32_t qnn_sigmoid16_tanh(const qnn_sigmoid16_t *p, int32_t value)
{
#ifdef QNN_CONSTANT_TIME
    int32_t part = qnn_sigmoid16_part(p, qnn_larger(value, -value), 8, 65535 * 256), middle = (int32_t)1 << 23;
    return qnn_choose(qnn_mask(value < 0), middle - part + 127, part - middle + 128) >> 8;
#else /* QNN_CONSTANT_TIME */
    int32_t part = qnn_sigmoid16_part(p, value < 0 ? -value : value, 8, 65535 * 256);
    return (value < 0 ? ((int32_t)1 << 23) - part + 127 : part - ((int32_t)1 << 23) + 128) >> 8;
#endif /* QNN_CONSTANT_TIME */
}

/* y may be x. */
QNN_KERNEL void qnn_sigmoid16_i16_i16(const qnn_sigmoid16_t *p, const int16_t *x, int16_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t half = ((int32_t)1 << p->shift) >> 1, i;
    for (i = 0; i < p->elements; i++) {
        int32_t value = (x[i] * p->multiplier + half) >> p->shift;
        int32_t q = p->tanh ? qnn_sigmoid16_tanh(p, value) : qnn_sigmoid16_logistic(p, value);
        qnn_store_16((uint8_t *)y + 2 * i, (uint16_t)q);
    }
}

#endif
