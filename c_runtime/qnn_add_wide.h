/* SPDX-License-Identifier: 0BSD */
/* add where an input has 16 bits (SPEC 5.12). */
#ifndef QNN_ADD_WIDE_H
#define QNN_ADD_WIDE_H

#include "qnn_add.h"
#include "qnn_wide.h"

/* y may be a or b where they have its width. Precondition: every partial sum fits int32, which the compiler proved. */
QNN_INLINE void qnn_add_wide(const qnn_add_t *p, qnn_values_t a, qnn_values_t b, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i;
    for (i = 0; i < p->elements; i++) {
        int32_t acc = qnn_input(a, i) * p->factor1 + qnn_input(b, i) * p->factor2 + p->offset;
        qnn_put(y, i, qnn_requantize(&p->requantize, 0, acc));
    }
}

QNN_KERNEL void qnn_add_i16_i16_u8(const qnn_add_t *p, const int16_t *a, const int16_t *b, uint8_t *y)
{
    qnn_add_wide(p, qnn_values(a, 1), qnn_values(b, 1), qnn_sink(y, 0));
}

QNN_KERNEL void qnn_add_i16_i16_i16(const qnn_add_t *p, const int16_t *a, const int16_t *b, int16_t *y)
{
    qnn_add_wide(p, qnn_values(a, 1), qnn_values(b, 1), qnn_sink(y, 1));
}

QNN_KERNEL void qnn_add_u8_i16_u8(const qnn_add_t *p, const uint8_t *a, const int16_t *b, uint8_t *y)
{
    qnn_add_wide(p, qnn_values(a, 0), qnn_values(b, 1), qnn_sink(y, 0));
}

QNN_KERNEL void qnn_add_u8_i16_i16(const qnn_add_t *p, const uint8_t *a, const int16_t *b, int16_t *y)
{
    qnn_add_wide(p, qnn_values(a, 0), qnn_values(b, 1), qnn_sink(y, 1));
}

QNN_KERNEL void qnn_add_i16_u8_u8(const qnn_add_t *p, const int16_t *a, const uint8_t *b, uint8_t *y)
{
    qnn_add_wide(p, qnn_values(a, 1), qnn_values(b, 0), qnn_sink(y, 0));
}

QNN_KERNEL void qnn_add_i16_u8_i16(const qnn_add_t *p, const int16_t *a, const uint8_t *b, int16_t *y)
{
    qnn_add_wide(p, qnn_values(a, 1), qnn_values(b, 0), qnn_sink(y, 1));
}

#endif
