/* SPDX-License-Identifier: MIT
 * A stand-in for Zephyr. Not the real one. */
#pragma once
#include <stdint.h>
static inline uint32_t k_cycle_get_32(void) { return 0; }
static inline uint32_t k_cyc_to_us_floor32(uint32_t cycles) { return cycles; }
