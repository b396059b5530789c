// SPDX-License-Identifier: MIT
// _hv.VCPU: a stopped vCPU's registers, its last exit, and what can be done to it.

#include <string.h>
#include "py/objint.h"
#include "py/objstr.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "core/arch.h"
#include "core/cpu.h"
#include "core/platform.h"
#include "core/syndrome.h"
#include "hold/replay.h"
#include "insight/breaks.h"
#include "python/boot_core.h"
#include "python/objects.h"
#include "python/sysreg_table.h"
#include "trap/callback.h"
#include "trap/el2_fault.h"
#include "trap/numbers.h"
#include "trap/sysreg_emulate.h"
#include "vcpu/share.h"
#include "vcpu/vcpu.h"
#include "vgic/vgic.h"
#include "vm/el1_state.h"
#include "vm/fp.h"
#include "vm/vcpu_state.h"
#include "vm/vgic_state.h"
#include "vm/vm.h"

vcpu_t *hv_vcpu_get(mp_obj_t self) {
    hv_vcpu_obj_t *o = MP_OBJ_TO_PTR(self);
    if (o->vcpu == NULL) {
        mp_raise_ValueError(MP_ERROR_TEXT("the VM of this cpu has been closed"));
    }
    return o->vcpu;
}

vcpu_t *hv_vcpu_get_stopped(mp_obj_t self) {
    vcpu_t *v = hv_vcpu_get(self);
    // Off its core for the moment, any other may take it at any time.
    bool about_to = v->on == NULL && cpus_online > 1
        && (v->state == VCPU_READY || v->state == VCPU_RUNNING || v->state == VCPU_IDLE);
    if ((v->on != NULL && v->on != this_pcpu()) || about_to || share_may_run(v)) {
        mp_raise_msg_varg(&mp_type_RuntimeError, MP_ERROR_TEXT("cpu %u is running: vm.pause() first"), v->id);
    }
    return v;
}

// ---- Registers by name --------------------------------------------------------------------------

static unsigned sp_index(const vcpu_t *v) {
    return (v->regs->pstate & 0xF) == PSTATE_EL1H ? EL1_SP_EL1 : EL1_SP_EL0;
}

// The EL1 state by encoding; -1 when it is none of it.
static int el1_index(unsigned enc) {
    static const uint16_t encodings[EL1_COUNT] = {
        #define EL1_ROW(name, op0, op1, crn, crm, op2) [EL1_##name] = SYSREG_ENC(op0, op1, crn, crm, op2),
        #include "vm/el1_rows.def"
    };
    for (unsigned i = 0; i < EL1_COUNT; i++) {
        if (encodings[i] == enc) {
            return (int)i;
        }
    }
    return -1;
}

typedef enum { FILE_X, FILE_Q, FILE_SYSREG } regfile_kind_t;

typedef struct {
    mp_obj_base_t base;
    hv_vcpu_obj_t *cpu;
    regfile_kind_t kind;
} hv_regfile_obj_t;

static mp_obj_t regfile_new(hv_vcpu_obj_t *cpu, regfile_kind_t kind) {
    hv_regfile_obj_t *o = mp_obj_malloc(hv_regfile_obj_t, &hv_regfile_type);
    o->cpu = cpu;
    o->kind = kind;
    return MP_OBJ_FROM_PTR(o);
}

static unsigned register_number(mp_obj_t index, unsigned count, char letter) {
    mp_int_t n = unbox_int(index);
    if (n < 0 || n >= (mp_int_t)count) {
        mp_raise_msg_varg(&mp_type_IndexError, MP_ERROR_TEXT("no register %c%ld: %c0 to %c%u"), letter, (long)n, letter, letter, count - 1);
    }
    return (unsigned)n;
}

static mp_obj_t x_access(vcpu_t *v, mp_obj_t index, mp_obj_t value) {
    uint64_t *x = &v->regs->x[register_number(index, 31, 'x')];
    if (value == MP_OBJ_SENTINEL) {
        return box_u64(*x);
    }
    *x = low_u64(value);
    return mp_const_none;
}

