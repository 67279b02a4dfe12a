/* SPDX-License-Identifier: MIT
 * A stand-in for the Arduino core, so that sketches compile and run on this machine. Not the real one. */
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGMEM
#define memcpy_P memcpy
static inline unsigned long micros() { return 0; }
static inline void delay(unsigned long) {}

struct StandInSerial {
    void begin(long) {}
    int read() { return getchar(); }
    int peek()
    {
        int c = getchar();
        if (c == EOF)
            exit(0);
        ungetc(c, stdin);
        return c;
    }
    long parseInt()
    {
        long value = 0;
        int c = peek();
        for (; c != '-' && (c < '0' || c > '9'); c = peek())
            read();
        if (scanf("%ld", &value) != 1)
            exit(1);
        return value;
    }
    void print(const char *text) { fputs(text, stdout); }
    void print(long value) { printf("%ld", value); }
    void print(int value) { printf("%d", value); }
    void print(unsigned long value) { printf("%lu", value); }
    void println(const char *text) { puts(text); }
    void println(long value) { printf("%ld\n", value); }
    void println(int value) { printf("%d\n", value); }
};
static StandInSerial Serial;

void setup();
void loop();
int main()
{
    setup();
    for (;;)
        loop();
}
