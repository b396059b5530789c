// SPDX-License-Identifier: MIT
// What compiled functions begin with, for who calls them in other ways than MicroPython does.
//
// A viper function begins with a viper_head_t. MicroPython calls the first word; who has machine words rather than
// objects calls `raw` with them in x0 to x6, those behind in an array at x7, and the function object in x8.
//
// A native function's code is behind a word that is its prelude's (mp_obj_fun_native_get_function_start). Its first
// three instructions load mp_fun_table into x16; who calls it behind them brings a table of its own.
#ifndef ELAPID_COMPILED_H
#define ELAPID_COMPILED_H

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

// A function that calls nothing looks whether something is pending after so many rounds of its loops: for that long
// interrupts may be masked, in some thousand instructions.
#define COMPILED_ROUNDS 256

// The word in front of where a generator goes on that stands in a `yield from`, or an `await`; nobody runs it (UDF).
#define COMPILED_YIELDS_FROM 0x0000E1AFu

#define COMPILED_TABLE_LOADS 3
#define COMPILED_LOADS_TABLE(code) ((code)[0] == 0xF9400410 && ((code)[1] & 0xFFC003FF) == 0xF9400210 && ((code)[2] & 0xFFC003FF) == 0xF9400210)

#endif
