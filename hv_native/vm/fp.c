// SPDX-License-Identifier: MIT
// Lazy FP switching: see fp.h.

#include "core/arch.h"
#include "core/cpu.h"
#include "core/syndrome.h"
#include "vm/fp.h"
#include "vm/vcpu_state.h"

// fp_regs.S
void fp_store(fp_state_t *to);
void fp_load(const fp_state_t *from);

static void trap_fp(bool on) {
    uint64_t cptr = READ_SYSREG(cptr_el2);
    WRITE_SYSREG(cptr_el2, on ? cptr | CPTR_TFP : cptr & ~CPTR_TFP);
    isb();
}

void fp_save(vcpu_t *v) {
    pcpu_t *p = this_pcpu();
    if (p->fp_owner == v) {
        trap_fp(false);
        fp_store(&v->fp);
        p->fp_owner = NULL;
    }
}

bool fp_take_for_el2(void) {
    pcpu_t *p = this_pcpu();
    if (!(READ_SYSREG(cptr_el2) & CPTR_TFP)) {
        return false;
    }
    trap_fp(false);
    if (p->fp_owner != NULL) {
        fp_store(&p->fp_owner->fp);
        p->fp_owner = NULL;
    }
    return true;
}

void fp_take_for_guest(vcpu_t *v) {
    trap_fp(false);
    fp_load(&v->fp);
    this_pcpu()->fp_owner = v;
}

void fp_keep(fp_state_t *to) {
    fp_store(to);
}

void fp_bring_back(const fp_state_t *from) {
    trap_fp(false);
    fp_load(from);
}

void fp_release(void) {
    trap_fp(false);
}
