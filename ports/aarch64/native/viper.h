// SPDX-License-Identifier: MIT
// What a viper function begins with. MicroPython calls the first word; who has machine words rather than
// objects calls `raw` with them in x0 to x6, those behind in an array at x7, and the function object in x8.
#ifndef ELAPID_VIPER_H
#define ELAPID_VIPER_H

#include <stdint.h>

typedef struct {
    uint32_t branch;        // to the code that converts objects to words and back, and calls `raw`
    uint16_t raw, stop;     // in words from here; at `stop` the function returns at once, whatever it was doing
    uint8_t args, flags, result, unused;    // result: MP_NATIVE_TYPE_...
    uint32_t types;         // four bits for each of the first eight arguments
    uint32_t name;          // in its module's table of names
} viper_head_t;

#define VIPER_HEAD_WORDS 5
#define VIPER_LEAF  1       // calls nothing, raises nothing
#define VIPER_LOOPS 2
#define VIPER_MEMORY 4      // uses pointers

#endif
