/* SPDX-License-Identifier: 0BSD */
/* 3x3 filters on single channels, whose weights are unpacked first (SPEC 6.10). */
#ifndef QNN_DEPTHWISE_3X3_TIGHT_H
#define QNN_DEPTHWISE_3X3_TIGHT_H

#include "qnn_depthwise_3x3.h"
#include "qnn_tight.h"

/* layer: without weights. */
typedef struct {
    qnn_depthwise_3x3_t layer;
    qnn_tight_t tight;
} qnn_depthwise_3x3_tight_t;

QNN_KERNEL void qnn_depthwise_3x3_tight_u8_u8(const qnn_depthwise_3x3_tight_t *p, const uint8_t *x, void *work,
                                              uint8_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    uint32_t *weights = (uint32_t *)work;
    qnn_depthwise_3x3_t layer = p->layer;
    qnn_unpack(&p->tight, weights);
    layer.weights = QNN_OPENED((int8_t *)weights);
    qnn_depthwise_3x3_u8_u8(QNN_OPENED(&layer), x, y);
}

QNN_KERNEL void qnn_depthwise_3x3_tight_u8_i16(const qnn_depthwise_3x3_tight_t *p, const uint8_t *x, void *work,
                                               int16_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    uint32_t *weights = (uint32_t *)work;
    qnn_depthwise_3x3_t layer = p->layer;
    qnn_unpack(&p->tight, weights);
    layer.weights = QNN_OPENED((int8_t *)weights);
    qnn_depthwise_3x3_u8_i16(QNN_OPENED(&layer), x, y);
}

#endif
