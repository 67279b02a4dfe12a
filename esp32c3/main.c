/* SPDX-License-Identifier: MIT
 * Starts the chip, tests the model on the vectors that its header carries, and serves. */
#include "model-config.h"
#include "server.h"
#include "soc.h"

int main(void);

static void tell_clock(uint32_t hz)
{
    print("clock ");
    print_decimal(hz / 1000u);
    print(" kHz");
    if (hz < CPU_HZ - CPU_HZ / 100u || hz > CPU_HZ + CPU_HZ / 100u)
        print(", NOT the 160 MHz that were set");
    print("\n");
}

static void tell_self_test(uint32_t result)
{
    print("self-test ");
    if (result == SELF_TEST_NONE) {
        print("none\n");
    } else if (result == 0) {
        print("PASS\n");
    } else {
        print("FAIL: vector ");
        print_decimal((result - 1u) / QNNNAME(OUTPUTS));
        print(", output ");
        print_decimal((result - 1u) % QNNNAME(OUTPUTS));
        print(" is the first that differs\n");
    }
}

int main(void)
{
    uint32_t hz;
    watchdogs_off();
    hz = start_clock();
    print("\nqnn " QNNTEXT " on ESP32-C3\n");
    tell_clock(hz);
    tell_self_test(self_test());
    print_end();
    serve(hz);
    return 0;
}
