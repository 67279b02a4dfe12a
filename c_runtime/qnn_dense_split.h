/* SPDX-License-Identifier: 0BSD */
/* dense with two products in one multiplication, where a few weights are beyond its range (SPEC 5.2, 6.5, 6.8). */
#ifndef QNN_DENSE_SPLIT_H
#define QNN_DENSE_SPLIT_H

#include "qnn_dense_dual.h"

/* The layer with the weights that the words hold, and what they lack: places are inputs. */
typedef struct {
    qnn_dense_dual_t layer;
    qnn_rest_t rest;
} qnn_dense_split_t;

QNN_SHARED void qnn_dense_split(const qnn_dense_split_t *p, int32_t sparse, const uint8_t *x, void *work, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    qnn_dense_dual_all(&p->layer, &p->rest, sparse, x, work, y);
}

QNN_KERNEL void qnn_dense_split_u8_u8(const qnn_dense_split_t *p, const uint8_t *x, void *work, uint8_t *y)
{
    qnn_dense_split(p, 0, x, work, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_dense_split_u8_i16(const qnn_dense_split_t *p, const uint8_t *x, void *work, int16_t *y)
{
    qnn_dense_split(p, 0, x, work, qnn_sink(y, 1));
}

QNN_KERNEL void qnn_dense_split_sparse_u8_u8(const qnn_dense_split_t *p, const uint8_t *x, void *work, uint8_t *y)
{
    qnn_dense_split(p, 1, x, work, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_dense_split_sparse_u8_i16(const qnn_dense_split_t *p, const uint8_t *x, void *work, int16_t *y)
{
    qnn_dense_split(p, 1, x, work, qnn_sink(y, 1));
}

#endif
