/* SPDX-License-Identifier: MIT
 * The inference server: takes requests from both lines and answers each on its own (PROTOCOL.md). */
#ifndef QNN_SERVER_H
#define QNN_SERVER_H

#include <stdint.h>

/* What the self-test found: 0 all right, n the n-th output value differs, or SELF_TEST_NONE without vectors. */
#define SELF_TEST_NONE 0xFFFFFFFFu

uint32_t self_test(void);
uint32_t stack_used(void);
void serve(uint32_t clock_hz); /* does not return */

/* model.c: called after each node of the model; keeps the tensor that a layer request asks for. */
extern uint32_t trace_node;
void trace_keep(const void *data, uint32_t bytes);

#endif
