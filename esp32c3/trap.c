/* SPDX-License-Identifier: MIT
 * A trap is told again every second, so that whoever connects later sees it too. It lives in SRAM like the console. */
#include "soc.h"

void trap(uint32_t cause, uint32_t address, uint32_t value, uint32_t stack);

static const char *name(uint32_t cause)
{
    static const char *const names[] = {"misaligned jump", "unreadable code", "illegal instruction", "breakpoint",
        "misaligned load", "load fault", "misaligned store", "store fault"};
    return cause < sizeof names / sizeof *names ? names[cause] : "unknown";
}

IRAM void trap(uint32_t cause, uint32_t address, uint32_t value, uint32_t stack)
{
    for (;;) {
        uint32_t start = timer_ticks();
        usb_retry();
        print("\nTRAP ");
        print_decimal(cause);
        print(" (");
        print(name(cause));
        print(") at ");
        print_hex(address);
        print(", value ");
        print_hex(value);
        print(", stack ");
        print_hex(stack);
        print(stack < (uint32_t)(uintptr_t)_stack_bottom ? " overflowed\n" : "\n");
        print_end();
        while (timer_ticks() - start < 16000000u)
            ;
    }
}
