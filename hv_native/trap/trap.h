// SPDX-License-Identifier: MIT
// From an exit to what is done about it.
#ifndef HV_TRAP_H
#define HV_TRAP_H

#include "callback.h"
#include "hook.h"
#include "insn.h"
#include "vcpu.h"
#include "vm.h"

// From vectors.S, interrupts masked. See there for the two sizes of an exit.
uint64_t trap_fast(guest_regs_t *r);
uint64_t trap_saved(guest_regs_t *r);
uint64_t irq_fast(guest_regs_t *r);
uint64_t trap_slow(guest_regs_t *r, uint64_t why);

// Finish, on the boot core, an exit that another core could not (EXIT_PYTHON): v is parked.
exit_t trap_finish(vcpu_t *v);

// Ask a hook's Python handler about the exit in v->exit. While it runs the guest is before the
// instruction, and stays there if it raises; `complete`: when it returns, the guest goes on behind it.
// Actions, injected exceptions and a moved PC have been carried out; *out is for the caller when *done is
// false: values, or ACTION_PASS with the guest still before the instruction.
exit_t trap_ask(vcpu_t *v, hook_t *h, unsigned n, const uint64_t *raw, bool load, bool complete, outcome_t *out, bool *done);

// v has nothing to do until an interrupt: EXIT_IDLE, or EXIT_RESUME when one is there already.
exit_t trap_wait(vcpu_t *v);

// Nothing else knows this exit: ask the class's handler, then the default one. False: there is none, or they
// left it (hv.PASS); the guest is before the instruction, and the caller does what is right without a script.
bool trap_script(vcpu_t *v, exit_t *why);

// Nor does a handler: out to the caller of run if a script has made it trap (see policy_changed), else an undefined
// instruction to the guest.
exit_t trap_nobody(vcpu_t *v, bool asked);

// The parts by exception class.
exit_t call_slow(vcpu_t *v);
exit_t sysreg_slow(vcpu_t *v);
exit_t abort_slow(vcpu_t *v);
exit_t coproc_slow(vcpu_t *v);

// A system register's access, by AArch64's encoding whatever the instruction was.
typedef struct {
    uint64_t key;
    uint8_t rt, rt2;    // rt2: the upper half of an MCRR's or MRRC's value, else NO_REGISTER
    uint8_t size;
    bool write;
} sysreg_op_t;
exit_t sysreg_do(vcpu_t *v, const sysreg_op_t *a);

// The key of a system register in vm_t.sysreg: the ISS of its trap, less Rt and direction.
#define ISS_SYSREG_KEY UINT64_C(0x3FFC1E)
#define SYSREG_KEY(op0, op1, crn, crm, op2) (UINT64_C(op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)
#define SYSREG_OP2 UINT64_C(0xE0000)
static inline uint32_t sysreg_key(unsigned enc) {
    unsigned op0 = enc >> 14, op1 = enc >> 11 & 7, crn = enc >> 7 & 15, crm = enc >> 3 & 15, op2 = enc & 7;
    return op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1;
}

#endif
