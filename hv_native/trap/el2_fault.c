// SPDX-License-Identifier: MIT
// EL2's own exceptions and the crash report.
// EL2's own exceptions: mended (a lazy FP switch, a listed access), or dumped.

#include <string.h>
#include "py/mphal.h"
#include "py/mpprint.h"
#include "py/runtime.h"
#include "py/objexcept.h"
#include "core/access.h"
#include "core/arch.h"
#include "core/cpu.h"
#include "core/platform.h"
#include "core/uart_out.h"
#include "core/syndrome.h"
#include "irq/irq.h"
#include "irq/timer.h"
#include "memory/mmu.h"
#include "memory/pgtable.h"
#include "trap/el2_fault.h"
#include "vcpu/vcpu.h"
#include "vm/fp.h"
#include "vm/vcpu_state.h"
#include "mpconfigboard.h"


extern const uint64_t __ex_table_start[], __ex_table_end[];
extern char poke_end[], __text_end[], __image_start[], __stack_bottom[], __stack_top[];

void el2_exception(el2_frame_t *f);
void el2_stack_overflow(el2_frame_t *f);
void el2_late_abort(el2_frame_t *f);
void el2_irq_low_stack(el2_frame_t *f);
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

// To a UART as it is, without Python, which the console may lead to (os.dupterm). One that the device tree was
// wrong about, or that nobody has switched on, may never be ready.
static void put(const platform_uart_t *u, char c) {
    for (unsigned i = 0; i < 1000000 && !uart_out(u, (uint8_t)c); i++) {
    }
}

static void report_strn(void *uart, const char *str, size_t len) {
    for (; len > 0; len--, str++) {
        if (*str == '\n') {
            put(uart, '\r');
        }
        put(uart, *str);
    }
}

static mp_print_t report = { NULL, report_strn };

static const platform_uart_t boards_own = { .base = BOARD_EARLY_UART, .kind = UART_PL011, .width = 4 };

static bool in_ram(uint64_t addr) {
    for (unsigned i = 0; i < platform.nram; i++) {
        if (addr - platform.ram[i].base < platform.ram[i].size) {
            return true;
        }
    }
    return false;
}

static const platform_uart_t *uart_number(unsigned i) {
    if (i == 0) {
        return platform.console;
    }
    return i <= platform.nuarts ? &platform.uart[i - 1] : &boards_own;
}

// The console, then every other UART, and the board's own if the tree does not have it: a report on a wrong
// console is seen by nobody, or is itself a fault, which comes by here again.
static bool next_uart(void) {
    static unsigned next;
    while (next <= platform.nuarts + 1) {
        const platform_uart_t *u = uart_number(next++);
        bool said = false;
        for (unsigned i = 0; i + 1 < next; i++) {
            said |= uart_number(i)->base == u->base;
        }
        if (u->base != 0 && !said && !in_ram(u->base)) {
            report.data = (void *)u;
            return true;
        }
    }
    return false;
}

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
        mp_printf(&report, "  0x%016lx is mapped: level %u entry 0x%016lx\n", addr, w.level, w.entry);
    } else {
        mp_printf(&report, "  0x%016lx is not mapped (level %u)\n", addr, w.level);
    }
}

// Return addresses by the frame-pointer chain where there is one, else every word of the stack that
// points into the code: more than the truth, but never less.
static void print_backtrace(const el2_frame_t *f) {
    mp_printf(&report, "  addresses on the stack (for addr2line -e hypervisor.elf):\n   ");
    unsigned printed = 0;
    // After an overflow the stack begins where its guard ends.
    uint64_t sp = f->sp & STACK_SIZE ? ALIGN_UP(f->sp, 8) : ALIGN_UP(f->sp, STACK_SIZE), value;
    for (unsigned i = 0; i < 512 && printed < 24; i++, sp += 8) {
        if (peek(sp, 8, &value) != 0) {
            break;
        }
        if (value > (uint64_t)__image_start && value < (uint64_t)__text_end && (value & 3) == 0) {
            mp_printf(&report, " %lx", value);
            printed++;
        }
    }
    mp_printf(&report, "\n");
}