// A q register is 16 bytes: an int of 128 bits both ways.
static mp_obj_t q_access(vcpu_t *v, mp_obj_t index, mp_obj_t value) {
    unsigned n = register_number(index, 32, 'q');
    fp_save(v);
    byte *q = (byte *)&v->fp.q[2 * n];
    if (value == MP_OBJ_SENTINEL) {
        return mp_obj_int_from_bytes_impl(false, 16, q);
    }
    if (mp_obj_is_exact_type(value, &mp_type_int)) { // a long one
        byte bytes[16];
        if (!mp_obj_int_to_bytes_impl(value, false, 16, bytes)) {
            mp_raise_msg(&mp_type_OverflowError, MP_ERROR_TEXT("a q register has 128 bits"));
        }
        memcpy(q, bytes, 16);
    } else {
        uint64_t low = unbox_u64(value); // raises for what is no int
        v->fp.q[2 * n] = low;
        v->fp.q[2 * n + 1] = (uint64_t)((int64_t)low >> 63);
    }
    return mp_const_none;
}

// The EL1 state; and of the rest what the guest itself would read and write, by a trap or not.
static mp_obj_t sysreg_access(vcpu_t *v, mp_obj_t index, mp_obj_t value) {
    unsigned enc = sysreg_lookup(index);
    int i = el1_index(enc);
    i = i == EL1_MDSCR_EL1 ? -1 : i; // the guest's own is not what is loaded (vcpu/debug.c)
    bool write = value != MP_OBJ_SENTINEL;
    uint64_t number = write ? unbox_u64(value) : 0;
    if (i >= 0 && write) {
        vcpu_el1_set(v, i, number);
    } else if (i >= 0) {
        number = vcpu_el1_get(v, i);
    } else if (!sysreg_view(v, enc, write, &number)) {
        char name[SYSREG_NAME_MAX];
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s is not part of a vCPU's EL1 state; hv.regs %s the real core's"),
            sysreg_name(enc, name), write ? "writes" : "reads");
    }
    return write ? mp_const_none : box_u64(number);
}

static mp_obj_t regfile_subscr(mp_obj_t self, mp_obj_t index, mp_obj_t value) {
    hv_regfile_obj_t *o = MP_OBJ_TO_PTR(self);
    vcpu_t *v = hv_vcpu_get_stopped(MP_OBJ_FROM_PTR(o->cpu));
    if (value == MP_OBJ_NULL) {
        return MP_OBJ_NULL; // del is not supported
    }
    switch (o->kind) {
        case FILE_X:
            return x_access(v, index, value);
        case FILE_Q:
            return q_access(v, index, value);
        default:
            return sysreg_access(v, index, value);
    }
}

static mp_obj_t regfile_unary(mp_unary_op_t op, mp_obj_t self) {
    hv_regfile_obj_t *o = MP_OBJ_TO_PTR(self);
    if (op == MP_UNARY_OP_LEN) {
        return MP_OBJ_NEW_SMALL_INT(o->kind == FILE_X ? 31 : o->kind == FILE_Q ? 32 : EL1_COUNT);
    }
    return MP_OBJ_NULL;
}

static const char *const el1_names[EL1_COUNT] = {
    #define EL1_ROW(name, op0, op1, crn, crm, op2) [EL1_##name] = #name,
    #include "vm/el1_rows.def"
};

