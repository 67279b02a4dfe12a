/* SPDX-License-Identifier: 0BSD */
/* table: any function of one uint8 value, looked up (SPEC 5.3). */
#ifndef QNN_TABLE_H
#define QNN_TABLE_H

#include "qnn_base.h"

typedef struct {
    int32_t elements;
    const uint8_t *entries; /* 256 */
} qnn_table_u8_t;

typedef struct {
    int32_t elements;
    const int16_t *entries; /* 256 */
} qnn_table_i16_t;

/* y may be x. */
QNN_KERNEL void qnn_table_u8_u8(const qnn_table_u8_t *p, const uint8_t *x, uint8_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i;
    for (i = 0; i < p->elements; i++) {
        y[i] = QNN_READ(p->entries[x[i]]);
    }
}

QNN_KERNEL void qnn_table_u8_i16(const qnn_table_i16_t *p, const uint8_t *x, int16_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i;
    for (i = 0; i < p->elements; i++) {
        qnn_store_16(y + i, (uint16_t)QNN_READ(p->entries[x[i]]));
    }
}

#endif
