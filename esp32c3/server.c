/* SPDX-License-Identifier: MIT */
#include "server.h"
#include "frame.h"
#include "model-config.h"
#include "soc.h"

#define PROTOCOL 1u
#define HEADER_BYTES 4u /* version, type, sequence, flags or status */
#define CHUNK_BYTES 1024u
#define UART_ROOM 112u /* of the UART's 128 bytes, which hold what comes in while the model runs */
#define USB_ROOM 4096u /* the host holds back what the line does not take */
#define NO_NODE 0xFFFFFFFFu

enum { HELLO = 1, INFER, LAYER, SELF_TEST, ECHO, COMPLAINT = 0x7F, REPLY = 0x80 };
enum { OK, BAD_FRAME, BAD_VERSION, BAD_TYPE, BAD_SIZE, BAD_VALUE, MODEL_FAILED, STACK_OVERFLOW };
enum { QUANTIZED = 1, CLASS = 2, PROBABILITIES = 4, VALUES = 8, INSTRUCTIONS = 16 };

#define LARGER(a, b) ((a) > (b) ? (a) : (b))
#define INPUT_BYTES LARGER(QNNINBYTES, QNNQBYTES)
#define LAYER_BYTES 8u /* node and offset, before the input */
#define FRAME_BYTES (HEADER_BYTES + LARGER(LAYER_BYTES + INPUT_BYTES, CHUNK_BYTES) + CRC_BYTES)
#define RESULT_BYTES (8u + QNNOUTBYTES + QNNCLASS + QNNPROBABILITIES + QNNVALUE)
#define REPLY_BYTES (HEADER_BYTES + LARGER(RESULT_BYTES, 8u + CHUNK_BYTES) + CRC_BYTES)

static uint32_t frame_memory[LINES][(FRAME_BYTES + 3u) / 4u];
static uint32_t reply_memory[(REPLY_BYTES + 3u) / 4u];
static uint32_t scratch[(QNNNAME(SCRATCH_BYTES) + 4u) / 4u];
static uint32_t self_test_result, clock_hz;

uint32_t trace_node = NO_NODE;
static uint32_t trace_offset, trace_bytes, trace_chunk;

static uint8_t *const reply = (uint8_t *)reply_memory;

static void copy(uint8_t *to, const uint8_t *from, uint32_t bytes)
{
    while (bytes--)
        *to++ = *from++;
}

uint32_t stack_used(void)
{
    const uint32_t *word = _stack_bottom;
    while (word < _stack_top && *word == PAINT)
        word++;
    return (uint32_t)((uintptr_t)_stack_top - (uintptr_t)word);
}

uint32_t self_test(void)
{
#if QNNSELFTEST
    self_test_result = (uint32_t)QNNNAME(self_test)(scratch);
#else
    self_test_result = SELF_TEST_NONE;
#endif
    return self_test_result;
}

void trace_keep(const void *data, uint32_t bytes)
{
    uint32_t left = bytes > trace_offset ? bytes - trace_offset : 0;
    trace_bytes = bytes;
    trace_chunk = left < CHUNK_BYTES ? left : CHUNK_BYTES;
    copy(reply + HEADER_BYTES + 8u, (const uint8_t *)data + (left ? trace_offset : 0), trace_chunk);
}

static int run(uint32_t flags, const uint8_t *in, uint8_t *out)
{
    if (flags & QUANTIZED)
        return QNNNAME(run_q)((const void *)in, (void *)out, scratch);
    return QNNNAME(run)((const void *)in, (void *)out, scratch);
}

/* Counts cycles or instructions of one run. */
static int counted(uint32_t event, uint32_t flags, const uint8_t *in, uint8_t *out, uint8_t *count)
{
    uint32_t n;
    int status;
    counter_start(event);
    status = run(flags, in, out);
    n = counter_read();
    put_word(count, n);
    return status;
}

/* The heads that the flags ask for, which take the raw input, written to `to`; how many bytes that were. */
static uint32_t heads(uint32_t flags, const uint8_t *in, uint8_t *to, int *status)
{
    uint32_t size = 0;
    (void)flags, (void)in, (void)to, (void)status;
#if QNNCLASS
    if (flags & CLASS) {
        put_word(to, (uint32_t)QNNNAME(classify)((const void *)in, scratch));
        size += QNNCLASS;
    }
#endif
#if QNNPROBABILITIES
    if (flags & PROBABILITIES) {
        uint16_t q15[QNNPROBABILITIES / 2u];
        *status |= QNNNAME(probabilities)((const void *)in, q15, scratch);
        copy(to + size, (const uint8_t *)q15, sizeof q15);
        size += QNNPROBABILITIES;
    }
#endif
#if QNNVALUE
    if (flags & VALUES) {
        int32_t values[QNNVALUE / 4u];
        *status |= QNNNAME(value)((const void *)in, values, scratch);
        copy(to + size, (const uint8_t *)values, sizeof values);
        size += QNNVALUE;
    }
#endif
    return size;
}

static uint32_t known_flags(void)
{
    return QUANTIZED | INSTRUCTIONS | (QNNCLASS ? CLASS : 0u) | (QNNPROBABILITIES ? PROBABILITIES : 0u) |
           (QNNVALUE ? VALUES : 0u);
}

