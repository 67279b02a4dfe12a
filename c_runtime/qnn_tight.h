/* SPDX-License-Identifier: 0BSD */
/* Weights stored in as many bits as they need, unpacked into scratch memory a word at a time (SPEC 6.10).

   An unpacked word has fields of 4 or 8 bits. A stored word has the lower bits of the fields of several unpacked
   words, those of the next one `high` bits further up; where weights have 3, 5 or 6 bits, a word before every few of
   them has the upper bits in the same manner. */
#ifndef QNN_TIGHT_H
#define QNN_TIGHT_H

#include "qnn_base.h"

#ifndef QNN_OPENED
#define QNN_OPENED(pointer) (pointer)
#endif

/* words: groups of a word of upper bits, where `low` is not 0, and `repeat` words of lower bits. */
typedef struct {
    const uint32_t *words;
    uint16_t groups;
    uint8_t field;  /* bits of an unpacked weight: 4 or 8 */
    uint8_t high;   /* bits of a weight in a word of lower bits */
    uint8_t low;    /* the same in a word of upper bits, or 0 */
    uint8_t repeat; /* words of lower bits in a group */
    uint8_t each;   /* unpacked words that one of them gives */
    uint8_t add;    /* to each weight; no sum leaves its field */
    uint8_t flip;   /* 0x80 where the fields are to be bytes with signs, else 0 */
} qnn_tight_t;

/* A word of bytes in their order in memory. */
QNN_INLINE uint32_t qnn_tight_bytes(uint32_t word)
{
    if (QNN_LITTLE_ENDIAN) {
        return word;
    }
    return word >> 24 | (word >> 8 & 0xFF00u) | (word << 8 & 0xFF0000u) | word << 24;
}

/* Unpacks all weights; returns where they end. */
QNN_SHARED uint32_t *qnn_unpack(const qnn_tight_t *p, uint32_t *to)
{
    uint32_t every = p->field == 4 ? 0x11111111u : 0x01010101u, add = every * p->add, flip = every * p->flip;
    uint32_t lower = every * ((1u << p->high) - 1u), upper = every * ((1u << p->low) - 1u);
    int32_t high = p->high, low = p->low, group, i;
    const uint32_t *from = p->words;
    for (group = p->groups; group > 0; group--) {
        uint32_t above = low ? QNN_READ(*from++) : 0u;
        for (i = p->repeat; i > 0; i--) {
            uint32_t v = QNN_READ(*from++), *end = to + p->each;
            for (; to != end; to++) {
                uint32_t word = ((v & lower) + ((above & upper) << high) + add) ^ flip;
                *to = flip ? qnn_tight_bytes(word) : word;
                v >>= high;
                above >>= low;
            }
        }
    }
    return to;
}

#endif
