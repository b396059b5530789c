// SPDX-License-Identifier: MIT
// The module _hv: what modules/hv is made of.

#include "py/mperrno.h"
#include "py/runtime.h"
#include "shared/runtime/pyexec.h"
#include "core/access.h"
#include "core/arch.h"
#include "core/cpu.h"
#include "core/event.h"
#include "core/firmware.h"
#include "core/platform.h"
#include "core/syndrome.h"
#include "memory/mem.h"
#include "python/boot_core.h"
#include "python/objects.h"
#include "python/sysreg_access.h"
#include "python/sysreg_table.h"
#include "trap/callback.h"
#include "trap/el2_fault.h"
#include "trap/numbers.h"
#include "vcpu/share.h"
#include "vm/fp.h"
#include "vm/policy.h"
#include "vm/vm.h"

// mrs(name or encoding) -> int
static mp_obj_t hv_mrs(mp_obj_t reg) {
    int enc = sysreg_lookup(reg);
    uint64_t value;
    if (enc == SYSREG_ENC(3, 0, 12, 8, 0) || enc == SYSREG_ENC(3, 0, 12, 12, 0)) {
        mp_raise_ValueError(MP_ERROR_TEXT("ICC_IAR<n>_EL1: a read acknowledges an interrupt, and EL2 would wait for it in vain"));
    }
    if (sysreg_read(enc, &value) != 0) {
        char name[SYSREG_NAME_MAX];
        mp_raise_msg_varg(&mp_type_Fault, MP_ERROR_TEXT("%s cannot be read: this core has no such register, or it is write-only"),
            sysreg_name(enc, name));
    }
    return box_u64(value);
}
static MP_DEFINE_CONST_FUN_OBJ_1(hv_mrs_obj, hv_mrs);

// What may end everything is asked for by name, and by nothing that is merely true.
bool hv_insists(mp_obj_t o) {
    if (o != mp_const_true && o != mp_const_false) {
        mp_raise_TypeError(MP_ERROR_TEXT("unsafe= takes True or False"));
    }
    return o == mp_const_true;
}

bool hv_unsafe(size_t n_args, size_t most, mp_map_t *kw) {
    mp_map_elem_t *given = mp_map_lookup(kw, MP_OBJ_NEW_QSTR(MP_QSTR_unsafe), MP_MAP_LOOKUP);
    if (kw->used != (given != NULL)) {
        mp_raise_TypeError(MP_ERROR_TEXT("unsafe= is the only keyword here"));
    }
    if (n_args > most) {
        mp_raise_TypeError(MP_ERROR_TEXT("too many arguments: unsafe=True is written with its name"));
    }
    return given != NULL && hv_insists(given->value);
}

void hv_print(const mp_print_t *print, mp_obj_t self, void (*write)(const mp_print_t *to, mp_obj_t self)) {
    vstr_t text;
    mp_print_t to;
    vstr_init_print(&text, 64, &to);
    write(&to, self);
    print->print_strn(print->data, text.buf, text.len);
    vstr_clear(&text);
}

