/* SPDX-License-Identifier: MIT
 * The two serial lines, and text on both. Everything here lives in SRAM, so that a trap can be told even when the
 * flash cannot be read. */
#include "soc.h"

#define UART0 0x60000000u
#define UART_STATUS (UART0 + 0x1Cu)
#define UART_FULL 126u
#define USB_DATA 0x60043000u
#define USB_STATUS 0x60043004u
#define USB_FLUSH 1u
#define USB_WRITABLE 2u
#define USB_READABLE 4u
#define PATIENCE 400000u /* polls: some 50 ms, in which the UART sends 500 bytes */

/* Without a host the USB line never becomes writable. It is given up until the host sends something. */
static uint8_t usb_absent;

uint32_t line_available(uint32_t line)
{
    if (line == UART)
        return REG(UART_STATUS) & 0x3FFu;
    return REG(USB_STATUS) & USB_READABLE ? 1u : 0u;
}

uint8_t line_get(uint32_t line)
{
    if (line == UART)
        return (uint8_t)REG(UART0);
    usb_absent = 0;
    return (uint8_t)REG(USB_DATA);
}

void line_put(uint32_t line, uint8_t byte)
{
    uint32_t polls = PATIENCE;
    if (line == UART) {
        while ((REG(UART_STATUS) >> 16 & 0x3FFu) >= UART_FULL && --polls)
            ;
        REG(UART0) = byte;
        return;
    }
    if (usb_absent)
        return;
    while (!(REG(USB_STATUS) & USB_WRITABLE))
        if (!--polls) {
            usb_absent = 1;
            return;
        }
    REG(USB_DATA) = byte;
}

void line_flush(uint32_t line)
{
    if (line == USB)
        REG(USB_STATUS) = USB_FLUSH;
}

void usb_retry(void)
{
    usb_absent = 0;
}

static void put_both(uint8_t byte)
{
    line_put(UART, byte);
    line_put(USB, byte);
}

void print(const char *text)
{
    while (*text)
        put_both((uint8_t)*text++);
}

void print_hex(uint32_t value)
{
    int shift;
    print("0x");
    for (shift = 28; shift >= 0; shift -= 4) {
        uint32_t digit = value >> shift & 15u;
        put_both((uint8_t)(digit < 10u ? '0' + digit : 'a' + digit - 10u));
    }
}

void print_decimal(uint32_t value)
{
    if (value >= 10u)
        print_decimal(value / 10u);
    put_both((uint8_t)('0' + value % 10u));
}

void print_end(void)
{
    put_both(0);
    line_flush(USB);
}
