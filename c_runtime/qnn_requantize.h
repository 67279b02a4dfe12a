/* SPDX-License-Identifier: 0BSD */
/* The one requantization (SPEC 3): q = clamp((acc * 2^prescale * multiplier / 2^32 + constant) >> shift). */
#ifndef QNN_REQUANTIZE_H
#define QNN_REQUANTIZE_H

#include "qnn_base.h"

typedef struct {
    const int32_t *multiplier; /* below 2^31 */
    const int32_t *constant;   /* zero_point * 2^shift + 2^(shift - 1) */
    const uint8_t *shift;      /* 1..22 */
    const uint8_t *prescale;   /* null where every channel has 0 */
    int32_t low;
    int32_t high;
    int32_t rule;              /* 0, or one of those below */
} qnn_requantize_t;

#define QNN_RULE_TWICE 1 /* GEMMLOWP: prescale is not null, the multipliers are twice as large and unsigned */
#define QNN_RULE_EVEN 2  /* halves become even */
#define QNN_RULE_LONG 3  /* of sums of 64 bits: see qnn_wide.h */

/* Where the limit acts the result saturates anyway (SPEC 3.3); it keeps the left shift inside int32. */
QNN_INLINE int32_t qnn_prescale(int32_t accumulator, uint8_t prescale)
{
    int32_t limit = INT32_MAX >> prescale;
    if (prescale == 0) {
        return accumulator;
    }
#ifdef QNN_CONSTANT_TIME
    accumulator = qnn_larger(qnn_smaller(accumulator, limit), -limit);
#else /* QNN_CONSTANT_TIME */
    if (accumulator > limit) {
        accumulator = limit;
    }
    if (accumulator < -limit) {
        accumulator = -limit;
    }
#endif /* QNN_CONSTANT_TIME */
    return (int32_t)((uint32_t)accumulator << prescale);
}

/* One comparison where nothing is clamped. */
QNN_INLINE int32_t qnn_clamp(int32_t q, int32_t low, int32_t high)
{
#ifdef QNN_CONSTANT_TIME
    return qnn_larger(qnn_smaller(q, high), low);
#else /* QNN_CONSTANT_TIME */
    if ((uint32_t)q - (uint32_t)low > (uint32_t)high - (uint32_t)low) {
        q = q < low ? low : high;
    }
    return q;
#endif /* QNN_CONSTANT_TIME */
}

/* One channel's constants, for kernels that write several of its outputs. */
typedef struct {
    int32_t multiplier;
    int32_t constant;
    int32_t low;
    int32_t high;
    int32_t rule;
    uint8_t shift;
    uint8_t prescale;
} qnn_requantize_channel_t;

QNN_INLINE qnn_requantize_channel_t qnn_requantize_channel(const qnn_requantize_t *p, int32_t channel)
{
    qnn_requantize_channel_t c;
    c.multiplier = QNN_READ(p->multiplier[channel]);
    c.constant = QNN_READ(p->constant[channel]);
    c.low = p->low;
    c.high = p->high;
    c.rule = p->rule;
    c.shift = QNN_READ(p->shift[channel]);
    c.prescale = p->prescale ? QNN_READ(p->prescale[channel]) : (uint8_t)0;
    return c;
}

