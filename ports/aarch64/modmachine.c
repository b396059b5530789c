// SPDX-License-Identifier: MIT
// The port's part of the machine module; included by extmod/modmachine.c.

#include "py/mphal.h"
#include "hv_native/core/arch.h"
#include "hv_native/core/firmware.h"
#include "hv_native/trap/el2_fault.h"
#include "machine_port.h"
#include "serial.h"
#include "storage.h"
#include "uart.h"

enum { PWRON_RESET = 1, SOFT_RESET = 5 };

#define MICROPY_PY_MACHINE_EXTRA_GLOBALS \
    { MP_ROM_QSTR(MP_QSTR_mem8), MP_ROM_PTR(&machine_mem8_obj) }, \
    { MP_ROM_QSTR(MP_QSTR_mem16), MP_ROM_PTR(&machine_mem16_obj) }, \
    { MP_ROM_QSTR(MP_QSTR_mem32), MP_ROM_PTR(&machine_mem32_obj) }, \
    { MP_ROM_QSTR(MP_QSTR_mem64), MP_ROM_PTR(&machine_mem64_obj) }, \
    { MP_ROM_QSTR(MP_QSTR_blob), MP_ROM_PTR(&machine_blob_obj) }, \
    { MP_ROM_QSTR(MP_QSTR_disable_irq), MP_ROM_PTR(&machine_disable_irq_obj) }, \
    { MP_ROM_QSTR(MP_QSTR_enable_irq), MP_ROM_PTR(&machine_enable_irq_obj) }, \
    { MP_ROM_QSTR(MP_QSTR_initrd), MP_ROM_PTR(&machine_initrd_obj) }, \
    { MP_ROM_QSTR(MP_QSTR_Disk), MP_ROM_PTR(&machine_disk_type) }, \
    { MP_ROM_QSTR(MP_QSTR_FwCfg), MP_ROM_PTR(&machine_fwcfg_type) }, \
    { MP_ROM_QSTR(MP_QSTR_NIC), MP_ROM_PTR(&machine_nic_type) }, \
    { MP_ROM_QSTR(MP_QSTR_RAMDisk), MP_ROM_PTR(&machine_ramdisk_type) }, \
    { MP_ROM_QSTR(MP_QSTR_RTC), MP_ROM_PTR(&machine_rtc_type) }, \
    { MP_ROM_QSTR(MP_QSTR_Serial), MP_ROM_PTR(&machine_serial_type) }, \
    { MP_ROM_QSTR(MP_QSTR_Timer), MP_ROM_PTR(&machine_timer_type) }, \
    { MP_ROM_QSTR(MP_QSTR_PWRON_RESET), MP_ROM_INT(PWRON_RESET) }, \
    { MP_ROM_QSTR(MP_QSTR_SOFT_RESET), MP_ROM_INT(SOFT_RESET) }, \

// As upstream's, but for what a stack overflow has to know: masked by a script, no lock is held.
static mp_obj_t machine_disable_irq(void) {
    mp_uint_t state = mp_hal_irq_save();
    irqs_masked_by_python = true;
    return MP_OBJ_NEW_SMALL_INT(state);
}
static MP_DEFINE_CONST_FUN_OBJ_0(machine_disable_irq_obj, machine_disable_irq);

static mp_obj_t machine_enable_irq(mp_obj_t state_in) {
    mp_uint_t state = mp_obj_get_int(state_in);
    irqs_masked_by_python = (state & PSTATE_I) != 0;
    mp_hal_irq_restore(state);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(machine_enable_irq_obj, machine_enable_irq);

unsigned machine_session; // 0 from reset to the first soft reset

static mp_int_t mp_machine_reset_cause(void) {
    return machine_session == 0 ? PWRON_RESET : SOFT_RESET;
}

MP_NORETURN static void mp_machine_reset(void) {
    uart_tx_flush();
    firmware_system_reset();
    mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("no PSCI firmware to reset the machine"));
}

MP_NORETURN void mp_machine_bootloader(size_t n_args, const mp_obj_t *args) {
    mp_raise_msg(&mp_type_NotImplementedError, MP_ERROR_TEXT("no boot loader here: whoever starts the machine loads the image"));
}

// There is no serial number: which core design this is, and which core of the machine.
static mp_obj_t mp_machine_unique_id(void) {
    uint64_t id[2] = { READ_SYSREG(midr_el1), READ_SYSREG(mpidr_el1) };
    return mp_obj_new_bytes((const byte *)id, sizeof(id));
}

// The counter's frequency: the core's own clock cannot be read on this architecture.
static mp_obj_t mp_machine_get_freq(void) {
    return mp_obj_new_int_from_ull(mp_hal_counter_hz());
}

static void mp_machine_set_freq(size_t n_args, const mp_obj_t *args) {
    mp_raise_NotImplementedError(MP_ERROR_TEXT("the clock is the platform's"));
}

static void mp_machine_idle(void) {
    mp_event_handle_nowait();
    mp_hal_wait_ms(1);
}

static void mp_machine_lightsleep(size_t n_args, const mp_obj_t *args) {
    if (n_args == 0) {
        mp_hal_wait_ms(-1);
    } else {
        mp_hal_delay_ms(mp_obj_get_int(args[0]));
    }
}

MP_NORETURN static void mp_machine_deepsleep(size_t n_args, const mp_obj_t *args) {
    if (n_args > 0) {
        mp_hal_delay_ms(mp_obj_get_int(args[0]));
    }
    mp_machine_reset();
}
