/* SPDX-License-Identifier: 0BSD */
/* copy: quantized inputs of 16 bits, whose alignment the caller chooses, to where the kernels read them (SPEC 8.2). */
#ifndef QNN_COPY_H
#define QNN_COPY_H

#include "qnn_base.h"

QNN_KERNEL void qnn_copy(const void *from, int32_t bytes, void *to)
{
    const uint8_t *source = (const uint8_t *)from;
    uint8_t *target = (uint8_t *)to;
    int32_t i;
    for (i = 0; i < bytes; i++) {
        target[i] = source[i];
    }
}

#endif