static void write_regfile(const mp_print_t *print, mp_obj_t self) {
    hv_regfile_obj_t *o = MP_OBJ_TO_PTR(self);
    vcpu_t *v = hv_vcpu_get_stopped(MP_OBJ_FROM_PTR(o->cpu));
    if (o->kind == FILE_X) {
        for (unsigned i = 0; i < 31; i++) {
            mp_printf(print, "%sx%u 0x%016lx%s", i < 10 ? " " : "", i, v->regs->x[i], i % 4 == 3 ? "\n" : "  ");
        }
    } else if (o->kind == FILE_Q) {
        fp_save(v);
        for (unsigned i = 0; i < 32; i++) {
            mp_printf(print, "%sq%u 0x%016lx%016lx%s", i < 10 ? " " : "", i, v->fp.q[2 * i + 1], v->fp.q[2 * i], i % 2 ? "\n" : "  ");
        }
    } else {
        for (unsigned i = 0; i < EL1_COUNT; i++) {
            mp_printf(print, "%-15s 0x%016lx%s", el1_names[i], vcpu_el1_get(v, i), i % 2 ? "\n" : "  ");
        }
    }
}

static void regfile_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) {
    (void)kind;
    hv_print(print, self, write_regfile);
}

MP_DEFINE_CONST_OBJ_TYPE(hv_regfile_type, MP_QSTR_Registers, MP_TYPE_FLAG_NONE,
    subscr, regfile_subscr, unary_op, regfile_unary, print, regfile_print);

// ---- The exit -----------------------------------------------------------------------------------

typedef struct {
    mp_obj_base_t base;
    hv_vcpu_obj_t *cpu;
    bool live;                  // it is what the vCPU says it is, as long as there is that
    exit_info_t copy;
} hv_exit_obj_t;

mp_obj_t hv_exit_new(hv_vcpu_obj_t *cpu, bool live) {
    hv_exit_obj_t *o = mp_obj_malloc(hv_exit_obj_t, &hv_exit_type);
    o->cpu = cpu;
    o->copy = cpu->vcpu->exit;
    o->live = live;
    return MP_OBJ_FROM_PTR(o);
}

static const exit_info_t *exit_info(const hv_exit_obj_t *o) {
    return o->live ? &hv_vcpu_get(MP_OBJ_FROM_PTR(o->cpu))->exit : &o->copy;
}

static qstr trap_reason(const exit_info_t *e) {
    switch (ESR_EC(e->esr)) {
        case EC_WFX:
            return MP_QSTR_wfx;
        case EC_HVC64:
            return MP_QSTR_hvc;
        case EC_SMC64:
            return MP_QSTR_smc;
        case EC_SYSREG:
            return MP_QSTR_sysreg;
        case EC_DABT_LOWER:
            return MP_QSTR_mmio;
        case EC_IABT_LOWER:
            return MP_QSTR_fetch;
        case EC_BREAKPOINT_LOWER:
        case EC_BRK64:
            return MP_QSTR_breakpoint;
        case EC_WATCHPOINT_LOWER:
            return MP_QSTR_watchpoint;
        case EC_STEP_LOWER:
            return MP_QSTR_step;
        default:
            return MP_QSTR_trap;
    }
}

static qstr reason(const exit_info_t *e) {
    switch (e->reason) {
        case EXIT_TRAP:
            return trap_reason(e);
        case EXIT_OFF:
            return MP_QSTR_off;
        case EXIT_RESET:
            return MP_QSTR_reset;
        case EXIT_STOP:
            return MP_QSTR_stop;
        case EXIT_RAISED:
            return MP_QSTR_raised;
        case EXIT_KICK:
            return MP_QSTR_timeout;
        case EXIT_EVENT:
            return MP_QSTR_interrupt;
        case EXIT_CPU_OFF:
            return MP_QSTR_cpu_off;
        case EXIT_IDLE:
            return MP_QSTR_idle;
        case EXIT_MEMORY:
            return MP_QSTR_memory;
        default:
            return MP_QSTR_none;
    }
}

