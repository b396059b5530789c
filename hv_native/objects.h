// SPDX-License-Identifier: MIT
// The Python objects of the module _hv, and what they are made of.
#ifndef HV_OBJECTS_H
#define HV_OBJECTS_H

#include "py/obj.h"
#include "callback.h"
#include "vm.h"

// _hv.VM. The vm_t is native memory; what Python objects it needs are kept reachable from here.
typedef struct {
    mp_obj_base_t base;
    vm_t *vm;               // NULL once closed
    mp_obj_t cpus;          // tuple of _hv.VCPU
    mp_obj_t handlers;      // list of Python handlers, so that the GC finds them
    mp_obj_t wrapper;       // the hv.VM around it, for cpu.vm
} hv_vm_obj_t;

typedef struct {
    mp_obj_base_t base;
    vcpu_t *vcpu;           // NULL once the VM is closed
    hv_vm_obj_t *vm;
} hv_vcpu_obj_t;

extern const mp_obj_type_t hv_vm_type, hv_vcpu_type, hv_exit_type, hv_regfile_type, hv_memory_type, hv_el2_type;

// Raises ValueError when the VM has been closed.
vm_t *hv_vm_get(mp_obj_t self);
vcpu_t *hv_vcpu_get(mp_obj_t self);
// As above; raises RuntimeError while the vCPU runs on another core.
vcpu_t *hv_vcpu_get_stopped(mp_obj_t self);

mp_obj_t hv_exit_new(hv_vcpu_obj_t *cpu, bool live);
mp_obj_t hv_regfile_new(hv_vcpu_obj_t *cpu, qstr which);
mp_obj_t hv_memory_new(hv_vm_obj_t *vm);
mp_obj_t hv_el2_new(hv_vm_obj_t *vm);

// vm_obj.c: run vCPUs of a VM in the foreground.
mp_obj_t hv_vm_run(size_t n_args, const mp_obj_t *args, mp_map_t *kwargs);

#endif