static void dump(const char *why, const el2_frame_t *f) {
    unsigned ec = FIELD(f->esr, 31, 26);
    mp_printf(&report, "\n\n*** Elapid stopped: %s\n", why);
    mp_printf(&report, "  ESR_EL2 0x%08lx: EC 0x%02x, %s", f->esr, ec, class_name(ec));
    if (ec == 0x25 || ec == 0x21) {
        mp_printf(&report, ", %s", fault_status_name(f->esr));
        if (ec == 0x25) {
            mp_printf(&report, ", on a %s", f->esr & BIT(6) ? "write" : "read");
        }
    }
    mp_printf(&report, "\n  ELR_EL2 0x%016lx  FAR_EL2 0x%016lx  SPSR_EL2 0x%08lx\n", f->elr, f->far, f->spsr);
    if (ec == 0x25 || ec == 0x21) {
        print_mapping(f->far);
    }
    for (unsigned i = 0; i < 31; i++) {
        mp_printf(&report, "  %sx%u 0x%016lx%s", i < 10 ? " " : "", i, f->x[i], i % 3 == 2 ? "\n" : "");
    }
    mp_printf(&report, "   sp 0x%016lx\n", f->sp);
    print_backtrace(f);
}

MP_NORETURN static void stop(void) {
    for (;;) {
        wfi();
    }
}

#define LEAVE "The machine is stopped: reset it, or leave QEMU by Ctrl-A X.\n"

// Never inlined: its name is where a debugger stops (docs/debugging.md).
static void MP_NORETURN NOINLINE panic(const char *why, const el2_frame_t *f) {
    fp_release();
    irq_disable();
    while (next_uart()) {
        dump(why, f);
        mp_printf(&report, LEAVE);
    }
    stop();
}

// An exception that is part of the plan: true when the code it came from can go on.
static bool mend(el2_frame_t *f) {
    if (FIELD(f->esr, 31, 26) == EC_FP && fp_take_for_el2()) {
        return true; // EL2 touched an FP register that held a guest's: saved, try again
    }
    if (exec_fault(f->x, &f->elr, f->esr, f->far)) {
        return true; // compiled Python: it becomes an exception of Python's
    }
    if (may_fault(f->elr)) {
        f->x[0] = f->esr;
        f->elr += 4;
        return true;
    }
    return false;
}

// ---- Stack overflow -----------------------------------------------------------------------------
//
// MicroPython counts the stack that Python calls take, but not that of functions in C which call
// themselves: a comparison of nested lists, a regular expression. On the boot core that is a RuntimeError
// like any other deep recursion. It is raised only where that leaves nothing half done: with interrupts
// enabled, so that no lock is held, and not in a collection. Elsewhere the reserve below the stack is
// opened for what runs, which is soon over, and the overflow comes again.

uintptr_t unwind_floor;
bool irqs_masked_by_python;
static bool raising;

MP_NORETURN void overflow_left(mp_obj_t exception);

static uint64_t nlr_sp(const nlr_buf_t *nlr) {
    return (uint64_t)nlr->regs[1]; // py/nlraarch64.c: lr, sp, x19...
}

// At the catcher's stack pointer: nothing lies in the reserve any more.
MP_NORETURN void overflow_left(mp_obj_t exception) {
    mmu_stack_close();
    raising = false;
    nlr_jump(MP_OBJ_TO_PTR(exception));
}

// Right below the stack, in the reserve: what is to be cleaned up on the way out may lie on the stack.
MP_NORETURN static void overflow_raise(void) {
    mp_obj_t text = MP_OBJ_NEW_QSTR(MP_QSTR_maximum_space_recursion_space_depth_space_exceeded);
    mp_obj_t exception = mp_obj_new_exception_arg1(&mp_type_RuntimeError, text);
    nlr_buf_t *catcher = MP_STATE_THREAD(nlr_top);
    nlr_call_jump_callbacks(catcher);
    stack_leave(nlr_sp(catcher), exception, overflow_left);
}

static bool may_unwind(const el2_frame_t *f) {
    const nlr_buf_t *catcher = MP_STATE_THREAD(nlr_top);
    return this_pcpu() == &pcpus[0] && (!(f->spsr & PSTATE_I) || irqs_masked_by_python) && !raising && catcher != NULL
           && (unwind_floor == 0 || (uintptr_t)catcher < unwind_floor) && nlr_sp(catcher) > (uint64_t)__stack_bottom;
}

