/* SPDX-License-Identifier: 0BSD */
/* concat of 16-bit values (SPEC 5.13). */
#ifndef QNN_CONCAT_WIDE_H
#define QNN_CONCAT_WIDE_H

#include "qnn_concat.h"
#include "qnn_window_wide.h"

QNN_KERNEL void qnn_concat_i16_i16(const qnn_concat_t *p, const int16_t *a, const int16_t *b, int16_t *y)
{
    QNN_FETCH(p, sizeof(*p));
    int32_t i;
    for (i = 0; i < p->pixels; i++, a += p->channels1, b += p->channels2) {
        y = qnn_window_copy_i16(y, a, p->channels1);
        y = qnn_window_copy_i16(y, b, p->channels2);
    }
}

#endif