static void exit_attr(mp_obj_t self, qstr attr, mp_obj_t *dest) {
    hv_exit_obj_t *o = MP_OBJ_TO_PTR(self);
    if (dest[0] != MP_OBJ_NULL) {
        return;
    }
    const exit_info_t *e = exit_info(o);
    switch (attr) {
        case MP_QSTR_reason:
            dest[0] = MP_OBJ_NEW_QSTR(reason(e));
            break;
        case MP_QSTR_esr:
            dest[0] = box_u64(e->esr);
            break;
        case MP_QSTR_ipa:
            dest[0] = box_u64(e->ipa);
            break;
        case MP_QSTR_va:
        case MP_QSTR_far:
            dest[0] = box_u64(e->far);
            break;
        case MP_QSTR_hpfar:
            dest[0] = box_u64(e->hpfar);
            break;
        case MP_QSTR_pc:
            dest[0] = box_u64(e->pc);
            break;
        case MP_QSTR_value:
            dest[0] = box_u64(e->value);
            break;
        case MP_QSTR_size:
            dest[0] = MP_OBJ_NEW_SMALL_INT(e->size);
            break;
        case MP_QSTR_write:
            dest[0] = mp_obj_new_bool(e->write);
            break;
        case MP_QSTR_cpu:
            dest[0] = MP_OBJ_FROM_PTR(o->cpu);
            break;
    }
}

static void write_exit(const mp_print_t *print, mp_obj_t self) {
    hv_exit_obj_t *o = MP_OBJ_TO_PTR(self);
    const exit_info_t *e = exit_info(o);
    mp_printf(print, "<Exit %q: cpu %u at pc 0x%lx", reason(e), o->cpu->vcpu == NULL ? 0 : o->cpu->vcpu->id, e->pc);
    if (e->reason == EXIT_TRAP) {
        mp_printf(print, ", esr 0x%08lx", e->esr);
        if (ESR_EC(e->esr) == EC_DABT_LOWER) {
            mp_printf(print, ", %s at ipa 0x%lx, va 0x%lx", e->write ? "write" : "read", e->ipa, e->far);
        } else if (ESR_EC(e->esr) == EC_IABT_LOWER) {
            mp_printf(print, ", ipa 0x%lx", e->ipa);
        }
    }
    mp_printf(print, ">");
}

static void exit_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) {
    (void)kind;
    hv_print(print, self, write_exit);
}

MP_DEFINE_CONST_OBJ_TYPE(hv_exit_type, MP_QSTR_Exit, MP_TYPE_FLAG_NONE, attr, exit_attr, print, exit_print);

// ---- VCPU ---------------------------------------------------------------------------------------

// {exception class: exits since the VM was made}, interrupts under "irq".
static mp_obj_t exits(const vcpu_t *v) {
    mp_obj_t counts = mp_obj_new_dict(0);
    for (size_t ec = 0; ec < MP_ARRAY_SIZE(v->counts); ec++) {
        if (v->counts[ec] != 0) {
            mp_obj_dict_store(counts, MP_OBJ_NEW_SMALL_INT(ec), box_u64(v->counts[ec]));
        }
    }
    mp_obj_dict_store(counts, MP_OBJ_NEW_QSTR(MP_QSTR_irq), box_u64(v->irq_exits));
    return counts;
}

// The core it must run on; None: any.
static void pin(vcpu_t *v, mp_obj_t core) {
    mp_int_t n = core == mp_const_none ? -1 : unbox_int(core);
    if (n < -1 || n >= (mp_int_t)platform.ncpus) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("pin: this machine has cores 0 to %u, not %d"), platform.ncpus - 1, (int)n);
    }
    if (v->vm->replay != NULL) {
        mp_raise_msg_varg(&mp_type_RuntimeError, MP_ERROR_TEXT("%s is recorded: its vCPUs follow one another on core 0"), v->vm->name);
    }
    vm_hold(v->vm); // it leaves the one it is on
    v->pin = (int)n;
    vm_release(v->vm);
}

