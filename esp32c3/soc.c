/* SPDX-License-Identifier: MIT
 * Flash mapping, watchdogs and clock, by register. */
#include "soc.h"

#define RTC 0x60008000u
#define TIMER_GROUP0 0x6001F000u
#define TIMER_GROUP1 0x60020000u
#define SYSTIMER 0x60023000u
#define SYSTEM 0x600C0000u
#define CACHE_CONTROL1 0x600C4004u
#define FLASH_MMU 0x600C5000u
#define MMU_PAGES 128u
#define WATCHDOG_KEY 0x50D83AA1u
#define SUPER_WATCHDOG_KEY 0x8F1D312Au

#define ROM_CACHE_DISABLE ((void (*)(void))0x4000051C)
#define ROM_CACHE_INVALIDATE ((void (*)(void))0x400004D8)
#define ROM_CACHE_ENABLE ((void (*)(uint32_t))0x40000520)

/* The ROM loaded this program and set the flash to the mode and clock of the image's header, but left the flash
 * unmapped and the cache off. Runs from SRAM. */
IRAM void map_flash(void)
{
    uint32_t page;
    ROM_CACHE_DISABLE();
    REG(CACHE_CONTROL1) |= 3u; /* both buses shut */
    for (page = 0; page < MMU_PAGES; page++)
        REG(FLASH_MMU + 4u * page) = page; /* flash X at 0x42000000 + X and 0x3C000000 + X */
    ROM_CACHE_INVALIDATE();
    REG(CACHE_CONTROL1) &= ~3u;
    ROM_CACHE_ENABLE(0);
}

static void timer_group_watchdog_off(uint32_t base)
{
    REG(base + 0x64u) = WATCHDOG_KEY;
    REG(base + 0x48u) = 0;
    REG(base + 0x48u) |= 1u << 22; /* take the change over */
    REG(base + 0x64u) = 0;
}

void watchdogs_off(void)
{
    REG(RTC + 0xA8u) = WATCHDOG_KEY;
    REG(RTC + 0x90u) = 0;
    REG(RTC + 0xA8u) = 0;
    REG(RTC + 0xB0u) = SUPER_WATCHDOG_KEY;
    REG(RTC + 0xACu) |= 3u << 30;
    REG(RTC + 0xB0u) = 0;
    timer_group_watchdog_off(TIMER_GROUP0);
    timer_group_watchdog_off(TIMER_GROUP1);
}

uint32_t timer_ticks(void)
{
    uint32_t tries = 1000;
    REG(SYSTIMER + 4u) = 1u << 30;
    while (!(REG(SYSTIMER + 4u) & 1u << 29) && --tries)
        ; /* until the value is valid, or surely so */
    return REG(SYSTIMER + 0x44u);
}

uint32_t start_clock(void)
{
    uint32_t start, ticks, readings = 100000;
    REG(SYSTEM + 0x08u) = (REG(SYSTEM + 0x08u) & ~3u) | 1u << 2 | 1u;   /* PLL at 480 MHz, CPU period of 160 MHz */
    REG(SYSTEM + 0x58u) = (REG(SYSTEM + 0x58u) & ~0xFFFu) | 1u << 10; /* the PLL, undivided */
    start = timer_ticks();
    counter_start(COUNT_CYCLES);
    do
        ticks = timer_ticks() - start;
    while (ticks < 16000u && --readings); /* 1 ms, if the timer runs */
    return readings ? counter_read() * 1000u / (ticks / 16u) * 1000u : 0;
}
