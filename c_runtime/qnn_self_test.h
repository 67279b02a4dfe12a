/* SPDX-License-Identifier: 0BSD */
/* self_test: where two outputs differ first (SPEC 8.5). */
#ifndef QNN_SELF_TEST_H
#define QNN_SELF_TEST_H

#include "qnn_base.h"

/* Returns 0 if all `elements` of `bytes` bytes are equal, else one more than the index of the first that differs. */
QNN_KERNEL int32_t qnn_first_difference(const void *got, const void *expected, int32_t elements, int32_t bytes)
{
    const uint8_t *g = (const uint8_t *)got, *e = (const uint8_t *)expected;
    int32_t i, b;
    for (i = 0; i < elements; i++) {
        for (b = 0; b < bytes; b++, g++, e++) {
            if (*g != QNN_READ(*e)) {
                return i + 1;
            }
        }
    }
    return 0;
}

#endif
