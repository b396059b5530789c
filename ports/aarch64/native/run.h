// SPDX-License-Identifier: MIT
// A viper function called by an exit with machine words, where nothing can raise: if it must be left, it is, by
// way of viper_head_t.stop, and why is noted for who can.
#ifndef ELAPID_RUN_H
#define ELAPID_RUN_H

#include "py/obj.h"
#include "compiled.h"

typedef enum {
    NATIVE_STOP_NOT, NATIVE_STOP_PENDING, NATIVE_STOP_FAULT,
    NATIVE_STOP_LONG,       // it goes on, for longer than interrupts should be masked: they are on now
} native_why_t;

typedef struct {
    native_why_t why;
    uint64_t pc, far, esr;
} native_stop_t;

extern const viper_head_t *native_running; // while it runs; NULL: none does
extern native_stop_t native_stopped;
void native_takes_long(void); // the exit's code: from now on interrupts are to be on

MP_NORETURN void native_raise_stopped(void);

#endif