#ifdef QNN_GEMMLOWP
/* Two roundings (SPEC 3.6): of acc * multiplier / 2^32 half up, then of its shift half away from zero. */
QNN_INLINE int32_t qnn_requantize_twice(const qnn_requantize_channel_t *c, int32_t accumulator)
{
    uint32_t shifted = (uint32_t)accumulator << c->prescale;
    int64_t product = (int64_t)(int32_t)shifted * (uint32_t)c->multiplier;
    int32_t once = (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
    int32_t sum = once + c->constant;
    if (c->shift) {
        sum += once >> 31;
    }
    return qnn_clamp(sum >> c->shift, c->low, c->high);
}
#endif /* QNN_GEMMLOWP */

/* What follows the prescale. Precondition: |high word| + |constant| < 2^31, proven by the compiler for the node's
   accumulator bound (SPEC 3.4). */
QNN_INLINE int32_t qnn_requantize_once(const qnn_requantize_channel_t *c, int32_t accumulator)
{
    int32_t q = (int32_t)(((int64_t)accumulator * c->multiplier) >> 32);
    return qnn_clamp((q + c->constant) >> c->shift, c->low, c->high);
}

#ifdef QNN_EVEN
/* Halves become even (SPEC 3.8): the lower word of the product and the bits that are shifted out tell them. */
QNN_INLINE int32_t qnn_requantize_even(const qnn_requantize_channel_t *c, int32_t accumulator)
{
    int64_t product = (int64_t)qnn_prescale(accumulator, c->prescale) * c->multiplier;
    int32_t sum = (int32_t)(product >> 32) + c->constant, q = sum >> c->shift;
#ifdef QNN_CONSTANT_TIME
    uint32_t half = qnn_mask((uint32_t)product == 0) & qnn_mask((uint32_t)sum << (32 - c->shift) == 0);
    q -= (q ^ (c->constant >> c->shift)) & 1 & (int32_t)half;
#else /* QNN_CONSTANT_TIME */
    if ((uint32_t)product == 0 && (uint32_t)sum << (32 - c->shift) == 0) {
        q -= (q ^ (c->constant >> c->shift)) & 1;
    }
#endif /* QNN_CONSTANT_TIME */
    return qnn_clamp(q, c->low, c->high);
}
#endif /* QNN_EVEN */

QNN_INLINE int32_t qnn_requantize_with(const qnn_requantize_channel_t *c, int32_t accumulator)
{
#ifdef QNN_GEMMLOWP
    if (c->rule == QNN_RULE_TWICE) {
        return qnn_requantize_twice(c, accumulator);
    }
#endif /* QNN_GEMMLOWP */
#ifdef QNN_EVEN
    if (c->rule == QNN_RULE_EVEN) {
        return qnn_requantize_even(c, accumulator);
    }
#endif /* QNN_EVEN */
    if (c->prescale) {
        accumulator = qnn_prescale(accumulator, c->prescale);
    }
    return qnn_requantize_once(c, accumulator);
}

/* Does a channel need more than qnn_requantize_once? */
QNN_INLINE int32_t qnn_requantize_is_long(const qnn_requantize_t *p)
{
#ifdef QNN_RULES
    if (p->rule) {
        return 1;
    }
#endif /* QNN_RULES */
    return p->prescale != 0;
}

/* Four accumulators of one channel become its results, where that is not long. */
QNN_INLINE void qnn_requantize_four(const qnn_requantize_channel_t *c, int32_t a[4])
{
    a[0] = qnn_requantize_once(c, a[0]);
    a[1] = qnn_requantize_once(c, a[1]);
    a[2] = qnn_requantize_once(c, a[2]);
    a[3] = qnn_requantize_once(c, a[3]);
}

QNN_INLINE int32_t qnn_requantize(const qnn_requantize_t *p, int32_t channel, int32_t accumulator)
{
    qnn_requantize_channel_t c = qnn_requantize_channel(p, channel);
    return qnn_requantize_with(&c, accumulator);
}

/* Where results go: uint8_t or, where `wide`, int16_t of any alignment. `wide` is a constant wherever a kernel is
   instantiated, so that nothing is decided at run time. */
typedef struct {
    void *data;
    int32_t wide;
} qnn_sink_t;

QNN_INLINE qnn_sink_t qnn_sink(void *data, int32_t wide)
{
    qnn_sink_t out;
    out.data = data;
    out.wide = wide;
    return out;
}

QNN_INLINE void qnn_put(qnn_sink_t y, int32_t index, int32_t q)
{
    if (y.wide) {
        qnn_store_16((uint8_t *)y.data + 2 * index, (uint16_t)q);
    } else {
        ((uint8_t *)y.data)[index] = (uint8_t)q;
    }
}

QNN_INLINE qnn_sink_t qnn_after(qnn_sink_t y, int32_t count)
{
    y.data = (uint8_t *)y.data + (y.wide ? 2 * count : count);
    return y;
}

#endif
