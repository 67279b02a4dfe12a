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

QNN_INLINE uint32_t qnn_dual_first(uint32_t a, uint32_t w)
{
    return (a * (w & 0x00FF00FFu)) >> 16;
}

/* b * second, for the weights 1 and 3 of a word. */
QNN_INLINE uint32_t qnn_dual_high(uint32_t b, uint32_t second)
{
    return (uint32_t)(((uint64_t)b * second) >> 32) & 0xFFFFu;
}

QNN_INLINE uint32_t qnn_dual_second(uint32_t b, uint32_t w)
{
    return qnn_dual_high(b, w & 0xFF00FF00u);
}

/* The words of inputs: a, and b without its factor of 2^8 where `shift` is 0 instead of 8, as other kernels want it. */
QNN_INLINE void qnn_dual_put(uint32_t *words, uint32_t first, uint32_t second, int32_t shift)
{
    words[0] = first;
    words[1] = second << shift;
}

/* The two words of the inputs x[0] to x[3]; returns their sum. */
QNN_INLINE uint32_t qnn_dual_pack(const uint8_t *x, uint32_t *words, int32_t shift)
{
    uint32_t x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
    qnn_dual_put(words, x0 | (x2 << 16), x1 | (x3 << 16), shift);
    return x0 + x1 + x2 + x3;
}

/* The same where x is aligned to 4 bytes, which brings the inputs in one load; the sum is in two halves, to be added up
   by qnn_dual_sum after at most 128 calls. */
QNN_INLINE uint32_t qnn_dual_pack_aligned(const uint8_t *x, uint32_t *words, int32_t shift)
{
    const uint8_t *aligned = QNN_ALIGNED(x);
    uint32_t v = aligned[0] | ((uint32_t)aligned[1] << 8) | ((uint32_t)aligned[2] << 16) | ((uint32_t)aligned[3] << 24);
    uint32_t first = v & 0x00FF00FFu, second = v ^ first;
    words[0] = first;
    words[1] = second >> (8 - shift);
    return first + (second >> 8);
}

QNN_INLINE uint32_t qnn_dual_sum(uint32_t halves)
{
    return (halves & 0xFFFFu) + (halves >> 16);
}

/* The same for the last `count` inputs, 0 to 3; the missing ones are 0. */
QNN_INLINE uint32_t qnn_dual_pack_last(const uint8_t *x, int32_t count, uint32_t *words, int32_t shift)
{
    uint8_t last[4] = {0, 0, 0, 0};
    int32_t i;
    for (i = 0; i < count; i++) {
        last[i] = x[i];
    }
    return qnn_dual_pack(last, words, shift);
}

#endif
