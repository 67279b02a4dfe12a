/* SPDX-License-Identifier: 0BSD */
/* Sums of products where inputs or weights have 16 bits, or where sums may leave 32 (SPEC 4.1, 4.2, 6.6). */
#ifndef QNN_WIDE_H
#define QNN_WIDE_H

#include "qnn_requantize.h"

/* Inputs: uint8_t or, where `wide`, int16_t. Weights: int8_t or, where `wide`, int16_t. `wide` is a constant wherever a
   kernel is instantiated, so that nothing is decided at run time. */
typedef struct {
    const void *data;
    int32_t wide;
} qnn_values_t;

QNN_INLINE qnn_values_t qnn_values(const void *data, int32_t wide)
{
    qnn_values_t values;
    values.data = data;
    values.wide = wide;
    return values;
}

QNN_INLINE qnn_values_t qnn_values_after(qnn_values_t values, int32_t count)
{
    values.data = (const uint8_t *)values.data + (values.wide ? 2 * count : count);
    return values;
}

QNN_INLINE int32_t qnn_input(qnn_values_t x, int32_t index)
{
    return x.wide ? ((const int16_t *)x.data)[index] : ((const uint8_t *)x.data)[index];
}

QNN_INLINE int32_t qnn_weight(qnn_values_t w, int32_t index)
{
    return w.wide ? QNN_READ(((const int16_t *)w.data)[index]) : QNN_READ(((const int8_t *)w.data)[index]);
}

/* A sum that may leave 32 bits, of parts that do not: modulo 2^32, and of the parts' upper halves. A part is a product or
   the sum of two: their weights are above -2^15, so |product| <= 2^15 * (2^15 - 1), and two of them stay below 2^31. */
typedef struct {
    uint32_t low;
    int32_t high;
} qnn_sum_t;

#define QNN_MOST_PRODUCTS 65536 /* in a qnn_sum_t: |high| <= 65536 * 2^14 */

QNN_INLINE void qnn_sum_add(qnn_sum_t *sum, int32_t part)
{
    sum->low += (uint32_t)part;
    sum->high += part >> 16;
}

/* The sum itself: it is high * 2^16 plus the parts' lower halves, which are not negative and add up to less than 2^32. */
QNN_INLINE int64_t qnn_sum_value(qnn_sum_t sum)
{
    uint32_t rest = sum.low - ((uint32_t)sum.high << 16);
    return (int64_t)sum.high * 65536 + (int64_t)rest;
}

/* (acc + 2^(shift - 1)) >> shift, which the compiler proved to fit. 32-bit shifts, since a 64-bit one by a variable would
   call the compiler's library. */
QNN_INLINE int32_t qnn_narrow(int64_t acc, int32_t shift)
{
    uint64_t rounded = (uint64_t)acc + ((uint32_t)1 << (shift - 1));
    uint32_t high_word = (uint32_t)(rounded >> 32), low_word = (uint32_t)rounded;
    return (int32_t)((high_word << (32 - shift)) | (low_word >> shift));
}

#ifdef QNN_INT16X8
/* (sum * multiplier + 2^(shift - 1)) >> shift (SPEC 3.9), which fits int32; |sum| < 2^47, multiplier < 2^15. */
QNN_INLINE int32_t qnn_requantize_long(const qnn_requantize_t *p, int32_t channel, int64_t sum)
{
    int32_t shift = QNN_READ(p->shift[channel]), q;
    uint64_t half = shift > 32 ? (uint64_t)((uint32_t)1 << (shift - 33)) << 32 : (uint32_t)1 << (shift - 1);
    uint64_t product = (uint64_t)(sum * QNN_READ(p->multiplier[channel])) + half;
    uint32_t high_word = (uint32_t)(product >> 32), low_word = (uint32_t)product;
    if (shift >= 32) {
        q = (int32_t)high_word >> (shift - 32);
    } else {
        q = (int32_t)((high_word << (32 - shift)) | (low_word >> shift));
    }
    return qnn_clamp(q, p->low, p->high);
}
#endif /* QNN_INT16X8 */

/* The result of a sum of 64 bits. */
QNN_INLINE int32_t qnn_requantize_sum(const qnn_requantize_t *p, int32_t channel, int64_t sum, int32_t rounding_shift)
{
#ifdef QNN_INT16X8
    if (p->rule == QNN_RULE_LONG) {
        return qnn_requantize_long(p, channel, sum);
    }
#endif /* QNN_INT16X8 */
    return qnn_requantize(p, channel, qnn_narrow(sum, rounding_shift));
}

#endif