// C that Python called has used an address of a script's (uctypes, a pointer in a structure): that is hv.Fault, where
// an overflow would be a RuntimeError.
MP_NORETURN static void abort_raise(uint64_t addr, uint64_t esr, uint64_t pc) {
    mp_obj_t exception = mp_obj_new_exception_msg_varg(&mp_type_Fault, MP_ERROR_TEXT("cannot %s memory at 0x%lx: %s (EL2's pc is 0x%lx)"),
        esr & ISS_WNR ? "write" : "read", addr, fault_status_name(esr), pc);
    raising = false;
    nlr_raise(exception);
}

// ---- Ctrl-C in C --------------------------------------------------------------------------------
//
// Python looks for a Ctrl-C between its own instructions: not in the product of two vast numbers, in sum(range(1 << 60))
// or in a regular expression. One that has waited for half a second is raised from an interrupt, where C is at work that
// computes and leaves nothing half done: link.ld says which. Elsewhere it waits for the next interrupt that finds it there.

extern const char __leave_start[], __leave_end[];
bool el2_leave_wanted;
static timer_t leave_timer;

static bool interrupt_waits(void) {
    return MP_STATE_THREAD(mp_pending_exception) == MP_OBJ_FROM_PTR(&MP_STATE_VM(mp_kbd_exception));
}

static void leave_soon(timer_t *t) {
    el2_leave_wanted = interrupt_waits();
    if (el2_leave_wanted) {
        timer_arm(t, timer_now() + timer_freq() / 1000, leave_soon);
    }
}

void el2_interrupt_late(void) {
    if (!leave_timer.armed) {
        timer_arm(&leave_timer, timer_now() + timer_freq() / 2, leave_soon);
    }
}

MP_NORETURN static void interrupt_raise(void) {
    mp_obj_t exception = MP_STATE_THREAD(mp_pending_exception);
    MP_STATE_THREAD(mp_pending_exception) = MP_OBJ_NULL;
    raising = false;
    nlr_raise(exception);
}

// Of an interrupt's frame only x0 to x19, x29, x30, ELR and SPSR are there; its SP is where the frame ends.
void el2_leave(el2_frame_t *f) {
    el2_leave_wanted = false;
    if (interrupt_waits() && f->elr >= (uint64_t)__leave_start && f->elr < (uint64_t)__leave_end && may_unwind(f)) {
        raising = true;
        f->elr = (uint64_t)interrupt_raise;
    }
}

void el2_exception(el2_frame_t *f) {
    if (mend(f)) {
        return;
    }
    if (FIELD(f->esr, 31, 26) != EC_DABT || !may_unwind(f)) {
        panic("an exception in EL2 itself", f);
    }
    raising = true; // an abort on the way there is the end
    f->x[0] = f->far;
    f->x[1] = f->esr;
    f->x[2] = f->elr;
    f->elr = (uint64_t)abort_raise;
}

static bool below_stack(uint64_t sp) {
    return sp < (uint64_t)__stack_bottom + sizeof(el2_frame_t) && sp > (uint64_t)__stack_bottom - STACK_SIZE;
}

// vectors.S returns by way of the 16 bytes below the stack pointer.
static void open_for_return(const el2_frame_t *f) {
    if (!below_stack(f->sp) || (f->sp - 16 < mmu_stack_end() && !mmu_stack_open(f->sp))) {
        panic("EL2 stack overflow", f);
    }
}

// An exception whose frame has no room on the stack any more; FAR is lost (vectors.S).
void el2_stack_overflow(el2_frame_t *f) {
    if (below_stack(f->sp)) {
        if (mend(f)) {
            open_for_return(f);
            return;
        }
        if (may_unwind(f)) {
            raising = true;
            f->sp = mmu_stack_end();
            f->elr = (uint64_t)overflow_raise;
        }
        if (mmu_stack_open(f->sp)) {
            return;
        }
    }
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

// An interrupt that has no room for its frame: handled on the fault stack.
void el2_irq_low_stack(el2_frame_t *f) {
    open_for_return(f);
    irq_dispatch();
}

void el2_unexpected(el2_frame_t *f) {
    panic("an exception that EL2 does not expect", f);
}