// Registers this hypervisor stands on. A script that means it says unsafe=True.
static const char *own_register(unsigned enc) {
    static const struct { uint16_t enc;
                          const char *what;
    } own[] = {
        { SYSREG_ENC(3, 0, 4, 2, 0), "SPSel: EL2's own stack pointer" },
        { SYSREG_ENC(3, 4, 1, 0, 0), "SCTLR_EL2: EL2's own MMU and caches" },
        { SYSREG_ENC(3, 4, 2, 0, 0), "TTBR0_EL2: EL2's own page tables; hv.mmu changes them" },
        { SYSREG_ENC(3, 4, 2, 0, 2), "TCR_EL2: EL2's own page tables" },
        { SYSREG_ENC(3, 4, 2, 1, 0), "VTTBR_EL2: a VM's page tables; vm.stage2 changes them" },
        { SYSREG_ENC(3, 4, 10, 2, 0), "MAIR_EL2: EL2's own memory types" },
        { SYSREG_ENC(3, 4, 12, 0, 0), "VBAR_EL2: EL2's own vectors" },
        { SYSREG_ENC(3, 4, 12, 0, 2), "RMR_EL2: resets the core" },
        { SYSREG_ENC(3, 4, 13, 0, 2), "TPIDR_EL2: where EL2 finds its core's data" },
        { SYSREG_ENC(3, 4, 14, 2, 0), "CNTHP_TVAL_EL2: EL2's own timer" },
        { SYSREG_ENC(3, 4, 14, 2, 1), "CNTHP_CTL_EL2: EL2's own timer" },
        { SYSREG_ENC(3, 4, 14, 2, 2), "CNTHP_CVAL_EL2: EL2's own timer" },
        { SYSREG_ENC(3, 4, 14, 0, 3), "CNTVOFF_EL2: a VM's own time" },
        { SYSREG_ENC(1, 3, 7, 4, 1), "DC ZVA: zeroes memory, whoever's it is; hv.write changes it by address" },
        { SYSREG_ENC(1, 0, 7, 6, 1), "DC IVAC: drops what is in the cache and not yet in memory; DC_CIVAC writes it there first" },
        { SYSREG_ENC(1, 0, 7, 6, 2), "DC ISW: drops what is in the cache and not yet in memory; DC_CISW writes it there first" },
    };
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        if (own[i].enc == enc) {
            return own[i].what;
        }
    }
    // op1 0, CRn 12, CRm 8 and up, and ICC_PMR_EL1, ICC_SRE_EL2.
    bool icc = (enc >> 6) == SYSREG_ENC(3, 0, 12, 8, 0) >> 6 || enc == SYSREG_ENC(3, 0, 4, 6, 0) || enc == SYSREG_ENC(3, 4, 12, 9, 5);
    return icc ? "ICC_*: EL2's own interrupts" : NULL;
}

// msr(name or encoding, value, *, unsafe=False)
static mp_obj_t hv_msr(size_t n_args, const mp_obj_t *pos, mp_map_t *kw) {
    unsigned enc = sysreg_lookup(pos[0]);
    uint64_t value = unbox_u64(pos[1]);
    el2_reg_t reg = el2_find(enc);
    if (!hv_unsafe(n_args, 2, kw)) {
        const char *own = own_register(enc);
        if (own != NULL) {
            mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s (unsafe=True insists)"), own);
        }
        if (reg != EL2_COUNT) {
            hv_policy_check(reg, value, this_pcpu()->running != NULL);
        }
    }
    if (reg == EL2_CPTR) {
        uint64_t daif = irq_save(); // a slice might be that guest's
        fp_take_for_el2(); // or the guest whose FP registers are live would lose them
        irq_restore(daif);
    }
    if (sysreg_write(enc, value) != 0) {
        char name[SYSREG_NAME_MAX];
        mp_raise_msg_varg(&mp_type_Fault, MP_ERROR_TEXT("%s cannot be written: this core has no such register, or it is read-only"),
            sysreg_name(enc, name));
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_KW(hv_msr_obj, 2, hv_msr);

static unsigned access_size(mp_obj_t o) {
    mp_int_t size = unbox_int(o);
    if (size != 1 && size != 2 && size != 4 && size != 8) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("an access is 1, 2, 4 or 8 bytes, not %d"), (int)size);
    }
    return (unsigned)size;
}

// read(address, size=4) -> int
static mp_obj_t hv_read(size_t n_args, const mp_obj_t *args) {
    uint64_t addr = unbox_u64(args[0]), value;
    unsigned size = n_args > 1 ? access_size(args[1]) : 4;
    int64_t esr = peek(addr, size, &value);
    if (esr != 0) {
        fault_raise(addr, size, esr, false);
    }
    return box_u64(value);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_read_obj, 1, 2, hv_read);

