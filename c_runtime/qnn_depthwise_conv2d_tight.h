/* SPDX-License-Identifier: 0BSD */
/* depthwise_conv2d, whose weights are unpacked first (SPEC 6.10). */
#ifndef QNN_DEPTHWISE_CONV2D_TIGHT_H
#define QNN_DEPTHWISE_CONV2D_TIGHT_H

#include "qnn_depthwise_conv2d.h"
#include "qnn_tight.h"

/* layer: without weights. */
typedef struct {
    qnn_depthwise_conv2d_t layer;
    qnn_tight_t tight;
} qnn_depthwise_conv2d_tight_t;

QNN_KERNEL void qnn_depthwise_conv2d_tight_u8_u8(const qnn_depthwise_conv2d_tight_t *p, const uint8_t *x, void *work,
                                                 uint8_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    uint32_t *weights = (uint32_t *)work, *rest = qnn_unpack(&p->tight, weights);
    qnn_depthwise_conv2d_t layer = p->layer;
    layer.weights = QNN_OPENED((int8_t *)weights);
    qnn_depthwise_conv2d_u8_u8(QNN_OPENED(&layer), x, rest, y);
}

QNN_KERNEL void qnn_depthwise_conv2d_tight_u8_i16(const qnn_depthwise_conv2d_tight_t *p, const uint8_t *x, void *work,
                                                  int16_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    uint32_t *weights = (uint32_t *)work, *rest = qnn_unpack(&p->tight, weights);
    qnn_depthwise_conv2d_t layer = p->layer;
    layer.weights = QNN_OPENED((int8_t *)weights);
    qnn_depthwise_conv2d_u8_i16(QNN_OPENED(&layer), x, rest, y);
}

#endif
