// SPDX-License-Identifier: MIT
// cpu.inject(): an exception that the guest takes to its EL1 when it next runs, or an interrupt.

#include "py/objstr.h"
#include "py/runtime.h"
#include "core/arch.h"
#include "core/syndrome.h"
#include "hold/replay.h"
#include "python/objects.h"
#include "trap/numbers.h"
#include "vcpu/insn.h"
#include "vcpu/vcpu.h"
#include "vgic/vgic.h"
#include "vm/vgic_state.h"

#define ISS_DEBUG 0x22  // IFSC and DFSC of a debug exception (DDI 0487 D13.2.37)

static void inject_irq(vcpu_t *v, bool given, uint64_t intid) {
    if (!given || intid < 32 || intid >= VGIC_LINES) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("inject('irq', intid): 32 to %u, of a device"), VGIC_LINES - 1);
    }
    hv_input(v->vm, INPUT_PULSE, (unsigned)intid, 0);
}

// A syndrome of the caller's own: of classes in pairs it is up to him whether it says "lower" or "same level".
static void inject_esr(vcpu_t *v, uint64_t esr, bool given, uint64_t far) {
    if (esr >> 32) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("ESR_EL1 has 32 bits: 0x%lx"), esr);
    }
    vcpu_inject_sync(v, esr, far, given);
}

// SVC and BRK with an immediate; the PC is what EL1 returns to: the BRK itself, but behind an SVC.
static void inject_call(vcpu_t *v, uint64_t ec, uint64_t imm) {
    if (imm > 0xFFFF) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("an immediate has 16 bits: 0x%lx"), imm);
    }
    vcpu_inject_sync(v, ec << 26 | ESR_IL | imm, 0, false);
}

static void inject_debug(vcpu_t *v, uint64_t ec, bool given, uint64_t far) {
    uint64_t same = insn_at_el0(v) ? 0 : BIT(26);
    vcpu_inject_sync(v, (ec << 26) | same | ESR_IL | ISS_DEBUG, far, given);
}

// inject(what, where): what is a name, or an int: ESR_EL1. where: FAR_EL1, the immediate of an SVC or BRK, an INTID.
static mp_obj_t vcpu_inject(size_t n_args, const mp_obj_t *args) {
    vcpu_t *v = hv_vcpu_get_stopped(args[0]);
    bool given = n_args > 2;
    uint64_t where = given ? unbox_u64(args[2]) : 0, far = given ? where : v->exit.far;
    if (mp_obj_is_int(args[1])) {
        inject_esr(v, unbox_u64(args[1]), given, where);
        v->moved = true;
        return mp_const_none;
    }
    qstr what = mp_obj_str_get_qstr(args[1]);
    switch (what) {
        case MP_QSTR_undefined:
            vcpu_inject_undefined(v);
            break;
        case MP_QSTR_abort:
            vcpu_inject_abort(v, false, far);
            break;
        case MP_QSTR_fetch:
            vcpu_inject_abort(v, true, far);
            break;
        case MP_QSTR_svc:
            inject_call(v, EC_SVC64, where);
            break;
        case MP_QSTR_brk:
            inject_call(v, EC_BRK64, where);
            break;
        case MP_QSTR_step:
            inject_debug(v, EC_STEP_LOWER, false, 0);
            break;
        case MP_QSTR_breakpoint:
            inject_debug(v, EC_BREAKPOINT_LOWER, false, 0);
            break;
        case MP_QSTR_watchpoint:
            inject_debug(v, EC_WATCHPOINT_LOWER, true, far);
            break;
        case MP_QSTR_serror:
            vcpu_inject_serror(v);
            return mp_const_none;
        case MP_QSTR_irq:
            inject_irq(v, given, where);
            return mp_const_none;
        default:
            mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("cannot inject '%q': undefined, abort, fetch, svc, brk, step, breakpoint, watchpoint, serror, irq or an ESR"), what);
    }
    v->moved = true;
    return mp_const_none;
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vcpu_inject_obj, 2, 3, vcpu_inject);