/* Each request writes its reply behind the header and says how long it is; *status is OK before. */
static uint32_t infer(uint32_t flags, const uint8_t *in, uint32_t size, int *status)
{
    uint8_t *body = reply + HEADER_BYTES;
    int failed = 0;
    uint32_t quantized = flags & QUANTIZED, wrong = CLASS | PROBABILITIES | VALUES;
    if (flags & ~known_flags() || (quantized && (flags & wrong))) {
        *status = BAD_VALUE;
        return 0;
    }
    if (size != (quantized ? QNNQBYTES : QNNINBYTES)) {
        *status = BAD_SIZE;
        return 0;
    }
    put_word(body + 4, 0);
    failed |= counted(COUNT_CYCLES, flags, in, body + 8, body);
    if (flags & INSTRUCTIONS)
        failed |= counted(COUNT_INSTRUCTIONS, flags, in, body + 8, body + 4);
    size = 8u + QNNOUTBYTES + heads(flags, in, body + 8 + QNNOUTBYTES, &failed);
    *status = failed ? MODEL_FAILED : OK;
    return size;
}

static uint32_t layer(const uint8_t *in, uint32_t size, int *status)
{
    uint8_t *body = reply + HEADER_BYTES, out[QNNOUTBYTES];
    int failed;
    if (size != LAYER_BYTES + QNNINBYTES) {
        *status = BAD_SIZE;
        return 0;
    }
    if (get_word(in) >= QNNNODES) {
        *status = BAD_VALUE;
        return 0;
    }
    trace_bytes = trace_chunk = 0;
    trace_offset = get_word(in + 4);
    trace_node = get_word(in);
    failed = run(0, in + LAYER_BYTES, out);
    trace_node = NO_NODE;
    put_word(body, trace_bytes);
    put_word(body + 4, trace_offset);
    *status = failed ? MODEL_FAILED : OK;
    return 8u + trace_chunk;
}

static uint32_t hello(uint32_t line)
{
    static const uint8_t hash[32] = {QNNHASH};
    static const char name[] = QNNTEXT;
    const uint32_t words[] = {0xC3, known_flags(), clock_hz, QNNINBYTES, QNNQBYTES, QNNOUTBYTES, QNNCLASS,
        QNNPROBABILITIES, QNNVALUE, QNNNAME(SCRATCH_BYTES), QNNNODES, FRAME_BYTES - HEADER_BYTES - CRC_BYTES,
        line == UART ? UART_ROOM : USB_ROOM, (uint32_t)((uintptr_t)_stack_top - (uintptr_t)_stack_bottom),
        stack_used(), QNNSELFTEST, self_test_result, QNNNAME(SPEC_VERSION)};
    uint8_t *body = reply + HEADER_BYTES;
    uint32_t i;
    for (i = 0; i < sizeof words / sizeof *words; i++)
        put_word(body + 4 * i, words[i]);
    copy(body + sizeof words, hash, sizeof hash);
    copy(body + sizeof words + sizeof hash, (const uint8_t *)name, sizeof name - 1);
    return sizeof words + sizeof hash + sizeof name - 1;
}

static void answer(uint32_t line, uint8_t *frame, uint32_t size)
{
    uint8_t *out = reply;
    uint32_t bytes = 0, type = frame[1];
    int status = OK;
    if (frame[0] != PROTOCOL) {
        status = BAD_VERSION;
    } else if (type == INFER) {
        bytes = infer(frame[3], frame + HEADER_BYTES, size, &status);
    } else if (type == LAYER) {
        bytes = layer(frame + HEADER_BYTES, size, &status);
    } else if (type == ECHO) {
        out = frame;
        bytes = size;
    } else if (type != HELLO && type != SELF_TEST) {
        status = BAD_TYPE;
    } else if (size) {
        status = BAD_SIZE;
    } else if (type == HELLO) {
        bytes = hello(line);
    } else {
        put_word(reply + HEADER_BYTES, QNNSELFTEST);
        put_word(reply + HEADER_BYTES + 4, self_test());
        bytes = 8;
    }
    if (*_stack_bottom != PAINT && type != HELLO && type != ECHO)
        status = STACK_OVERFLOW;
    if (status != OK)
        bytes = 0;
    out[2] = frame[2];
    out[0] = PROTOCOL;
    out[1] = (uint8_t)(type | REPLY);
    out[3] = (uint8_t)status;
    frame_send(line, out, HEADER_BYTES + bytes);
}

static void take(uint32_t line, Frame *frame)
{
    int found = frame_take(frame, line_get(line));
    if (found == FRAME_WHOLE && frame->size >= HEADER_BYTES) {
        answer(line, frame->bytes, frame->size - HEADER_BYTES);
    } else if (found != FRAME_PART) {
        reply[0] = PROTOCOL;
        reply[1] = COMPLAINT | REPLY;
        reply[2] = 0;
        reply[3] = BAD_FRAME;
        frame_send(line, reply, HEADER_BYTES);
    }
}

void serve(uint32_t hz)
{
    static Frame frames[LINES];
    uint32_t line, turn, left;
    clock_hz = hz;
    for (line = 0; line < LINES; line++) {
        frames[line].bytes = (uint8_t *)frame_memory[line];
        frames[line].room = FRAME_BYTES;
    }
    for (;;)
        for (line = 0; line < LINES; line++)
            for (turn = 0; turn < 64u && (left = line_available(line)) != 0; turn++)
                while (left--)
                    take(line, &frames[line]);
}
