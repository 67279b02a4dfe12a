/* SPDX-License-Identifier: 0BSD */
/* The few weights that a kernel's words do not hold: what is missing of them, product by product (SPEC 6.8). */
#ifndef QNN_REST_H
#define QNN_REST_H

#include "qnn_base.h"

/* Output o has the entries starts[o] to starts[o + 1]: the place of an input, in bytes, and what the input's weight has
   more than the words say. */
typedef struct {
    const uint16_t *starts;
    const uint16_t *places;
    const int8_t *extras;
} qnn_rest_t;

/* Bytes of a word are counted from its lowest bits up: its byte i is byte i ^ QNN_REST_TURN in memory. */
#define QNN_REST_TURN (QNN_LITTLE_ENDIAN ? 0u : 3u)

/* What the sum of output o lacks. turn: of the places; flip: of the inputs. */
QNN_INLINE uint32_t qnn_rest_sum(const qnn_rest_t *rest, int32_t o, const uint8_t *x, uint32_t turn, uint32_t flip)
{
    uint32_t start = QNN_READ(rest->starts[o]), sum = 0;
    const uint16_t *place = rest->places + start, *end = rest->places + QNN_READ(rest->starts[o + 1]);
    const int8_t *extra = rest->extras + start;
    for (; place != end; place++, extra++) {
        int32_t w = QNN_READ(*extra);
        sum += (x[QNN_READ(*place) ^ turn] ^ flip) * (uint32_t)w;
    }
    return sum;
}

/* The same for four windows, whose words are 8 bytes apart: added to their sums. */
QNN_INLINE void qnn_rest_add_four(const qnn_rest_t *rest, int32_t o, const uint32_t *words, uint32_t sums[4])
{
    uint32_t start = QNN_READ(rest->starts[o]), s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
    const uint16_t *place = rest->places + start, *end = rest->places + QNN_READ(rest->starts[o + 1]);
    const int8_t *extra = rest->extras + start;
    for (; place != end; place++, extra++) {
        const uint8_t *x = (const uint8_t *)words + (QNN_READ(*place) ^ QNN_REST_TURN);
        int32_t w = QNN_READ(*extra);
        s0 += x[0] * (uint32_t)w;
        s1 += x[8] * (uint32_t)w;
        s2 += x[16] * (uint32_t)w;
        s3 += x[24] * (uint32_t)w;
    }
    sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
}

#endif
