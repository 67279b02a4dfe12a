/* SPDX-License-Identifier: MIT
 * A stand-in for Zephyr. Not the real one. */
#pragma once
#include <stdio.h>
#define printk printf