// write(address, value, size=4)
static mp_obj_t hv_write(size_t n_args, const mp_obj_t *args) {
    uint64_t addr = unbox_u64(args[0]);
    unsigned size = n_args > 2 ? access_size(args[2]) : 4;
    int64_t esr = poke(addr, size, unbox_u64(args[1]));
    if (esr != 0) {
        fault_raise(addr, size, esr, true);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_write_obj, 2, 3, hv_write);

// mem() -> (free, total, largest) bytes of the page allocator
static mp_obj_t hv_mem(void) {
    mp_obj_t items[3] = { box_u64(page_free_bytes()), box_u64(page_total_bytes()), box_u64(page_largest()) };
    return mp_obj_new_tuple(3, items);
}
static MP_DEFINE_CONST_FUN_OBJ_0(hv_mem_obj, hv_mem);

// share(thousandths=None) -> thousandths before
static mp_obj_t hv_share(size_t n_args, const mp_obj_t *args) {
    unsigned before = share_get();
    if (n_args > 0) {
        mp_int_t part = unbox_int(args[0]);
        if (part < 0 || part > (mp_int_t)SHARE_MAX) {
            mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("share is from 0 to %u thousandths of the first core, not %ld"), SHARE_MAX, (long)part);
        }
        share_set((unsigned)part);
        boot_core_share();
    }
    return MP_OBJ_NEW_SMALL_INT(before);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_share_obj, 0, 1, hv_share);

// platform() -> dict
static mp_obj_t hv_platform(void) {
    mp_obj_t d = mp_obj_new_dict(15);
    #define PUT(name, value) mp_obj_dict_store(d, MP_OBJ_NEW_QSTR(MP_QSTR_##name), value)
    PUT(model, mp_obj_new_str_from_cstr(platform.model));
    PUT(boot_el, MP_OBJ_NEW_SMALL_INT(platform.boot_el));
    PUT(cpus, MP_OBJ_NEW_SMALL_INT(platform.ncpus));
    PUT(ram_base, box_u64(platform.ram_base));
    PUT(ram_size, box_u64(platform.ram_size));
    PUT(gic, MP_OBJ_NEW_SMALL_INT(platform.gic_version));
    PUT(pmu, MP_OBJ_NEW_SMALL_INT(platform.pmu_irq));
    PUT(uart, box_u64(platform.console->base));
    PUT(rtc, box_u64(platform.rtc_base));
    PUT(fw_cfg, box_u64(platform.fwcfg_base));
    PUT(fdt, box_u64((uint64_t)platform.fdt));
    PUT(fdt_size, box_u64(platform.fdt_size));
    PUT(initrd, box_u64(platform.initrd_start));
    PUT(initrd_size, box_u64(platform.initrd_end - platform.initrd_start));
    PUT(psci, mp_obj_new_bool(platform.conduit != CONDUIT_NONE));
    return d;
}
static MP_DEFINE_CONST_FUN_OBJ_0(hv_platform_obj, hv_platform);

static mp_obj_t hv_poweroff(void) {
    firmware_system_off();
    mp_raise_OSError(MP_ENODEV);
}
static MP_DEFINE_CONST_FUN_OBJ_0(hv_poweroff_obj, hv_poweroff);

// interactive() -> bool: a person types at the friendly REPL, rather than a program at the raw one
static mp_obj_t hv_interactive(void) {
    return mp_obj_new_bool(pyexec_mode_kind == PYEXEC_MODE_FRIENDLY_REPL);
}
static MP_DEFINE_CONST_FUN_OBJ_0(hv_interactive_obj, hv_interactive);

// event() -> (time, key, pc, value, cpu, ec, write, vmid, lost) or None
static mp_obj_t hv_event(void) {
    event_t e;
    uint64_t lost;
    if (!event_next(&e, &lost)) {
        return mp_const_none;
    }
    mp_obj_t items[9] = {
        box_u64(e.time), box_u64(e.key), box_u64(e.pc), box_u64(e.value), MP_OBJ_NEW_SMALL_INT(e.cpu), MP_OBJ_NEW_SMALL_INT(e.ec),
        mp_obj_new_bool(e.write), MP_OBJ_NEW_SMALL_INT(e.vmid), box_u64(lost),
    };
    return mp_obj_new_tuple(9, items);
}
static MP_DEFINE_CONST_FUN_OBJ_0(hv_event_obj, hv_event);

