// SPDX-License-Identifier: MIT
// vm.reset().
// A VM as it was made: see modules/hv/vm.py, VM.reset.

#include "py/runtime.h"
#include "core/arch.h"
#include "devices/machine.h"
#include "python/boot_core.h"
#include "python/objects.h"
#include "vcpu/vcpu.h"
#include "vgic/vgic.h"
#include "vgic/vtimer.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

// reset(): RAM is zero, every vCPU and every native device as at power-on. What a script has set up
// stays: hooks, rules, stage 2, vm.el2.
static mp_obj_t vm_reset(mp_obj_t self) {
    vm_t *vm = hv_vm_get(self);
    if (vm->running || boot_core_in_handler(vm)) {
        mp_raise_msg_varg(&mp_type_RuntimeError, MP_ERROR_TEXT("%s is running: vm.pause(), or return hv.STOP, first"), vm->name);
    }
    uint64_t daif = irq_save();
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vcpu_t *v = vm->vcpu[i];
        vcpu_put(v);
        vcpu_reset(v, 0, 0);
        vgic_reset_vcpu(v);
        v->state = i == 0 ? VCPU_STOPPED : VCPU_OFF;
        v->on_pending = false;
    }
    vtimer_restart(vm);
    irq_restore(daif);
    devices_reset(vm);
    vm_ram_zero(vm);
    return mp_const_none;
}
MP_DEFINE_CONST_FUN_OBJ_1(hv_vm_reset_obj, vm_reset);
