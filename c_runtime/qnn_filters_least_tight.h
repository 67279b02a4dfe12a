/* SPDX-License-Identifier: 0BSD */
/* Filters with as little code as there can be, whose weights are unpacked first (SPEC 6.10). */
#ifndef QNN_FILTERS_LEAST_TIGHT_H
#define QNN_FILTERS_LEAST_TIGHT_H

#include "qnn_filters_least.h"
#include "qnn_tight.h"

/* layer: without weights. */
typedef struct {
    qnn_filters_least_t layer;
    qnn_tight_t tight;
} qnn_filters_least_tight_t;

QNN_SMALL void qnn_filters_tight_least(const qnn_filters_least_tight_t *p, const uint8_t *x, void *work, void *y)
{
    QNN_FETCH(p, sizeof(*p));
    uint32_t *weights = (uint32_t *)work;
    qnn_filters_least_t layer = p->layer;
    qnn_unpack(&p->tight, weights);
    layer.weights = QNN_OPENED((int8_t *)weights);
    qnn_filters_least(QNN_OPENED(&layer), x, y);
}

#endif