static const mp_rom_map_elem_t globals[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR__hv) },
    { MP_ROM_QSTR(MP_QSTR_VM), MP_ROM_PTR(&hv_vm_type) },
    { MP_ROM_QSTR(MP_QSTR_VCPU), MP_ROM_PTR(&hv_vcpu_type) },
    { MP_ROM_QSTR(MP_QSTR_Exit), MP_ROM_PTR(&hv_exit_type) },
    { MP_ROM_QSTR(MP_QSTR_Pages), MP_ROM_PTR(&hv_pages_type) },
    { MP_ROM_QSTR(MP_QSTR_Fault), MP_ROM_PTR(&mp_type_Fault) },
    { MP_ROM_QSTR(MP_QSTR_RETRY), MP_ROM_PTR(&hv_actions[ACTION_RETRY]) },
    { MP_ROM_QSTR(MP_QSTR_SKIP), MP_ROM_PTR(&hv_actions[ACTION_SKIP]) },
    { MP_ROM_QSTR(MP_QSTR_STOP), MP_ROM_PTR(&hv_actions[ACTION_STOP]) },
    { MP_ROM_QSTR(MP_QSTR_UNDEFINED), MP_ROM_PTR(&hv_actions[ACTION_UNDEFINED]) },
    { MP_ROM_QSTR(MP_QSTR_ABORT), MP_ROM_PTR(&hv_actions[ACTION_ABORT]) },
    { MP_ROM_QSTR(MP_QSTR_SERROR), MP_ROM_PTR(&hv_actions[ACTION_SERROR]) },
    { MP_ROM_QSTR(MP_QSTR_PASS), MP_ROM_PTR(&hv_actions[ACTION_PASS]) },
    { MP_ROM_QSTR(MP_QSTR_mrs), MP_ROM_PTR(&hv_mrs_obj) },
    { MP_ROM_QSTR(MP_QSTR_msr), MP_ROM_PTR(&hv_msr_obj) },
    { MP_ROM_QSTR(MP_QSTR_read), MP_ROM_PTR(&hv_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_write), MP_ROM_PTR(&hv_write_obj) },
    { MP_ROM_QSTR(MP_QSTR_mmu), MP_ROM_PTR(&hv_mmu_obj) },
    { MP_ROM_QSTR(MP_QSTR_mmu_run), MP_ROM_PTR(&hv_mmu_run_obj) },
    { MP_ROM_QSTR(MP_QSTR_mmu_translate), MP_ROM_PTR(&hv_mmu_translate_obj) },
    { MP_ROM_QSTR(MP_QSTR_mmu_parts), MP_ROM_PTR(&hv_mmu_parts_obj) },
    { MP_ROM_QSTR(MP_QSTR_mem), MP_ROM_PTR(&hv_mem_obj) },
    { MP_ROM_QSTR(MP_QSTR_latency), MP_ROM_PTR(&hv_latency_obj) },
    { MP_ROM_QSTR(MP_QSTR_share), MP_ROM_PTR(&hv_share_obj) },
    { MP_ROM_QSTR(MP_QSTR_platform), MP_ROM_PTR(&hv_platform_obj) },
    { MP_ROM_QSTR(MP_QSTR_poweroff), MP_ROM_PTR(&hv_poweroff_obj) },
    { MP_ROM_QSTR(MP_QSTR_interactive), MP_ROM_PTR(&hv_interactive_obj) },
    { MP_ROM_QSTR(MP_QSTR_event), MP_ROM_PTR(&hv_event_obj) },
    { MP_ROM_QSTR(MP_QSTR_symbols), MP_ROM_PTR(&hv_symbols_obj) },
    { MP_ROM_QSTR(MP_QSTR_btf), MP_ROM_PTR(&hv_btf_obj) },
    { MP_ROM_QSTR(MP_QSTR_sysreg), MP_ROM_PTR(&hv_sysreg_obj) },
    { MP_ROM_QSTR(MP_QSTR_sysreg_fields), MP_ROM_PTR(&hv_sysreg_fields_obj) },
    { MP_ROM_QSTR(MP_QSTR_sysreg_names), MP_ROM_PTR(&hv_sysreg_names_obj) },
};
static MP_DEFINE_CONST_DICT(globals_dict, globals);

const mp_obj_module_t hv_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&globals_dict,
};
MP_REGISTER_MODULE(MP_QSTR__hv, hv_module);
