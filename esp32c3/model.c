/* SPDX-License-Identifier: MIT
 * The model, whose code and constants the linker script keeps apart from the firmware's. model-trace.h, written by
 * qnn, defines NAME_TRACE(node, data, bytes) as QNN_KEEP and includes NAME.h. */
#include "server.h"

#define QNN_KEEP(node, data, bytes) \
    do { \
        if (trace_node == (uint32_t)(node)) \
            trace_keep((data), (uint32_t)(bytes)); \
    } while (0)
#include "model-trace.h"
