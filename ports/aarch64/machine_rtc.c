// SPDX-License-Identifier: MIT
// PL031 real-time clock (ARM DDI 0224), and machine.RTC on top of the port's clock.

#include "py/mphal.h"
#include "py/runtime.h"
#include "extmod/modmachine.h"
#include "shared/timeutils/timeutils.h"
#include "hv_native/core/arch.h"
#include "hv_native/core/platform.h"
#include "rtc.h"

enum { RTC_DR = 0x00, RTC_LR = 0x08 };

uint32_t rtc_read_s(void) {
    return platform.rtc_base ? read32(platform.rtc_base + RTC_DR) : 946684800;
}

void rtc_write_s(uint32_t seconds) {
    if (platform.rtc_base) {
        write32(platform.rtc_base + RTC_LR, seconds);
    }
}

static const mp_obj_base_t machine_rtc_obj = { &machine_rtc_type };

static mp_obj_t machine_rtc_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 0, 1, false);
    return MP_OBJ_FROM_PTR(&machine_rtc_obj);
}

// datetime([(year, month, day, weekday, hour, minute, second, microsecond)])
static mp_obj_t machine_rtc_datetime(size_t n_args, const mp_obj_t *args) {
    if (n_args == 1) {
        uint64_t ns = mp_hal_time_ns();
        timeutils_struct_time_t tm;
        timeutils_seconds_since_epoch_to_struct_time(ns / 1000000000, &tm);
        const mp_int_t fields[8] = {
            tm.tm_year, tm.tm_mon, tm.tm_mday, tm.tm_wday, tm.tm_hour, tm.tm_min, tm.tm_sec, ns / 1000 % 1000000,
        };
        mp_obj_t items[8];
        for (size_t i = 0; i < 8; ++i) {
            items[i] = MP_OBJ_NEW_SMALL_INT(fields[i]);
        }
        return mp_obj_new_tuple(8, items);
    }
    mp_obj_t *items;
    mp_obj_get_array_fixed_n(args[1], 8, &items);
    mp_hal_set_time_s(timeutils_seconds_since_epoch(
        mp_obj_get_int(items[0]), mp_obj_get_int(items[1]), mp_obj_get_int(items[2]),
        mp_obj_get_int(items[4]), mp_obj_get_int(items[5]), mp_obj_get_int(items[6])));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(machine_rtc_datetime_obj, 1, 2, machine_rtc_datetime);

static const mp_rom_map_elem_t machine_rtc_locals_dict_table[] = {
    { MP_ROM_QSTR(MP_QSTR_datetime), MP_ROM_PTR(&machine_rtc_datetime_obj) },
};
static MP_DEFINE_CONST_DICT(machine_rtc_locals_dict, machine_rtc_locals_dict_table);

MP_DEFINE_CONST_OBJ_TYPE(
    machine_rtc_type,
    MP_QSTR_RTC,
    MP_TYPE_FLAG_NONE,
    make_new, machine_rtc_make_new,
    locals_dict, &machine_rtc_locals_dict
    );
