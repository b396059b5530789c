// SPDX-License-Identifier: MIT
// Debug registers.
// Breakpoints, watchpoints and the step: the guest's own, and those that the hypervisor takes for a while.
//
// A guest's accesses to them always trap (MDCR_EL2.TDA, TDOSA), so what it wrote is in memory (debug_t), goes with
// the vCPU to any core, and costs nothing until it is in force. A core's own registers are written when such a
// vCPU enters the guest there (v->debugged). They are nobody else's while MDSCR_EL1, which is switched with each vCPU,
// has MDE clear: so nothing is saved, and nothing undone.
//
// The guest's debug exceptions are its own. While the hypervisor has taken a breakpoint, steps, or wants BRKs, all come to
// EL2 (MDCR_EL2.TDE), and those that are the guest's go on to its EL1 as they would have without EL2.
#ifndef HV_DEBUG_H
#define HV_DEBUG_H

#include "core/arch.h"
#include "core/syndrome.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

void debug_init_core(void);
void debug_reset(vcpu_t *v);    // as after a cold reset; what the hypervisor has taken stays

// The step of the vCPU that runs here, while nothing else of this is in use (v->debugged is false): on and off, from an exit
// to the next entry.
#define STEPPING_VECTORS 0x800u // from the vectors to those of a step (vectors.S), and of a traced vCPU: both, to those of both
#define TRACED_VECTORS 0x1000u
static inline void debug_step_on(vcpu_t *v) {
    WRITE_SYSREG(mdscr_el1, MDSCR_SS);
    WRITE_SYSREG(mdcr_el2, v->vm->el2[EL2_MDCR] | MDCR_TDE);
    WRITE_SYSREG(vbar_el2, READ_SYSREG(vbar_el2) | STEPPING_VECTORS);
    v->debugged = v->stepping = v->step.quick = true;
}

static inline void debug_step_off(vcpu_t *v) {
    WRITE_SYSREG(mdscr_el1, 0);
    WRITE_SYSREG(mdcr_el2, v->vm->el2[EL2_MDCR]);
    WRITE_SYSREG(vbar_el2, READ_SYSREG(vbar_el2) & ~(uint64_t)STEPPING_VECTORS);
    v->debugged = v->stepping = v->step.quick = false;
}

// From vcpu_run, when v->debugged, v loaded here: what is to be set in MDCR_EL2 besides the VM's own bits.
uint64_t debug_enter(vcpu_t *v);
void debug_leave(vcpu_t *v);
// Something that debug_enter looks at has changed: in force from the next instruction on if v runs here.
void debug_changed(vcpu_t *v);

// The guest's access to one of these registers, or of the PMU's (pmu.h). False: it is none of them.
bool debug_sysreg(vcpu_t *v, uint64_t key, bool write, uint64_t *value);

// ---- The hypervisor's own -----------------------------------------------------------------------

// A breakpoint (DBGBCR: PMC, BAS) or watchpoint (DBGWCR: PAC, LSC, BAS, MASK) in all vCPUs of a VM, in place of the
// guest's own if it has that one too. From the top; -1: none is free. The VM is held, does not run, or a vCPU of it
// that runs here asks. debug_give: the guest's come back.
enum { DEBUG_BREAK, DEBUG_WATCH };
#define DEBUG_BREAK_MASK ((1u << DEBUG_BREAKS) - 1)     // of vm->taken_mask
#define DEBUG_WATCH_MASK (((1u << DEBUG_WATCHES) - 1) << DEBUG_BREAKS)
int debug_take(vm_t *vm, unsigned kind, uint64_t va, uint64_t control);
void debug_give(vm_t *vm, unsigned kind, int index);    // also from the exit of a vCPU on any core
bool debug_spare(const vm_t *vm, unsigned kind);        // there is one that no guest has

// One of them was hit: v is before the instruction, v->exit.far is the address that a watchpoint saw. Who lets it go on
// does the instruction, or has it passed (debug_pass). False: it is nobody's there. By kind, each set by who takes them.
extern bool (*debug_hit[2])(vcpu_t *v, int index, exit_t *why);

// BRKs of the guest come to EL2 while vm->debug_el2: debug_brk says whether it was one of its own. Set by insight.
extern bool (*debug_brk)(vcpu_t *v, exit_t *why);

bool debug_is_ours(const vcpu_t *v);        // EL2 has v's debug exceptions for this, and not for a script
uint32_t debug_host_on(const vcpu_t *v);    // of vm->taken_mask, what is in force
bool debug_guest_on(const vcpu_t *v);       // the guest's own breakpoints, watchpoints or step are
bool debug_is_locked(const vcpu_t *v);      // the guest's OS lock, or its double lock

// ---- Exits --------------------------------------------------------------------------------------

// EC 0x30, 0x32, 0x34 and 0x3C, in v->exit. False: it is the guest's, or a script's (v->debug.hit, or TDE).
bool debug_exit(vcpu_t *v, exit_t *why);
void debug_pass(vcpu_t *v, unsigned kind);  // over the instruction that was hit, without another hit

#endif
