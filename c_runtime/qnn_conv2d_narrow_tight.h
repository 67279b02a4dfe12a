/* SPDX-License-Identifier: 0BSD */
/* conv2d with weights of four bits, which are stored tight and unpacked first (SPEC 6.7, 6.10). */
#ifndef QNN_CONV2D_NARROW_TIGHT_H
#define QNN_CONV2D_NARROW_TIGHT_H

#include "qnn_conv2d_narrow.h"
#include "qnn_tight.h"

/* layer: without weights. */
typedef struct {
    qnn_conv2d_narrow_t layer;
    qnn_tight_t tight;
} qnn_conv2d_narrow_tight_t;

QNN_SHARED void qnn_conv2d_narrow_tight(const qnn_conv2d_narrow_tight_t *p, const uint8_t *x, void *work, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    uint32_t *weights = (uint32_t *)work, *rest = qnn_unpack(&p->tight, weights);
    qnn_conv2d_narrow_t layer = p->layer;
    layer.layer.weights = QNN_OPENED(weights);
    qnn_conv2d_narrow(QNN_OPENED(&layer), x, rest, y);
}

QNN_KERNEL void qnn_conv2d_narrow_tight_u8_u8(const qnn_conv2d_narrow_tight_t *p, const uint8_t *x, void *work,
                                              uint8_t *y)
{
    qnn_conv2d_narrow_tight(p, x, work, qnn_sink(y, 0));
}

QNN_KERNEL void qnn_conv2d_narrow_tight_u8_i16(const qnn_conv2d_narrow_tight_t *p, const uint8_t *x, void *work,
                                               int16_t *y)
{
    qnn_conv2d_narrow_tight(p, x, work, qnn_sink(y, 1));
}

#endif
