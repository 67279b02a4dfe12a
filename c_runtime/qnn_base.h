/* SPDX-License-Identifier: 0BSD */
/* What every kernel needs: inlining, unaligned access, the arithmetic shift (SPEC 1). */
#ifndef QNN_BASE_H
#define QNN_BASE_H

#include <stdint.h>

#define QNN_RUNTIME_SPEC_VERSION 1

#if defined(__GNUC__)
#define QNN_INLINE static inline __attribute__((always_inline, unused))
#define QNN_KERNEL static inline __attribute__((unused))
#else
#define QNN_INLINE static inline
#define QNN_KERNEL static inline
#endif

/* Constants: QNN_CONST defines them, QNN_READ(x) reads x, one element of a const array, and QNN_FETCH(pointer, bytes) lets
   a pointer to parameters point to a copy on the stack where they cannot be read as they lie. That is so on AVR: there
   constants stay in program memory, in the 64 kB that avr-libc's ordinary functions reach. Elsewhere they are const data. */
#if defined(__AVR__)
#include <avr/pgmspace.h>
#define QNN_CONST static const PROGMEM
#define QNN_READ_64(from) (pgm_read_dword(from) | (uint64_t)pgm_read_dword((const uint8_t *)(from) + 4) << 32)
#define QNN_READ(x) \
    ((__typeof__(x))(sizeof(x) == 1   ? pgm_read_byte(&(x)) \
                     : sizeof(x) == 2 ? pgm_read_word(&(x)) \
                     : sizeof(x) == 4 ? pgm_read_dword(&(x)) \
                                      : QNN_READ_64(&(x))))
