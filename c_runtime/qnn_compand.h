/* SPDX-License-Identifier: 0BSD */
/* compand: raw int32 readings become uint8 or int16, each along a straight line (SPEC 5.1) or one of segments (5.21). */
#ifndef QNN_COMPAND_H
#define QNN_COMPAND_H

#include "qnn_requantize.h"

/* bytes: of each feature shift - 1; with 32 in place of shift - 1 = 0 added to its prescale; with 64 added where its
   distance is halved; or bits - 128 and, of its 256 >> bits segments (2, 4 or 8), the exponents less bits. */
typedef struct {
    uint16_t elements;
    uint8_t special;  /* whether any feature has a prescale or is halved */
    uint8_t segments; /* whether any feature has segments */
    const int32_t *low;        /* null where all are 0 */
    const int32_t *multiplier; /* of the features without segments, in their order */
    const int8_t *bytes;
} qnn_compand_t;

/* `wide` is a constant wherever a kernel is instantiated: there are 2^16 steps, not 2^8. Each segment has `step` of `all`,
   2^8, steps; exponents: of its width in raw values by step. Beyond the last segment the result is 2^8 or 2^16. */
QNN_INLINE uint32_t qnn_compand_height(const int8_t *exponents, uint32_t step, uint32_t all, uint32_t distance,
                                       int32_t wide)
{
#ifdef QNN_CONSTANT_TIME
    uint32_t height = 0, at;
    for (at = 0; at != all; at += step) {
        uint32_t exponent = (uint8_t)QNN_READ(*exponents++), width = step << exponent, more = distance;
        uint32_t inside = qnn_mask(distance < width);
        if (!wide) {
            more = ((more << 1 >> exponent) + 1) >> 1;
        } else {
            more = exponent < 8 ? more << (8 - exponent) : ((more << 1 >> (exponent - 8)) + 1) >> 1;
        }
        height += (uint32_t)qnn_choose(inside, (int32_t)more, (int32_t)(wide ? step << 8 : step));
        distance = (distance - width) & ~inside;
    }
    return height;
#else /* QNN_CONSTANT_TIME */
    uint32_t height;
    for (height = 0; height != all; height += step) {
        uint32_t exponent = (uint8_t)QNN_READ(*exponents++), width = step << exponent;
        if (distance < width) {
            if (!wide) {
                return height + (((distance << 1 >> exponent) + 1) >> 1);
            }
            height <<= 8;
            return height + (exponent < 8 ? distance << (8 - exponent) : ((distance << 1 >> (exponent - 8)) + 1) >> 1);
        }
        distance -= width;
    }
    return wide ? height << 8 : height;
#endif /* QNN_CONSTANT_TIME */
}

/* As in SPEC 3.1, with the prescale's limit, which saturates; unsigned, so that only `low` needs a comparison: the compiler
   proved that a distance beyond the range gives the last step or more, or nothing where the multiplier is 0. */
QNN_INLINE uint32_t qnn_compand_straight(int32_t special, uint32_t shift, uint32_t multiplier, uint32_t distance)
{
    if (special && shift & 64) {
        distance >>= 1;
        shift &= 63;
    }
    if (special && shift & 32) {
        uint32_t prescale = shift & 31, limit = (uint32_t)INT32_MAX >> prescale;
#ifdef QNN_CONSTANT_TIME
        distance = (uint32_t)qnn_choose(qnn_mask(distance < limit), (int32_t)distance, (int32_t)limit) << prescale;
#else /* QNN_CONSTANT_TIME */
        distance = (distance < limit ? distance : limit) << prescale;
#endif /* QNN_CONSTANT_TIME */
        shift = 0;
    }
    distance = (uint32_t)(((uint64_t)distance * multiplier) >> 32);
    return ((distance >> shift) + 1) >> 1;
}

QNN_INLINE void qnn_compand(const qnn_compand_t *p, const int32_t *x, qnn_sink_t y)
{
    QNN_FETCH(p, sizeof(*p));
    const int32_t *lows = p->low, *multiplier = p->multiplier, *end = x + p->elements;
    const int8_t *bytes = p->bytes;
    uint32_t most = y.wide ? 65535u : 255u;
    uint32_t one = 1, all = 256;
    QNN_OPAQUE(one); /* both stay in registers */
    QNN_OPAQUE(all);
    for (; x != end; x++, y = qnn_after(y, 1)) {
        int32_t raw = qnn_load_i32(x), low = p->low ? QNN_READ(*lows++) : 0, code = QNN_READ(*bytes++);
        uint32_t distance = 0;
#ifdef QNN_CONSTANT_TIME
        distance = ((uint32_t)raw - (uint32_t)low) & qnn_mask(raw > low);
#else /* QNN_CONSTANT_TIME */
        if (raw > low) {
            distance = (uint32_t)raw - (uint32_t)low;
            QNN_BRANCH(distance);
        }
#endif /* QNN_CONSTANT_TIME */
        if (p->segments && code < 0) {
            const int8_t *next = bytes + (all >> (code & 31));
            QNN_OPAQUE(code); /* else the mask is computed, which the shifts do by themselves */
            distance = qnn_compand_height(bytes, one << (code & 31), all, distance, y.wide);
            bytes = next;
        } else {
            distance = qnn_compand_straight(p->special, (uint32_t)code, (uint32_t)QNN_READ(*multiplier++), distance);
        }
#ifdef QNN_CONSTANT_TIME
        distance = (uint32_t)qnn_choose(qnn_mask(distance < most), (int32_t)distance, (int32_t)most);
#else /* QNN_CONSTANT_TIME */
        distance = distance < most ? distance : most;
#endif /* QNN_CONSTANT_TIME */
        qnn_put(y, 0, (int32_t)distance - (y.wide ? 32768 : 0));
    }
}

QNN_SMALL void qnn_compand_i32_u8(const qnn_compand_t *p, const int32_t *x, uint8_t *y)
{
    qnn_compand(p, x, qnn_sink(y, 0));
}

QNN_SMALL void qnn_compand_i32_i16(const qnn_compand_t *p, const int32_t *x, int16_t *y)
{
    qnn_compand(p, x, qnn_sink(y, 1));
}

#endif
