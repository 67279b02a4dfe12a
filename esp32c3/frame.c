/* SPDX-License-Identifier: MIT */
#include "frame.h"
#include "soc.h"

void put_word(uint8_t *to, uint32_t value)
{
    uint32_t i;
    for (i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

uint32_t get_word(const uint8_t *from)
{
    return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

/* CRC-32 as in zip and Ethernet, half a byte at a time. */
static uint32_t crc32(const uint8_t *bytes, uint32_t size)
{
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278,
        0xbdbdf21c};
    uint32_t crc = ~0u;
    while (size--) {
        crc ^= *bytes++;
        crc = crc >> 4 ^ table[crc & 15u];
        crc = crc >> 4 ^ table[crc & 15u];
    }
    return ~crc;
}

static void store(Frame *frame, uint8_t byte)
{
    if (frame->size < frame->room)
        frame->bytes[frame->size++] = byte;
    else
        frame->bad = 1;
}

static int finish(Frame *frame)
{
    uint32_t size = frame->size;
    int empty = frame->code == 0, broken = frame->bad || frame->left || size < CRC_BYTES;
    frame->size = 0;
    frame->code = frame->left = frame->bad = 0;
    if (empty)
        return FRAME_PART; /* zero bytes in a row */
    if (broken || crc32(frame->bytes, size - CRC_BYTES) != get_word(frame->bytes + size - CRC_BYTES))
        return FRAME_BAD;
    frame->size = size - CRC_BYTES;
    return FRAME_WHOLE;
}

int frame_take(Frame *frame, uint8_t byte)
{
    if (frame->code == 0)
        frame->size = 0; /* the one before was looked at */
    if (byte == 0)
        return finish(frame);
    if (frame->left) {
        frame->left--;
        store(frame, byte);
        return FRAME_PART;
    }
    if (frame->code != 0 && frame->code != 0xFF)
        store(frame, 0);
    frame->code = byte;
    frame->left = (uint8_t)(byte - 1);
    return FRAME_PART;
}

void frame_send(uint32_t line, uint8_t *bytes, uint32_t size)
{
    uint32_t at = 0, run, i;
    put_word(bytes + size, crc32(bytes, size));
    size += CRC_BYTES;
    line_put(line, 0);
    do {
        for (run = 0; run < 254u && at + run < size && bytes[at + run]; run++)
            ;
        line_put(line, (uint8_t)(run + 1u));
        for (i = 0; i < run; i++)
            line_put(line, bytes[at + i]);
        at += run;
        if (run < 254u)
            at++; /* the zero, or one past the end */
    } while (at < size || (at == size && run < 254u));
    line_put(line, 0);
    line_flush(line);
}
