// SPDX-License-Identifier: MIT
// EL2's own exceptions: mended (a lazy FP switch, a listed access), or dumped.

#include <string.h>
#include "py/mphal.h"
#include "py/mpprint.h"
#include "py/runtime.h"
#include "py/objexcept.h"
#include "arch.h"
#include "cpu.h"
#include "fault.h"
#include "fp.h"
#include "irq.h"
#include "offsets.h"
#include "pgtable.h"
#include "mmu.h"
#include "vcpu.h"

typedef struct {
    uint64_t x[31], sp, elr, spsr, esr, far;
} el2_frame_t;

_Static_assert(offsetof(el2_frame_t, sp) == FRAME_SP, "vectors.S");
_Static_assert(offsetof(el2_frame_t, elr) == FRAME_ELR, "vectors.S");
_Static_assert(offsetof(el2_frame_t, esr) == FRAME_ESR, "vectors.S");
_Static_assert(sizeof(el2_frame_t) == FRAME_SIZE, "vectors.S");

extern const uint64_t __ex_table_start[], __ex_table_end[];
extern char poke_end[], __text_end[], __image_start[], __stack_bottom[], __stack_top[];

void el2_exception(el2_frame_t *f);
void el2_stack_overflow(el2_frame_t *f);
void el2_late_abort(el2_frame_t *f);
void el2_unexpected(el2_frame_t *f);

static bool may_fault(uint64_t pc) {
    for (const uint64_t *p = __ex_table_start; p < __ex_table_end; p++) {
        if (*p == pc) {
            return true;
        }
    }
    return false;
}

// DFSC, ESR bits [5:0]; the last two bits of most are a level.
const char *fault_status_name(uint64_t esr) {
    static const char *const names[] = {
        "address size fault, level 0", "address size fault, level 1", "address size fault, level 2",
        "address size fault, level 3", "translation fault, level 0", "translation fault, level 1",
        "translation fault, level 2", "translation fault, level 3", "access flag fault, level 0",
        "access flag fault, level 1", "access flag fault, level 2", "access flag fault, level 3",
        "permission fault, level 0", "permission fault, level 1", "permission fault, level 2",
        "permission fault, level 3",
    };
    unsigned fsc = esr & 0x3F;
    if (fsc < ARRAY_LEN(names)) {
        return names[fsc];
    }
    if (fsc == 0x10 || (fsc >= 0x14 && fsc <= 0x17)) {
        return "external abort: no device answers there";
    }
    return fsc == 0x21 ? "alignment fault" : "abort";
}

MP_DEFINE_EXCEPTION(Fault, OSError)

MP_NORETURN void fault_raise(uint64_t addr, unsigned size, uint64_t esr, bool write) {
    mp_raise_msg_varg(&mp_type_Fault, MP_ERROR_TEXT("cannot %s %u byte%s at 0x%lx: %s"),
        write ? "write" : "read", size, size == 1 ? "" : "s", addr, fault_status_name(esr));
}

// ---- The dump -----------------------------------------------------------------------------------

static const char *class_name(unsigned ec) {
    switch (ec) {
        case 0x00:
            return "unknown reason (undefined instruction?)";
        case 0x07:
            return "trapped SIMD or FP access";
        case 0x0E:
            return "illegal execution state";
        case 0x16:
            return "HVC";
        case 0x17:
            return "SMC";
        case 0x18:
            return "trapped MSR, MRS or system instruction";
        case 0x21:
            return "instruction abort";
        case 0x22:
            return "PC alignment fault";
        case 0x25:
            return "data abort";
        case 0x26:
            return "SP alignment fault";
        case 0x2F:
            return "SError interrupt";
        case 0x3C:
            return "BRK instruction";
        default:
            return "exception";
    }
}

static void print_mapping(uint64_t addr) {
    pgwalk_t w = pgtable_walk(mmu_tables(), addr);
    if (w.entry & PTE_VALID) {
        mp_printf(&mp_plat_print, "  0x%016lx is mapped: level %u entry 0x%016lx\n", addr, w.level, w.entry);
    } else {
        mp_printf(&mp_plat_print, "  0x%016lx is not mapped (level %u)\n", addr, w.level);
    }
}

