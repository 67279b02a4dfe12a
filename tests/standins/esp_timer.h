/* SPDX-License-Identifier: MIT
 * A stand-in for ESP-IDF. Not the real one. */
#pragma once
#include <stdint.h>
static inline int64_t esp_timer_get_time(void) { return 0; }
void app_main(void);
int main(void) { app_main(); return 0; }
