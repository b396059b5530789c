// SPDX-License-Identifier: MIT
// The Python objects of the module _hv, and what they are made of.
#ifndef HV_OBJECTS_H
#define HV_OBJECTS_H

#include "py/obj.h"
#include "py/runtime.h"
#include "memory/pgtable.h"
#include "python/sysreg_table.h"
#include "trap/callback.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

// _hv.VM. The vm_t is native memory; what Python objects it needs are kept reachable from here.
typedef struct hv_vm_obj {
    mp_obj_base_t base;
    vm_t *vm;               // NULL once closed
    mp_obj_t cpus;          // tuple of _hv.VCPU
    mp_obj_t handlers;      // list of Python handlers, so that the GC finds them
    mp_obj_t wrapper;       // the hv.VM around it, for cpu.vm
} hv_vm_obj_t;

extern const mp_obj_type_t hv_vm_type, hv_vcpu_type, hv_exit_type, hv_regfile_type, hv_memory_type, hv_el2_type, hv_console_type, hv_rule_type;
extern const mp_obj_type_t hv_virtio_type, hv_request_type, hv_pages_type;

// Raises ValueError when the VM has been closed.
vm_t *hv_vm_get(mp_obj_t self);

// What has nothing but its VM: vm.memory, vm.el2 and vm.console.
typedef struct {
    mp_obj_base_t base;
    hv_vm_obj_t *vm;
} hv_part_obj_t;
static inline vm_t *hv_part_vm(mp_obj_t self) {
    return hv_vm_get(MP_OBJ_FROM_PTR(((hv_part_obj_t *)MP_OBJ_TO_PTR(self))->vm));
}

vcpu_t *hv_vcpu_get(mp_obj_t self);
// As above; raises RuntimeError while the vCPU runs on another core.
vcpu_t *hv_vcpu_get_stopped(mp_obj_t self);

// The bytes in it, which is used up. Unlike mp_obj_new_bytes_from_vstr it reckons no hash: a dictionary that wants one
// does, and of megabytes of memory hardly any does.
mp_obj_t hv_bytes(vstr_t *data);

// MemoryError that says what was wanted and what is left.
MP_NORETURN void hv_no_room(const char *what, uint64_t bytes);
// `unsafe` of a function that has no other keyword and takes up to `most` arguments by place; TypeError for another
// keyword, for more arguments, and for what is not True or False.
bool hv_unsafe(size_t n_args, size_t most, mp_map_t *kw);
bool hv_insists(mp_obj_t unsafe);

// An argument that is to be of a type: self, which the interpreter has looked at, is not.
static inline mp_obj_t hv_of_type(mp_obj_t o, const mp_obj_type_t *type) {
    if (!mp_obj_is_type(o, type)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("an argument is a %q, not a %s"), type->name, mp_obj_get_type_str(o));
    }
    return o;
}

// A method of many words takes as many arguments as the word does: what is not there is None, which is of no kind that it wants.
static inline void hv_fill_args(size_t n_args, const mp_obj_t *given, size_t most, mp_obj_t *args) {
    for (size_t i = 0; i < most; i++) {
        args[i] = i < n_args ? given[i] : mp_const_none;
    }
}

// ValueError that names the bit and the reason when value breaks the policy (obj_el2.c).
void hv_policy_check(el2_reg_t reg, uint64_t value, bool guest);

// obj_hook.c: one entry of the VM's handlers may be collected.
void hv_forget(hv_vm_obj_t *o, void *handler);
// obj_irq.c; boot core: ask the handlers of interrupts that wait for them.
void hv_irq_serve(void);
// obj_watch.c; boot core: tell handlers of devices' accesses to what is watched, and say what pages are hot.
void hv_watch_serve(void);

// Methods of _hv.VM that have files of their own.
MP_DECLARE_CONST_FUN_OBJ_1(hv_latency_obj);
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_irq_obj);    // obj_irq.c
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_hook_obj);   // obj_hook.c
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_mmio_obj);
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_rule_obj);
MP_DECLARE_CONST_FUN_OBJ_3(hv_vm_who_obj);
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_el1_obj);
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_stage2_obj); // obj_stage2.c
MP_DECLARE_CONST_FUN_OBJ_2(hv_vm_stage2_run_obj);
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_trace_obj);  // obj_trace.c
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_watch_obj);  // obj_watch.c
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_breakpoint_obj); // obj_break.c
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_ipa_of_obj);
MP_DECLARE_CONST_FUN_OBJ_1(hv_vm_reset_obj);            // obj_reset.c
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_snapshots_obj);    // obj_snapshot.c
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_fuzz_obj);   // obj_fuzz.c
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_replay_obj);   // obj_replay.c
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_virtio_obj); // obj_virtio.c
// Methods of _hv.VCPU that have.
MP_DECLARE_CONST_FUN_OBJ_3(hv_vcpu_read_obj);           // vcpu_memory.c
MP_DECLARE_CONST_FUN_OBJ_3(hv_vcpu_write_obj);
MP_DECLARE_CONST_FUN_OBJ_KW(hv_vcpu_string_obj);
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vcpu_inject_obj);   // vcpu_inject.c
// Functions of _hv that have.
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_mmu_obj);       // obj_mmu.c
MP_DECLARE_CONST_FUN_OBJ_1(hv_mmu_run_obj);
MP_DECLARE_CONST_FUN_OBJ_2(hv_mmu_translate_obj);
MP_DECLARE_CONST_FUN_OBJ_0(hv_mmu_parts_obj);
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_symbols_obj);   // symtab.c
MP_DECLARE_CONST_FUN_OBJ_VAR_BETWEEN(hv_btf_obj);       // btf.c

// ValueError when the range is not free for a device (obj_hook.c).
void hv_check_device(vm_t *vm, uint64_t ipa, uint64_t size);
// ValueError when memory is not to be given to vm (host_owner) and `unsafe` does not insist.
void hv_check_owner(const vm_t *vm, uint64_t pa, uint64_t size, bool unsafe);
mp_obj_t hv_pgtable_run(const pgtable_t *pt, mp_obj_t addr);

// Where the output goes may be Python, which may close the VM that is printed: so `write` has done its work before.
void hv_print(const mp_print_t *print, mp_obj_t self, void (*write)(const mp_print_t *to, mp_obj_t self));

mp_obj_t hv_exit_new(hv_vcpu_obj_t *cpu, bool live);

// Boot core: stop a VM and wait; the exits it still had for Python are dropped.
void hv_vm_stop_and_wait(vm_t *vm);
// It has no VM any more: nor have its vCPUs, and what a script still has of them raises ValueError.
void hv_vm_destroy(hv_vm_obj_t *o);
// vm_hold or vm_release, of all VMs, if what is about to change is shared with forks (vm/shared.h).
void hv_hold_all(bool shares, void (*hold)(vm_t *vm));
// obj_replay.c: something from outside is put into a VM (input_kind_t; hold/replay.h). False: not now.
bool hv_input(vm_t *vm, unsigned kind, unsigned what, uint64_t value);
struct vcpu;
exit_t hv_replay_step(struct vcpu *v);
#define HV_TRIES 300u   // of a step that its handlers answer each time without an end of it: then it is that exit
// obj_virtio.c: what its devices are at work on is void, for it has gone back to another time.
void hv_virtio_forget(vm_t *vm);
// vm_add_ram; if need be, after a collection.
bool hv_vm_add_ram(vm_t *vm, uint64_t ipa, uint64_t size);
// Boot core: tell the hv.VM of a VM that ended in the background.
void hv_vm_report_ended(void);
bool hv_vm_any_ended(void);

#endif