// (state, core or None, PC, PSTATE), also while it runs: then the registers are those of its last exit.
static mp_obj_t now(const vcpu_t *v) {
    static const qstr_short_t states[] = {
        [VCPU_OFF] = MP_QSTR_off, [VCPU_STOPPED] = MP_QSTR_stopped, [VCPU_READY] = MP_QSTR_ready,
        [VCPU_RUNNING] = MP_QSTR_running, [VCPU_IDLE] = MP_QSTR_idle, [VCPU_PYTHON] = MP_QSTR_python,
    };
    const pcpu_t *on = v->state == VCPU_RUNNING ? v->on : NULL;
    const guest_regs_t *regs = v->regs;
    mp_obj_t all[4] = {
        MP_OBJ_NEW_QSTR(states[v->state]), on == NULL ? mp_const_none : MP_OBJ_NEW_SMALL_INT(on->id),
        box_u64(regs->pc), box_u64(regs->pstate),
    };
    return mp_obj_new_tuple(MP_ARRAY_SIZE(all), all);
}

static mp_obj_t vcpu_load_attr(hv_vcpu_obj_t *o, vcpu_t *v, qstr attr) {
    switch (attr) {
        case MP_QSTR_pc:
            return box_u64(v->regs->pc);
        case MP_QSTR_pstate:
            return box_u64(v->regs->pstate);
        case MP_QSTR_sp:
            return box_u64(vcpu_el1_get(v, sp_index(v)));
        case MP_QSTR_x:
            return regfile_new(o, FILE_X);
        case MP_QSTR_q:
            return regfile_new(o, FILE_Q);
        case MP_QSTR_sysreg:
            return regfile_new(o, FILE_SYSREG);
        case MP_QSTR_fpcr:
            fp_save(v);
            return box_u64(v->fp.fpcr);
        case MP_QSTR_fpsr:
            fp_save(v);
            return box_u64(v->fp.fpsr);
        case MP_QSTR_exit:
            o->exit = o->exit != MP_OBJ_NULL ? o->exit : hv_exit_new(o, true);
            return o->exit;
        case MP_QSTR_id:
            return MP_OBJ_NEW_SMALL_INT(v->id);
        case MP_QSTR_sp_el2:
            return box_u64(v->sp_el2);
        case MP_QSTR_vm:
            return o->vm->wrapper;
        default:
            return MP_OBJ_NULL;
    }
}

static bool vcpu_store_attr(vcpu_t *v, qstr attr, mp_obj_t value) {
    switch (attr) {
        case MP_QSTR_pc:
            v->regs->pc = unbox_u64(value);
            v->moved = true;
            return true;
        case MP_QSTR_pstate:
            if (!pstate_is_legal(unbox_u64(value))) {
                mp_raise_ValueError(MP_ERROR_TEXT("pstate: M[4:0] must be 0 (EL0), 4, 5 (EL1) or 16 (EL0, AArch32): an illegal return would stay in EL2"));
            }
            v->regs->pstate = unbox_u64(value);
            return true;
        case MP_QSTR_sp:
            vcpu_el1_set(v, sp_index(v), unbox_u64(value));
            return true;
        case MP_QSTR_fpcr:
            fp_save(v);
            v->fp.fpcr = unbox_u64(value);
            return true;
        case MP_QSTR_fpsr:
            fp_save(v);
            v->fp.fpsr = unbox_u64(value);
            return true;
        default:
            return false;
    }
}

static void vcpu_attr(mp_obj_t self, qstr attr, mp_obj_t *dest) {
    hv_vcpu_obj_t *o = MP_OBJ_TO_PTR(self);
    if (attr == MP_QSTR_exits) {
        if (dest[0] == MP_OBJ_NULL) {
            dest[0] = exits(hv_vcpu_get(self)); // also while it runs
        }
    } else if (attr == MP_QSTR_now) {
        if (dest[0] == MP_OBJ_NULL) {
            dest[0] = now(hv_vcpu_get(self)); // the same
        }
    } else if (attr == MP_QSTR_pin) {
        vcpu_t *v = hv_vcpu_get(self); // the same
        if (dest[0] == MP_OBJ_NULL) {
            dest[0] = v->vm->replay != NULL ? MP_OBJ_NEW_SMALL_INT(0) : v->pin < 0 ? mp_const_none : MP_OBJ_NEW_SMALL_INT(v->pin);
        } else if (dest[1] != MP_OBJ_NULL) {
            pin(v, dest[1]);
            dest[0] = MP_OBJ_NULL;
        }
    } else if (dest[0] == MP_OBJ_NULL) {
        dest[0] = vcpu_load_attr(o, hv_vcpu_get_stopped(self), attr);
        if (dest[0] == MP_OBJ_NULL) {
            dest[1] = MP_OBJ_SENTINEL;
        }
    } else if (dest[1] != MP_OBJ_NULL && vcpu_store_attr(hv_vcpu_get_stopped(self), attr, dest[1])) {
        dest[0] = MP_OBJ_NULL;
    }
}

