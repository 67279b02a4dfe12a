/* SPDX-License-Identifier: 0BSD */
/* Weights of four bits: sums of several pairs of products before they are taken apart (SPEC 6.7; the idea is known from
   ULPPACK).

   Eight inputs are packed in four words (qnn_dual.h, without a shift): x0 + x2 * 2^16, x1 + x3 * 2^16, and likewise for x4
   to x7. Eight weights of 0 to 15 become w = w2 + w6 * 2^4 + w3 * 2^8 + w7 * 2^12 + w0 * 2^16 + w4 * 2^20 + w1 * 2^24 +
   w5 * 2^28. The upper half of (x0 + x2 * 2^16) * (w & 0x000F000F) is x0 w0 + x2 w2, and the same with w >> 8, w >> 4 and
   w >> 12 gives the other pairs.
   Precondition, checked by the compiler for every row: over a chunk of words, the sum of these products stays below 2^16.
   For any weights of 0 to 15 that is so for two words. */
#ifndef QNN_NARROW_H
#define QNN_NARROW_H

#include "qnn_dual.h"

QNN_INLINE uint32_t qnn_narrow_pair(uint32_t w)
{
    return w & 0x000F000Fu;
}

#endif