// Return addresses by the frame-pointer chain where there is one, else every word of the stack that
// points into the code: more than the truth, but never less.
static void print_backtrace(const el2_frame_t *f) {
    mp_printf(&mp_plat_print, "  addresses on the stack (for addr2line -e hypervisor.elf):\n   ");
    unsigned printed = 0;
    uint64_t sp = ALIGN_UP(f->sp, 8), value;
    for (unsigned i = 0; i < 512 && printed < 24; i++, sp += 8) {
        if (peek(sp, 8, &value) != 0) {
            break;
        }
        if (value > (uint64_t)__image_start && value < (uint64_t)__text_end && (value & 3) == 0) {
            mp_printf(&mp_plat_print, " %lx", value);
            printed++;
        }
    }
    mp_printf(&mp_plat_print, "\n");
}

static void dump(const char *why, const el2_frame_t *f) {
    unsigned ec = FIELD(f->esr, 31, 26);
    mp_printf(&mp_plat_print, "\n\n*** Elapid stopped: %s\n", why);
    mp_printf(&mp_plat_print, "  ESR_EL2 0x%08lx: EC 0x%02x, %s", f->esr, ec, class_name(ec));
    if (ec == 0x25 || ec == 0x21) {
        mp_printf(&mp_plat_print, ", %s", fault_status_name(f->esr));
        if (ec == 0x25) {
            mp_printf(&mp_plat_print, ", on a %s", f->esr & BIT(6) ? "write" : "read");
        }
    }
    mp_printf(&mp_plat_print, "\n  ELR_EL2 0x%016lx  FAR_EL2 0x%016lx  SPSR_EL2 0x%08lx\n", f->elr, f->far, f->spsr);
    if (ec == 0x25 || ec == 0x21) {
        print_mapping(f->far);
    }
    for (unsigned i = 0; i < 31; i++) {
        mp_printf(&mp_plat_print, "  %sx%u 0x%016lx%s", i < 10 ? " " : "", i, f->x[i], i % 3 == 2 ? "\n" : "");
    }
    mp_printf(&mp_plat_print, "   sp 0x%016lx\n", f->sp);
    print_backtrace(f);
}

static void MP_NORETURN stop(void) {
    irq_disable();
    for (;;) {
        wfi();
    }
}

static bool panicking;

// Never inlined: its name is where a debugger stops (docs/debugging.md).
static void MP_NORETURN __attribute__((noinline)) panic(const char *why, const el2_frame_t *f) {
    fp_release();
    if (!panicking) {
        panicking = true;
        dump(why, f);
    }
    stop();
}

void el2_exception(el2_frame_t *f) {
    if (FIELD(f->esr, 31, 26) == EC_FP && fp_take_for_el2()) {
        return; // EL2 touched an FP register that held a guest's: saved, try again
    }
    if (exec_fault(f->x, &f->elr, f->esr, f->far)) {
        return; // compiled Python: it becomes an exception of Python's
    }
    if (may_fault(f->elr)) {
        f->x[0] = f->esr;
        f->elr += 4;
        return;
    }
    panic("an exception in EL2 itself", f);
}

void el2_stack_overflow(el2_frame_t *f) {
    panic("EL2 stack overflow", f);
}

// An SError at EL2: an external abort that came late, of a store that has left the core. In peek and poke, which wait
// for it, it is their fault. Otherwise it is most likely of a guest's store to a device that was passed through, and
// belongs to the guest that was here last: PSTATE.A was set from its exit until now.
void el2_late_abort(el2_frame_t *f) {
    vcpu_t *v = this_pcpu()->loaded;
    if (f->elr >= (uint64_t)peek && f->elr < (uint64_t)poke_end) {
        f->x[0] = f->esr;
    } else if (v != NULL) {
        vcpu_inject_serror(v);
    } else {
        panic("an SError, and no guest to give it to", f);
    }
}

void el2_unexpected(el2_frame_t *f) {
    panic("an exception that EL2 does not expect", f);
}
