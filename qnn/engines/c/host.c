/* SPDX-License-Identifier: MIT
 * The host's side of job.c: scratch from the heap, exactly as large as the model asks for; with QNNMAIN a program
 * that reads a job from one file and writes it with its results to another. */
#include <stdint.h>
#include <stdlib.h>
#ifdef QNNMAIN
#include <stdio.h>
#endif

#ifdef _WIN32
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED
#endif

int qnnJob(uint8_t *job, uint8_t *scratch);
uint32_t qnnScratchBytes(void);
EXPORTED int qnnHost(uint8_t *job);

/* 0: done; 1: a function of the model failed; 2: no memory. */
EXPORTED int qnnHost(uint8_t *job)
{
    uint8_t *scratch = malloc(qnnScratchBytes());
    int status = 2;
    if (scratch)
        status = qnnJob(job, scratch) ? 1 : 0;
    free(scratch);
    return status;
}

#ifdef QNNMAIN
static long sizeOf(FILE *file)
{
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    rewind(file);
    return size;
}

int main(int argc, char **argv)
{
    FILE *request = argc == 3 ? fopen(argv[1], "rb") : NULL, *reply = argc == 3 ? fopen(argv[2], "wb") : NULL;
    long size = request && reply ? sizeOf(request) : -1;
    uint8_t *job = size > 0 ? malloc((size_t)size) : NULL;
    int status = 3;
    if (job && fread(job, 1, (size_t)size, request) == (size_t)size) {
        status = qnnHost(job);
        if (fwrite(job, 1, (size_t)size, reply) != (size_t)size || fclose(reply))
            status = 3;
    }
    free(job);
    if (request)
        fclose(request);
    return status;
}
#endif