#define QNN_FETCH(pointer, bytes) \
    uint8_t pointer##_fetched[bytes]; \
    pointer = (__typeof__(pointer))memcpy_P(pointer##_fetched, pointer, bytes)
#else
#define QNN_CONST static const
#define QNN_READ(x) (x)
#define QNN_FETCH(pointer, bytes) ((void)(bytes))
#endif

/* Constants that live in RAM: start-up code copies them there, as it copies initialized variables, and no function
   writes to them. Define QNN_RAM before this file where a linker script wants another section. */
#if !defined(QNN_RAM)
#if defined(__GNUC__) && defined(__ELF__) && !defined(__AVR__)
#define QNN_RAM static const __attribute__((section(".data.qnn_RAM")))
#else
#define QNN_RAM QNN_CONST
#endif
#endif

/* A function that all layers of a model share: one copy of its code. */
#if defined(__GNUC__)
#define QNN_SHARED static __attribute__((unused, noinline))
#else
#define QNN_SHARED static
#endif
#ifdef QNN_TIGHT
/* Kernels that read constants also read what was unpacked into scratch memory, through pointers that QNN_OPENED gives. On
   AVR, where the two are read differently, these have a mark: constants and scratch memory are in the lower 32 kB. */
#if defined(__AVR__)
#if defined(RAMEND) && RAMEND > 0x7FFF
#error "scratch memory above 32 kB cannot be told from constants: compile the model with --pack off"
#endif
#undef QNN_READ
#undef QNN_FETCH
#define QNN_MARK 0x8000u
#define QNN_OPENED(pointer) ((__typeof__(pointer))((uintptr_t)(pointer) | QNN_MARK))
#define QNN_READ_FLASH(read, from) read(from)
QNN_SHARED uint8_t qnn_read_8(const void *from)
{
    uintptr_t at = (uintptr_t)from;
    return at & QNN_MARK ? *(const uint8_t *)(at & (QNN_MARK - 1u)) : QNN_READ_FLASH(pgm_read_byte, from);
}

QNN_SHARED uint32_t qnn_read_32(const void *from)
{
    uintptr_t at = (uintptr_t)from;
    return at & QNN_MARK ? *(const uint32_t *)(at & (QNN_MARK - 1u)) : QNN_READ_FLASH(pgm_read_dword, from);
}

/* Nothing of 2 or 8 bytes is unpacked. */
#define QNN_READ(x) \
    ((__typeof__(x))(sizeof(x) == 1   ? qnn_read_8(&(x)) \
                     : sizeof(x) == 2 ? pgm_read_word(&(x)) \
                     : sizeof(x) == 4 ? qnn_read_32(&(x)) \
                                      : QNN_READ_64(&(x))))
#define QNN_FETCH(pointer, bytes) \
    uint8_t pointer##_fetched[bytes]; \
    pointer = (__typeof__(pointer))((uintptr_t)(pointer) & QNN_MARK \
                                        ? (const void *)((uintptr_t)(pointer) & (QNN_MARK - 1u)) \
                                        : memcpy_P(pointer##_fetched, pointer, bytes))
#endif
#endif /* QNN_TIGHT */

/* gcc's first scheduling pass hoists the loads of these loops and then spills their sums. */
#if defined(__GNUC__) && !defined(__clang__)
#define QNN_BLOCK static __attribute__((unused, noinline, optimize("no-schedule-insns")))
#else
#define QNN_BLOCK static __attribute__((unused, noinline))
#endif

/* What is read through `pointer` from here on is read after the sums a, b and c are computed. Compilers that read and
   multiply everything first, to hide a latency that small cores do not have, run out of registers. */
#if defined(__GNUC__)
#define QNN_ORDER(pointer, a, b, c) __asm__("" : "+r"(pointer) : "r"(a), "r"(b), "r"(c))
#else
#define QNN_ORDER(pointer, a, b, c) ((void)(pointer))
#endif

/* gcc may not derive anything from how `value` was computed: w ^ (w & mask) stays so, where w & ~mask needs another
   register for the other mask. clang keeps it. */
#if defined(__GNUC__) && !defined(__clang__)
#define QNN_OPAQUE(value) __asm__("" : "+r"(value))
#else
#define QNN_OPAQUE(value) ((void)(value))
#endif

/* Stands in a branch that changes `value`, where compilers would take the longer way around it, with a mask. */
#if defined(__GNUC__)
#define QNN_BRANCH(value) __asm__("" : "+r"(value))
#else
#define QNN_BRANCH(value) ((void)(value))
#endif

/* A function that all layers of a model share, where the code's size matters more than its speed. */
#if defined(__clang__)
#define QNN_SMALL static __attribute__((unused, noinline, cold))
#elif defined(__GNUC__)
#define QNN_SMALL static __attribute__((unused, noinline, optimize("no-schedule-insns", "no-tree-pre")))
#else
#define QNN_SMALL static
#endif

/* Stands before a public function that others call: they do not each get a copy of the network's code. */
#if defined(__GNUC__)
#define QNN_ENTRY __attribute__((noinline))
#else
#define QNN_ENTRY
#endif

#ifdef QNN_LEAST
/* --optimize size: every function is compiled for size, and no kernel is instantiated for each layer. */
#undef QNN_KERNEL
#undef QNN_SHARED
#undef QNN_BLOCK
#undef QNN_SMALL
#undef QNN_ENTRY
#if defined(__clang__)
#define QNN_TIGHT unused, minsize
#define QNN_ENTRY __attribute__((noinline, minsize))
#elif defined(__GNUC__)
#define QNN_TIGHT unused, optimize("Os", "no-move-loop-invariants")
#define QNN_ENTRY __attribute__((noinline, optimize("Os", "no-move-loop-invariants")))
#else
#define QNN_ENTRY
#endif
#if defined(__GNUC__)
#define QNN_KERNEL static __attribute__((QNN_TIGHT))
#define QNN_SHARED static __attribute__((noinline, QNN_TIGHT))
#else
#define QNN_KERNEL static
#define QNN_SHARED static
#endif
#define QNN_BLOCK QNN_SHARED
#define QNN_SMALL QNN_SHARED
#endif /* QNN_LEAST */
#ifdef QNN_BALANCED
/* --optimize balanced: no kernel is instantiated for each layer. */
#undef QNN_KERNEL
#define QNN_KERNEL QNN_SHARED
#endif /* QNN_BALANCED */
#ifdef QNN_CONSTANT_TIME
/* --constant-time: no value that depends on inputs decides which instructions run. QNN_HIDE keeps compilers from seeing
   that a mask is all ones or all zeros, which they would make a branch of. */
#if defined(__GNUC__)
#define QNN_HIDE(value) __asm__("" : "+r"(value))
#else
#define QNN_HIDE(value) ((void)(value))
#endif

/* All ones where the condition is 1, all zeros where it is 0. */
QNN_INLINE uint32_t qnn_mask(int32_t condition)
{
    uint32_t mask = 0u - (uint32_t)condition;
    QNN_HIDE(mask);
    return mask;
}

/* a where the mask is all ones, b where it is all zeros. */
QNN_INLINE int32_t qnn_choose(uint32_t mask, int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)b ^ (((uint32_t)a ^ (uint32_t)b) & mask));
}

QNN_INLINE int32_t qnn_smaller(int32_t a, int32_t b)
{
    return qnn_choose(qnn_mask(a < b), a, b);
}

QNN_INLINE int32_t qnn_larger(int32_t a, int32_t b)
{
    return qnn_choose(qnn_mask(a > b), a, b);
}
#endif /* QNN_CONSTANT_TIME */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define QNN_LITTLE_ENDIAN 1
#else
#define QNN_LITTLE_ENDIAN 0
#endif

/* A pointer that is a multiple of 4. */
#if defined(__GNUC__)
#define QNN_ALIGNED(pointer) ((const uint8_t *)__builtin_assume_aligned(pointer, 4))
#else
#define QNN_ALIGNED(pointer) (pointer)
#endif

/* >> of a negative number must round down, as every compiler for two's complement machines does. */
typedef char qnn_arithmetic_shift_required[((-3) >> 1) == -2 ? 1 : -1];

/* The caller's arrays may have any alignment: they are read and written byte by byte. */
QNN_INLINE int32_t qnn_load_i32(const int32_t *from)
{
    const unsigned char *source = (const unsigned char *)from;
    int32_t value;
    unsigned char *bytes = (unsigned char *)&value;
    if (QNN_LITTLE_ENDIAN) { /* says the same in a way that compilers make better code of */
        return (int32_t)(source[0] | (uint32_t)source[1] << 8 | (uint32_t)source[2] << 16 | (uint32_t)source[3] << 24);
    }
    bytes[0] = source[0];
    bytes[1] = source[1];
    bytes[2] = source[2];
    bytes[3] = source[3];
    return value;
}

QNN_INLINE void qnn_store_i32(int32_t *to, int32_t value)
{
    const unsigned char *bytes = (const unsigned char *)&value;
    unsigned char *target = (unsigned char *)to;
    target[0] = bytes[0];
    target[1] = bytes[1];
    target[2] = bytes[2];
    target[3] = bytes[3];
}

QNN_INLINE void qnn_store_16(void *to, uint16_t value)
{
    const unsigned char *bytes = (const unsigned char *)&value;
    unsigned char *target = (unsigned char *)to;
    target[0] = bytes[0];
    target[1] = bytes[1];
}

#endif
