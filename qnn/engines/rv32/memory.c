/* SPDX-License-Identifier: MIT
 * The mem* functions that compilers call on their own, as a chip's ROM has them: by words where both ends allow it.
 * The empty asm keeps the compiler from turning a loop into a call of the very function it is in. */
#include <stddef.h>
#include <stdint.h>

#define KEEP_LOOP __asm__ volatile("" ::: "memory")

void *memcpy(void *to, const void *from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *left, const void *right, size_t bytes);

void *memcpy(void *to, const void *from, size_t bytes)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    if ((((uintptr_t)t | (uintptr_t)f) & 3u) == 0)
        for (; bytes >= 4; bytes -= 4, t += 4, f += 4) {
            *(uint32_t *)(void *)t = *(const uint32_t *)(const void *)f;
            KEEP_LOOP;
        }
    for (; bytes; bytes--) {
        *t++ = *f++;
        KEEP_LOOP;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    if ((uintptr_t)t <= (uintptr_t)f || (uintptr_t)t >= (uintptr_t)f + bytes)
        return memcpy(to, from, bytes);
    while (bytes--) {
        t[bytes] = f[bytes];
        KEEP_LOOP;
    }
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    uint8_t *t = to;
    uint32_t all = (uint32_t)(value & 0xFF) * 0x01010101u;
    if (((uintptr_t)t & 3u) == 0)
        for (; bytes >= 4; bytes -= 4, t += 4) {
            *(uint32_t *)(void *)t = all;
            KEEP_LOOP;
        }
    for (; bytes; bytes--) {
        *t++ = (uint8_t)all;
        KEEP_LOOP;
    }
    return to;
}

int memcmp(const void *left, const void *right, size_t bytes)
{
    const uint8_t *l = left, *r = right;
    for (; bytes; bytes--, l++, r++) {
        if (*l != *r)
            return *l < *r ? -1 : 1;
        KEEP_LOOP;
    }
    return 0;
}
