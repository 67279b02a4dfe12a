/* SPDX-License-Identifier: MIT
 * Runs a batch of samples through a model's header; the same file for the host and for RV32 (see qnn/engines/job.py).
 * Names have no underscore, so that they cannot collide with a model's, which all start with NAME_. */
#include "qnn-config.h"
#include <stdint.h>
#ifdef QNNISOLATE
#include <stdlib.h>
#endif

/* A job is one block of memory: little-endian words first, then data; words are sizes or offsets from its start.
 * qnn-config.h has the words' indices: AtCount and so on. */
static uint32_t word(const uint8_t *job, uint32_t index)
{
    const uint8_t *w = job + 4 * index;
    return w[0] | (uint32_t)w[1] << 8 | (uint32_t)w[2] << 16 | (uint32_t)w[3] << 24;
}

static uint8_t *place(uint8_t *job, uint32_t index, uint32_t stride, uint32_t sample)
{
    uint32_t offset = word(job, index);
    return offset ? job + offset + stride * sample : (uint8_t *)0;
}

#if defined(QNNTRACE) || defined(QNNISOLATE)
static void copy(uint8_t *to, const void *from, uint32_t bytes)
{
    const uint8_t *source = from;
    while (bytes--)
        *to++ = *source++;
}
#endif

#ifdef QNNTRACE
static uint8_t *traceNext, *traceEnd;

void qnnTrace(uint32_t node, const void *data, uint32_t bytes);

/* A record: the node's index, the size and the data; nothing once the space that the graph calls for is used up. */
void qnnTrace(uint32_t node, const void *data, uint32_t bytes)
{
    uint32_t header[2];
    header[0] = node;
    header[1] = bytes;
    if ((uint32_t)(traceEnd - traceNext) < sizeof header || (uint32_t)(traceEnd - traceNext) - sizeof header < bytes) {
        traceEnd = traceNext;
        return;
    }
    copy(traceNext, header, 8);
    copy(traceNext + 8, data, bytes);
    traceNext += 8 + bytes;
}
#endif

#ifdef QNNISOLATE
/* Input and output of each call in heap blocks of their own, so that AddressSanitizer sees one byte too far. */
static int isolated(int quantized, const uint8_t *in, uint32_t in_bytes, uint8_t *out, void *scratch)
{
    uint32_t in_shift = (uint32_t)((uintptr_t)in & 3u), out_shift = (uint32_t)((uintptr_t)out & 3u);
    uint8_t *own_in = malloc(in_bytes + in_shift), *own_out = malloc(QNNOUTBYTES + out_shift);
    int status = 1;
    if (own_in && own_out) {
        copy(own_in + in_shift, in, in_bytes);
        status = quantized ? QNNNAME(run_q)((const void *)(own_in + in_shift), (void *)(own_out + out_shift), scratch)
                           : QNNNAME(run)((const void *)(own_in + in_shift), (void *)(own_out + out_shift), scratch);
        copy(out, own_out + out_shift, QNNOUTBYTES);
    }
    free(own_in);
    free(own_out);
    return status;
}
#define RUN(in, out, scratch) isolated(0, in, QNNINBYTES, out, scratch)
#define RUNQ(in, out, scratch) isolated(1, in, QNNQBYTES, out, scratch)
#else
#define RUN(in, out, scratch) QNNNAME(run)((const void *)(in), (void *)(out), scratch)
#define RUNQ(in, out, scratch) QNNNAME(run_q)((const void *)(in), (void *)(out), scratch)
#endif

#ifdef QNNCOUNT
/* start.S: calls `function` as NAME_run and stores how many instructions it retired. */
typedef int (*QnnFunction)(const QNNNAME(in_t) *, QNNNAME(out_t) *, void *);
int qnnCounted(const QNNNAME(in_t) *in, QNNNAME(out_t) *out, void *scratch, QnnFunction function, uint32_t *count);
#endif

static int runOne(uint8_t *job, uint32_t sample, const uint8_t *in, void *scratch)
{
    uint8_t *out = place(job, AtOut, QNNOUTBYTES, sample);
#ifdef QNNCOUNT
    uint8_t *instructions = place(job, AtInstructions, 4, sample);
    if (instructions)
        return qnnCounted((const void *)in, (void *)out, scratch, QNNNAME(run), (uint32_t *)(void *)instructions);
#endif
    return RUN(in, out, scratch);
}

static int heads(uint8_t *job, uint32_t sample, const uint8_t *in, void *scratch)
{
    int status = 0;
#if QNNCLASS
    int32_t *class = (int32_t *)(void *)place(job, AtClass, 4, sample);
    if (class)
        *class = (int32_t)QNNNAME(classify)((const void *)in, scratch);
#endif
#if QNNPROBABILITIES
    uint16_t *probabilities = (uint16_t *)(void *)place(job, AtProbabilities, QNNPROBABILITIES, sample);
    if (probabilities)
        status |= QNNNAME(probabilities)((const void *)in, probabilities, scratch);
#endif
#if QNNVALUE
    int32_t *values = (int32_t *)(void *)place(job, AtValue, QNNVALUE, sample);
    if (values)
        status |= QNNNAME(value)((const void *)in, values, scratch);
#endif
    (void)job, (void)sample, (void)in, (void)scratch;
    return status;
}

int qnnJob(uint8_t *job, uint8_t *scratch);
uint32_t qnnScratchBytes(void);

/* How much scratch memory the model asks for. */
uint32_t qnnScratchBytes(void)
{
    return QNNNAME(SCRATCH_BYTES);
}

/* Runs every sample of the job; 0 if every call returned 0. */
int qnnJob(uint8_t *job, uint8_t *scratch)
{
    uint32_t count = word(job, AtCount), sample, i;
    int status = 0;
    for (i = 0; i < QNNNAME(SCRATCH_BYTES); i++)
        scratch[i] = 0xA5; /* a model must not count on zeros */
#ifdef QNNTRACE
    traceNext = place(job, AtTrace, 0, 0);
    traceEnd = traceNext + word(job, AtTraceBytes);
#endif
    for (sample = 0; sample < count; sample++) {
        const uint8_t *in = place(job, AtIn, QNNINBYTES, sample);
        const uint8_t *in_q = place(job, AtInQ, QNNQBYTES, sample);
        status |= runOne(job, sample, in, scratch);
        status |= heads(job, sample, in, scratch);
        if (in_q)
            status |= RUNQ(in_q, place(job, AtOutQ, QNNOUTBYTES, sample), scratch);
    }
    return status;
}
