/* SPDX-License-Identifier: MIT
 * What the image does by itself in an emulator with semihosting: write the results to a file, then end. */
#include "qnn-config.h"
#include <stdint.h>

enum { SYS_OPEN = 0x01, SYS_CLOSE = 0x02, SYS_WRITE = 0x05, SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20 };
enum { WRITE_BINARY = 5 };
enum { APPLICATION_EXIT = 0x20026 };

uint32_t qnnScratch[(QNNNAME(SCRATCH_BYTES) + 3) / 4];
const uint32_t qnnScratchSize = QNNNAME(SCRATCH_BYTES);

int qnnSemihost(uint32_t operation, const void *parameters);
void qnnFinish(uint32_t status, const uint8_t *job);
void qnnTrapped(uint32_t cause, uint32_t address);

static void leave(uint32_t code)
{
    uint32_t parameters[2];
    parameters[0] = APPLICATION_EXIT;
    parameters[1] = code;
    (void)qnnSemihost(SYS_EXIT_EXTENDED, parameters);
    for (;;) {
    }
}

static uint32_t address(const void *pointer)
{
    return (uint32_t)(uintptr_t)pointer;
}

/* Writes the results to reply.bin in the emulator's folder; exit code: the job's status, 3 if that fails. */
void qnnFinish(uint32_t status, const uint8_t *job)
{
    static const char name[] = "reply.bin";
    const uint32_t *words = (const uint32_t *)(const void *)job;
    uint32_t parameters[3];
    int file;
    parameters[0] = address(name);
    parameters[1] = WRITE_BINARY;
    parameters[2] = sizeof name - 1;
    file = qnnSemihost(SYS_OPEN, parameters);
    if (file < 0)
        leave(3);
    parameters[0] = (uint32_t)file;
    parameters[1] = address(job + words[AtReply]);
    parameters[2] = words[AtReplyBytes];
    if (qnnSemihost(SYS_WRITE, parameters) != 0)
        leave(3);
    (void)qnnSemihost(SYS_CLOSE, parameters);
    leave(status);
}

/* Says which exception the model raised, and ends with code 4. */
void qnnTrapped(uint32_t cause, uint32_t address_of_fault)
{
    static char text[] = "exception 00000000 at 00000000\n";
    int digit;
    for (digit = 0; digit < 8; digit++) {
        text[10 + digit] = "0123456789abcdef"[cause >> (28 - 4 * digit) & 15];
        text[22 + digit] = "0123456789abcdef"[address_of_fault >> (28 - 4 * digit) & 15];
    }
    (void)qnnSemihost(SYS_WRITE0, text);
    leave(4);
}
