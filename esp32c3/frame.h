/* SPDX-License-Identifier: MIT
 * Frames on a serial line (PROTOCOL.md, 2): COBS between zero bytes, the last four bytes a CRC-32. */
#ifndef QNN_FRAME_H
#define QNN_FRAME_H

#include <stdint.h>

#define CRC_BYTES 4u

/* A frame that is coming in. `bytes` has `room` of them; size is how many are there. */
typedef struct {
    uint8_t *bytes;
    uint32_t room, size;
    uint8_t code, left, bad;
} Frame;

enum { FRAME_PART, FRAME_WHOLE, FRAME_BAD };

/* Takes one byte from the line. FRAME_WHOLE: size says how long the frame is, without the CRC, until the next byte. */
int frame_take(Frame *frame, uint8_t byte);

/* Sends bytes[0..size) with its CRC, for which there must be room behind them. */
void frame_send(uint32_t line, uint8_t *bytes, uint32_t size);

void put_word(uint8_t *to, uint32_t value);
uint32_t get_word(const uint8_t *from);

#endif
