/* SPDX-License-Identifier: MIT
 * What the firmware needs of the ESP32-C3: registers, counters, and the two serial lines. */
#ifndef QNN_SOC_H
#define QNN_SOC_H

#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define IRAM __attribute__((section(".iram"), noinline))

#define CPU_HZ 160000000u
#define PAINT 0xC35AA53Cu /* start.S fills the stack with it */

enum { UART, USB, LINES };
enum { COUNT_CYCLES, COUNT_INSTRUCTIONS }; /* events of the performance counter */

/* Given by the linker script. */
extern uint32_t _stack_bottom[], _stack_top[];

/* soc.c */
void map_flash(void);
void watchdogs_off(void);
uint32_t start_clock(void); /* switches to 160 MHz; the frequency in Hz, measured with the system timer; 0 if that stands */
uint32_t timer_ticks(void); /* of the 16 MHz system timer, modulo 2^32 */

static inline void counter_start(uint32_t event)
{
    __asm__ volatile("csrw 0x7e0, %0; csrw 0x7e1, %1; csrw 0x7e2, zero" ::"r"(1u << event), "r"(1) : "memory");
}

static inline uint32_t counter_read(void)
{
    uint32_t count;
    __asm__ volatile("csrr %0, 0x7e2" : "=r"(count)::"memory");
    return count;
}

/* console.c */
uint32_t line_available(uint32_t line); /* how many bytes can be read at once, at least */
uint8_t line_get(uint32_t line);
void line_put(uint32_t line, uint8_t byte);
void line_flush(uint32_t line);
void usb_retry(void); /* looks for a host again, which takes some 50 ms if there is none */
void print(const char *text); /* on both lines */
void print_hex(uint32_t value);
void print_decimal(uint32_t value);
void print_end(void); /* ends a text: a zero byte, which is where frames begin */

#endif
