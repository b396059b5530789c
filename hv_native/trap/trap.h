// SPDX-License-Identifier: MIT
// Exit dispatch.
// From an exit to what is done about it.
#ifndef HV_TRAP_H
#define HV_TRAP_H

#include "trap/callback.h"
#include "vm/vcpu_state.h"

// From vectors.S, interrupts masked. See there for the two sizes of an exit.
uint64_t trap_fast(guest_regs_t *r);
uint64_t trap_stepping(guest_regs_t *r);
uint64_t trap_saved(guest_regs_t *r);
uint64_t irq_fast(guest_regs_t *r);
uint64_t trap_slow(guest_regs_t *r, uint64_t why);

// Ways to a handler of an HVC (handler_call_t): the short interpreter, a viper function that loops, any compiled one.
uint64_t call_quick(vcpu_t *v, guest_regs_t *r, handler_t *h);
uint64_t call_words_watched(vcpu_t *v, guest_regs_t *r, handler_t *h);
uint64_t call_words(vcpu_t *v, guest_regs_t *r, handler_t *h);

uint64_t call_boxed(vcpu_t *v, guest_regs_t *r, handler_t *h, mp_obj_t *at, const uint64_t *x, unsigned n);
// And of a device access (handler_load_t, handler_store_t).
uint64_t load_quick(vcpu_t *v, guest_regs_t *r, uint64_t esr, handler_t *h, uint64_t offset);
uint64_t store_quick(vcpu_t *v, handler_t *h, uint64_t offset, uint64_t value);
uint64_t load_words(vcpu_t *v, guest_regs_t *r, uint64_t esr, handler_t *h, uint64_t offset);
uint64_t store_words(vcpu_t *v, handler_t *h, uint64_t offset, uint64_t value);
uint64_t word_quick(vcpu_t *v, guest_regs_t *r, uint64_t esr, handler_t *h, uint64_t offset, unsigned rt);
uint64_t word_words(vcpu_t *v, guest_regs_t *r, uint64_t esr, handler_t *h, uint64_t offset, unsigned rt);
uint64_t skipped_or_not(vcpu_t *v, handler_t *h, uint64_t what, bool load);

// Finish, on the boot core, an exit that another core could not (EXIT_PYTHON): v is parked.
exit_t trap_finish(vcpu_t *v);

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

#endif