// reset(pc=0, x0=0): every register as after a reset, EL1h, MMU off.
static mp_obj_t vcpu_reset_method(size_t n_args, const mp_obj_t *args) {
    vcpu_t *v = hv_vcpu_get_stopped(args[0]);
    uint64_t pc = n_args > 1 ? unbox_u64(args[1]) : 0, x0 = n_args > 2 ? unbox_u64(args[2]) : 0;
    if (v->regs != &v->parked) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("a vCPU cannot be reset inside its own handler: return hv.STOP first"));
    }
    uint64_t daif = irq_save(); // from here on nothing may raise
    vcpu_put(v);
    vcpu_reset(v, pc, x0);
    vgic_reset_vcpu(v);
    v->state = v->id == 0 ? VCPU_STOPPED : VCPU_OFF;
    v->on_pending = false;
    irq_restore(daif);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(vcpu_reset_obj, 1, 3, vcpu_reset_method);

// translate(va, write=False, el0=False) -> IPA and PA by both stages, as (ipa, pa), or Fault.
static mp_obj_t vcpu_translate(size_t n_args, const mp_obj_t *args) {
    vcpu_t *v = hv_vcpu_get_stopped(args[0]);
    uint64_t va = unbox_u64(args[1]);
    bool write = n_args > 2 && unbox_bool(args[2]), el0 = n_args > 3 && unbox_bool(args[3]);
    uint64_t ipa, pa;
    uint64_t fault = vcpu_translate_va(v, va, write, el0, &ipa, &pa);
    if (fault != 0) {
        mp_raise_msg_varg(&mp_type_Fault, MP_ERROR_TEXT("va 0x%lx of cpu %u: stage %d %s"), va, v->id,
            fault & BIT(9) ? 2 : 1, fault_status_name(FIELD(fault, 6, 1)));
    }
    mp_obj_t both[2] = { box_u64(ipa), box_u64(pa) };
    return mp_obj_new_tuple(2, both);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(vcpu_translate_obj, 2, 4, vcpu_translate);

// What a module of modules/hv does with a vCPU.
static mp_obj_t by_module(const char *name, qstr function, size_t n_args, const mp_obj_t *args) {
    mp_obj_t from = MP_OBJ_NEW_QSTR(function), list = mp_obj_new_tuple(1, &from);
    mp_obj_t module = mp_import_name(qstr_from_str(name), list, MP_OBJ_NEW_SMALL_INT(0));
    return mp_call_function_n_kw(mp_load_attr(module, function), n_args, 0, args);
}

// dump(): all of it, decoded.
static mp_obj_t vcpu_dump(mp_obj_t self) {
    return by_module("hv.state", MP_QSTR_dump, 1, &self);
}
static MP_DEFINE_CONST_FUN_OBJ_1(vcpu_dump_obj, vcpu_dump);

// What has ended the step: another exit than its own, or its own.
static mp_obj_t step_exit_of(mp_obj_t self, vcpu_t *v, exit_t why) {
    hv_vcpu_obj_t *o = MP_OBJ_TO_PTR(self);
    v->exit.reason = why;
    if (why == EXIT_RESUME) {
        v->exit = (exit_info_t) { .esr = (uint64_t)EC_STEP_LOWER << 26 | ESR_IL | 0x22, .pc = v->regs->pc, .reason = EXIT_TRAP };
    } else if (why == EXIT_CPU_OFF) {
        v->state = VCPU_OFF;
    } else if (why == EXIT_RAISED && o->exception != MP_OBJ_NULL) {
        mp_obj_t raised = o->exception;
        o->exception = MP_OBJ_NULL;
        nlr_raise(raised);
    }
    return hv_exit_new(o, false);
}

// step(n=1, f=None) -> Exit
static mp_obj_t vcpu_step(size_t n_args, const mp_obj_t *args) {
    vcpu_t *v = hv_vcpu_get_stopped(args[0]);
    uint64_t n = n_args > 1 ? unbox_u64(args[1]) : 1;
    mp_obj_t f = n_args > 2 ? args[2] : mp_const_none;
    if (n == 0 || n >> 63) {
        mp_raise_ValueError(MP_ERROR_TEXT("a number of steps is from 1 on"));
    }
    if (v->vm->running || v->state != VCPU_STOPPED || boot_core_any_handler()) {
        mp_raise_msg_varg(&mp_type_RuntimeError, v->state == VCPU_OFF ? MP_ERROR_TEXT("cpu %u is off") : MP_ERROR_TEXT("cpu %u is running: vm.pause(), or return hv.STOP, first"), v->id);
    }
    handler_t *handler = f == mp_const_none ? NULL : handler_new(f, -1, 0);
    hv_vm_obj_t *vm = ((hv_vcpu_obj_t *)MP_OBJ_TO_PTR(args[0]))->vm;
    breaks_init(vm_hold, vm_release);
    if (handler != NULL) {
        mp_obj_list_append(vm->handlers, MP_OBJ_FROM_PTR(handler)); // native memory names it
    }
    exit_t why = EXIT_RESUME;
    bool woken = false;
    uint64_t left = n;
    for (unsigned tries = 0; n != 0 && why == EXIT_RESUME; tries++) {
        woken |= mp_hal_woken;
        mp_hal_woken = false; // or each step would come back here for its sake
        v->brk.handler = handler;
        v->brk.steps = n - 1;
        why = v->vm->replay != NULL ? hv_replay_step(v) : boot_core_alone(v, break_step);
        v->brk.handler = NULL;
        n = v->brk.steps + !v->brk.done;
        bool stop = false;
        if (why == EXIT_RESUME && handler != NULL && v->brk.done && !v->brk.asked) {
            stop = mp_call_function_1(f, args[0]) == MP_OBJ_FROM_PTR(&hv_actions[ACTION_STOP]);
        }
        mp_handle_pending(true);
        v = hv_vcpu_get(args[0]); // raises if something has closed it
        if (stop) {
            break;
        }
        tries = n == left ? tries : 0;
        left = n;
        why = why == EXIT_RESUME && tries == HV_TRIES ? EXIT_TRAP : why;
    }
    mp_hal_woken |= woken;
    hv_forget(vm, handler);
    return step_exit_of(args[0], v, why);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(vcpu_step_obj, 1, 3, vcpu_step);

static mp_obj_t vcpu_next(mp_obj_t self) {
    return by_module("hv.breaks", MP_QSTR_step_next, 1, &self);
}
static MP_DEFINE_CONST_FUN_OBJ_1(vcpu_next_obj, vcpu_next);

static mp_obj_t vcpu_finish(mp_obj_t self) {
    return by_module("hv.breaks", MP_QSTR_finish, 1, &self);
}
static MP_DEFINE_CONST_FUN_OBJ_1(vcpu_finish_obj, vcpu_finish);

// where(limit=32)
static mp_obj_t vcpu_where(size_t n_args, const mp_obj_t *args) {
    return by_module("hv.where", MP_QSTR_Where, n_args, args);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(vcpu_where_obj, 1, 2, vcpu_where);

static const char *mode_name(uint64_t pstate) {
    if (pstate & PSTATE_A32) {
        return "EL0 AArch32";
    }
    switch (pstate & 0xF) {
        case 0:
            return "EL0t";
        case PSTATE_EL1T:
            return "EL1t";
        default:
            return "EL1h";
    }
}

// What the transition to EL1 loads (and what it leaves alone), as a table.
static void write_vcpu(const mp_print_t *print, mp_obj_t self) {
    hv_vcpu_obj_t *o = MP_OBJ_TO_PTR(self);
    vcpu_t *v = o->vcpu;
    if (v == NULL) {
        mp_printf(print, "<VCPU closed>");
        return;
    }
    if (v->on != NULL && v->on != this_pcpu()) {
        mp_printf(print, "<VCPU %u of %s: running on core %u>", v->id, v->vm->name, v->on->id);
        return;
    }
    if (share_may_run(v)) {
        mp_printf(print, "<VCPU %u of %s: running in the background>", v->id, v->vm->name);
        return;
    }
    uint64_t p = v->regs->pstate, el2 = v->sp_el2;
    mp_printf(print, "<VCPU %u of %s\n", v->id, v->vm->name);
    mp_printf(print, "  PC         0x%016lx  CurrentEL %u (%s)\n", v->regs->pc, (unsigned)(p >> 2 & 3), mode_name(p));
    mp_printf(print, "  ELR_EL2    0x%016lx  SPSR_EL2  0x%08lx (%s, IRQ %s, FIQ %s)\n", v->regs->pc, p, mode_name(p),
        p & BIT(7) ? "masked" : "enabled", p & BIT(6) ? "masked" : "enabled");
    mp_printf(print, "  SP_EL1     0x%016lx  SP_EL0    0x%016lx\n", vcpu_el1_get(v, EL1_SP_EL1), vcpu_el1_get(v, EL1_SP_EL0));
    mp_printf(print, "  SP_EL2     0x%016lx  HCR_EL2   0x%016lx\n", el2, v->vm->el2[EL2_HCR]);
    mp_printf(print, "  SCTLR_EL1  0x%016lx  VBAR_EL1  0x%016lx>", vcpu_el1_get(v, EL1_SCTLR_EL1), vcpu_el1_get(v, EL1_VBAR_EL1));
}

static void vcpu_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) {
    (void)kind;
    hv_print(print, self, write_vcpu);
}

static const mp_rom_map_elem_t vcpu_locals[] = {
    { MP_ROM_QSTR(MP_QSTR_dump), MP_ROM_PTR(&vcpu_dump_obj) },
    { MP_ROM_QSTR(MP_QSTR_finish), MP_ROM_PTR(&vcpu_finish_obj) },
    { MP_ROM_QSTR(MP_QSTR_inject), MP_ROM_PTR(&hv_vcpu_inject_obj) },
    { MP_ROM_QSTR(MP_QSTR_read), MP_ROM_PTR(&hv_vcpu_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_reset), MP_ROM_PTR(&vcpu_reset_obj) },
    { MP_ROM_QSTR(MP_QSTR_string), MP_ROM_PTR(&hv_vcpu_string_obj) },
    { MP_ROM_QSTR(MP_QSTR_next), MP_ROM_PTR(&vcpu_next_obj) },
    { MP_ROM_QSTR(MP_QSTR_step), MP_ROM_PTR(&vcpu_step_obj) },
    { MP_ROM_QSTR(MP_QSTR_translate), MP_ROM_PTR(&vcpu_translate_obj) },
    { MP_ROM_QSTR(MP_QSTR_where), MP_ROM_PTR(&vcpu_where_obj) },
    { MP_ROM_QSTR(MP_QSTR_write), MP_ROM_PTR(&hv_vcpu_write_obj) },
};
static MP_DEFINE_CONST_DICT(vcpu_locals_dict, vcpu_locals);

MP_DEFINE_CONST_OBJ_TYPE(hv_vcpu_type, MP_QSTR_VCPU, MP_TYPE_FLAG_NONE,
    attr, vcpu_attr, print, vcpu_print, locals_dict, &vcpu_locals_dict);
