// SPDX-License-Identifier: MIT
// The beginning of a Python function, run without MicroPython's virtual machine. Most handlers compare an
// offset, add or mask a number and return one; to set up and leave the VM costs many times that. So their
// bytecode is run here as long as each instruction only needs what is at hand: small ints, local
// variables, plain attributes, items of lists. The first one that would allocate, raise, call or jump
// back is where this stops, with everything as the VM would have it, and the VM goes on from there.
#ifndef HV_QUICK_H
#define HV_QUICK_H

#include <stdbool.h>
#include "py/bc.h"

// Run s from its start. True: what is next is the function's return, of *s->sp. In any case s->ip and
// s->sp say where mp_execute_bytecode is to go on, if it has to. Never raises, allocates or loops.
bool quick_run(mp_code_state_t *s);

#endif
