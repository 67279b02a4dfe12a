/* SPDX-License-Identifier: 0BSD */
/* Two exact products in one multiplication (SPEC 6.5; the idea is known from ULPPACK and HiKonv).

   Four inputs become the words a = x0 + x2 * 2^16 and b = (x1 + x3 * 2^16) * 2^8. Four weights, made unsigned by
   subtracting the row's lowest one, become w = w2 + w3 * 2^8 + w0 * 2^16 + w1 * 2^24, and
     a * (w & 0x00FF00FF) = x0 w2 + (x0 w0 + x2 w2) * 2^16 + ..., so its upper half is x0 w0 + x2 w2;
     b * (w & 0xFF00FF00) = (x1 w3 + (x1 w1 + x3 w3) * 2^16 + x3 w1 * 2^32) * 2^16, so the lower half of its high word
     is x1 w1 + x3 w3.
   Precondition, checked by the compiler for every row: x0 w0 + x2 w2 < 2^16 and x1 w1 + x3 w3 < 2^16 for all inputs. */
#ifndef QNN_DUAL_H
#define QNN_DUAL_H

#include "qnn_base.h"

/* gcc's first scheduling pass hoists the loads of these loops and then spills their sums. */
#if defined(__GNUC__) && !defined(__clang__)
#define QNN_DUAL static __attribute__((unused, noinline, optimize("no-schedule-insns")))
#else
#define QNN_DUAL static __attribute__((unused, noinline))
#endif

QNN_INLINE uint32_t qnn_dual_first(uint32_t a, uint32_t w)
{
    return (a * (w & 0x00FF00FFu)) >> 16;
}

QNN_INLINE uint32_t qnn_dual_second(uint32_t b, uint32_t w)
{
    return (uint32_t)(((uint64_t)b * (w & 0xFF00FF00u)) >> 32) & 0xFFFFu;
}

/* The two words of the inputs x[0] to x[3]; returns their sum. */
QNN_INLINE uint32_t qnn_dual_pack(const uint8_t *x, uint32_t *words)
{
    uint32_t x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
    words[0] = x0 | (x2 << 16);
    words[1] = (x1 << 8) | (x3 << 24);
    return x0 + x1 + x2 + x3;
}

/* The same where x is aligned to 4 bytes, which brings the inputs in one load; the sum is in two halves, to be added up
   by qnn_dual_sum after at most 128 calls. */
QNN_INLINE uint32_t qnn_dual_pack_aligned(const uint8_t *x, uint32_t *words)
{
    const uint8_t *aligned = QNN_ALIGNED(x);
    uint32_t v = aligned[0] | ((uint32_t)aligned[1] << 8) | ((uint32_t)aligned[2] << 16) | ((uint32_t)aligned[3] << 24);
    words[0] = v & 0x00FF00FFu;
    words[1] = v & 0xFF00FF00u;
    return words[0] + (words[1] >> 8);
}

QNN_INLINE uint32_t qnn_dual_sum(uint32_t halves)
{
    return (halves & 0xFFFFu) + (halves >> 16);
}

/* The same for the last `count` inputs, 0 to 3; the missing ones are 0. */
QNN_INLINE uint32_t qnn_dual_pack_last(const uint8_t *x, int32_t count, uint32_t *words)
{
    uint8_t last[4] = {0, 0, 0, 0};
    int32_t i;
    for (i = 0; i < count; i++) {
        last[i] = x[i];
    }
    return qnn_dual_pack(last, words);
}

#endif
