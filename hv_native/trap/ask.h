// SPDX-License-Identifier: MIT
// Asking a script about an exit, and carrying out its answer.
#ifndef HV_ASK_H
#define HV_ASK_H

#include "trap/callback.h"
#include "vm/hook.h"
#include "vm/vcpu_state.h"

// Ask a hook's Python handler about the exit in v->exit. While it runs the guest is before the
// instruction, and stays there if it raises; `complete`: when it returns, the guest goes on behind it.
// Actions, injected exceptions and a moved PC have been carried out; *out is for the caller when *done is
// false: values, or ACTION_PASS with the guest still before the instruction.
exit_t trap_ask(vcpu_t *v, hook_t *h, unsigned n, const uint64_t *raw, bool load, bool complete, outcome_t *out, bool *done);

// Nothing else knows this exit: ask the class's handler, then the default one. False: there is none, or they
// left it (hv.PASS); the guest is before the instruction, and the caller does what is right without a script.
bool trap_script(vcpu_t *v, exit_t *why);

// Nor does a handler: out to the caller of run if a script has made it trap (see policy_changed), else an undefined
// instruction to the guest.
exit_t trap_nobody(vcpu_t *v, bool asked);

// The same of a class, or default, hook h (NULL: nobody asked). False: it passed, or there is none.
bool trap_ask_class(vcpu_t *v, hook_t *h, exit_t *why);

#endif
