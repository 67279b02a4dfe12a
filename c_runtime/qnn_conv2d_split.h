/* SPDX-License-Identifier: 0BSD */
/* conv2d with two products in one multiplication, where a few weights are beyond its range (SPEC 5.8, 6.5, 6.8). */
#ifndef QNN_CONV2D_SPLIT_H
#define QNN_CONV2D_SPLIT_H

#include "qnn_conv2d_dual.h"

/* The layer with the weights that the words hold, and what they lack: places in the packed words of a window. */
typedef struct {
    qnn_conv2d_packed_t layer;
    qnn_rest_t rest;
} qnn_conv2d_split_t;

QNN_SHARED void qnn_conv2d_split(const qnn_conv2d_split_t *p, const uint8_t *x, void *work, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    qnn_conv2d_dual_all(&p->layer, &p->rest, x, work, y);
}

QNN_KERNEL void qnn_conv2d_split_u8_u8(const qnn_conv2d_split_t *p, const uint8_t *x, void *work, uint8_t *y)
{
    qnn_conv2d_split(p, x, work, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_conv2d_split_u8_i16(const qnn_conv2d_split_t *p, const uint8_t *x, void *work, int16_t *y)
{
    qnn_conv2d_split(p, x, work, qnn_sink(y, 1));
}

#endif
