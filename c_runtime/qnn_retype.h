/* SPDX-License-Identifier: 0BSD */
/* retype: the same reals with another scale, zero point or width (SPEC 5.15). */
#ifndef QNN_RETYPE_H
#define QNN_RETYPE_H

#include "qnn_wide.h"

typedef struct {
    int32_t elements;
    int32_t zero_point;
    qnn_requantize_t requantize;
} qnn_retype_t;

/* y may be x where both have one width. */
QNN_INLINE void qnn_retype(const qnn_retype_t *p, qnn_values_t x, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i;
    for (i = 0; i < p->elements; i++) {
        qnn_put(y, i, qnn_requantize(&p->requantize, 0, qnn_input(x, i) - p->zero_point));
    }
}

QNN_KERNEL void qnn_retype_u8_u8(const qnn_retype_t *p, const uint8_t *x, uint8_t *y)
{
    qnn_retype(p, qnn_values(x, 0), qnn_sink(y, 0));
}

QNN_KERNEL void qnn_retype_u8_i16(const qnn_retype_t *p, const uint8_t *x, int16_t *y)
{
    qnn_retype(p, qnn_values(x, 0), qnn_sink(y, 1));
}

QNN_KERNEL void qnn_retype_i16_u8(const qnn_retype_t *p, const int16_t *x, uint8_t *y)
{
    qnn_retype(p, qnn_values(x, 1), qnn_sink(y, 0));
}

QNN_KERNEL void qnn_retype_i16_i16(const qnn_retype_t *p, const int16_t *x, int16_t *y)
{
    qnn_retype(p, qnn_values(x, 1), qnn_sink(y, 1));
}

#endif
