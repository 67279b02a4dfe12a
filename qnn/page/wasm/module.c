/* SPDX-License-Identifier: MIT
 * What a page calls: fixed places for input and results, one inference with every layer kept, NAME_run alone. */
#include "qnn-config.h"

#define EXPORTED(name) __attribute__((export_name(#name), used)) name
#define WORDS(bytes) (((bytes) + 7u) / 4u) /* never none */

static uint32_t input[WORDS(QNNINBYTES)], output[WORDS(QNNOUTBYTES)], layers[WORDS(QNNLAYERBYTES)];
static uint32_t scratch[WORDS(QNNNAME(SCRATCH_BYTES))];
static uint32_t class_of[WORDS(QNNCLASS)], probabilities[WORDS(QNNPROBABILITIES)], values[WORDS(QNNVALUE)];
static uint32_t kept, keeping;

void qnnTrace(uint32_t node, const void *data, uint32_t bytes);
void *qnnInput(void);
void *qnnOutput(void);
void *qnnClass(void);
void *qnnProbabilities(void);
void *qnnValues(void);
void *qnnLayers(void);
int qnnRun(uint32_t times);
int qnnInfer(void);

void qnnTrace(uint32_t node, const void *data, uint32_t bytes)
{
    const uint8_t *from = data;
    uint8_t *to = (uint8_t *)layers + kept;
    (void)node;
    if (!keeping)
        return;
    kept += bytes;
    while (bytes--)
        *to++ = *from++;
}

void *EXPORTED(qnnInput)(void) { return input; }
void *EXPORTED(qnnOutput)(void) { return output; }
void *EXPORTED(qnnClass)(void) { return class_of; }
void *EXPORTED(qnnProbabilities)(void) { return probabilities; }
void *EXPORTED(qnnValues)(void) { return values; }
void *EXPORTED(qnnLayers)(void) { return layers; }

int EXPORTED(qnnRun)(uint32_t times)
{
    int failed = 0;
    while (times--)
        failed |= QNNNAME(run)((const void *)input, (void *)output, scratch);
    return failed;
}

int EXPORTED(qnnInfer)(void)
{
    int failed;
    kept = 0;
    keeping = 1;
    failed = qnnRun(1);
    keeping = 0;
#if QNNCLASS
    *(int32_t *)class_of = (int32_t)QNNNAME(classify)((const void *)input, scratch);
#endif
#if QNNPROBABILITIES
    failed |= QNNNAME(probabilities)((const void *)input, (void *)probabilities, scratch);
#endif
#if QNNVALUE
    failed |= QNNNAME(value)((const void *)input, (void *)values, scratch);
#endif
    return failed;
}
