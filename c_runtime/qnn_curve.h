/* SPDX-License-Identifier: 0BSD */
/* curve: any function of one int16 value, as straight lines between the entries of a table (SPEC 5.16). */
#ifndef QNN_CURVE_H
#define QNN_CURVE_H

#include "qnn_requantize.h"

/* Segment s begins `low` + s * 2^bits and is divided into lines of 2^shifts[s] values; the ends of its first line are
   entries[firsts[s]] and the next. */
typedef struct {
    int32_t elements;
    int32_t low;
    int32_t bits; /* 0..16 */
    const uint16_t *firsts;
    const uint8_t *shifts; /* 0..15, at most `bits` */
    const int16_t *entries;
} qnn_curve_t;

/* |entries' difference * position| <= 65535 * 32767, and half a line more stays below 2^31. */
QNN_INLINE int32_t qnn_curve_value(const qnn_curve_t *p, int32_t x)
{
    int32_t place = x - p->low, segment = place >> p->bits, shift = QNN_READ(p->shifts[segment]);
    int32_t rest = place - (segment << p->bits);
    const int16_t *entry = p->entries + QNN_READ(p->firsts[segment]) + (rest >> shift);
    int32_t position = rest & (((int32_t)1 << shift) - 1), half = ((int32_t)1 << shift) >> 1;
    int32_t first = QNN_READ(entry[0]), second = QNN_READ(entry[1]);
    return first + (((second - first) * position + half) >> shift);
}

QNN_INLINE void qnn_curve(const qnn_curve_t *p, const int16_t *x, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i;
    for (i = 0; i < p->elements; i++) {
        qnn_put(y, i, qnn_curve_value(p, x[i]));
    }
}

QNN_KERNEL void qnn_curve_i16_u8(const qnn_curve_t *p, const int16_t *x, uint8_t *y)
{
    qnn_curve(p, x, qnn_sink(y, 0));
}

/* y may be x. */
QNN_KERNEL void qnn_curve_i16_i16(const qnn_curve_t *p, const int16_t *x, int16_t *y)
{
    qnn_curve(p, x, qnn_sink(y, 1));
}

#endif
