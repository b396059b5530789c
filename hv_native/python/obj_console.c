// SPDX-License-Identifier: MIT
// _hv.Console: what a guest's PL011 is connected to, as a stream: read what it printed, write what
// is typed at it. Nothing blocks: read returns None when there is nothing, write what was taken.

#include "py/runtime.h"
#include "py/stream.h"
#include "devices/pl011.h"
#include "hold/replay.h"
#include "python/objects.h"
#include "trap/numbers.h"
#include "vm/vm.h"

static mp_uint_t console_read(mp_obj_t self, void *buf, mp_uint_t size, int *error) {
    size_t n = pl011_receive(hv_part_vm(self), buf, size);
    if (n == 0 && size != 0) {
        *error = MP_EAGAIN;
        return MP_STREAM_ERROR;
    }
    return n;
}

static mp_uint_t console_write(mp_obj_t self, const void *buf, mp_uint_t size, int *error) {
    vm_t *vm = hv_part_vm(self);
    size_t n = 0;
    if (vm->replay == NULL) {
        n = pl011_send(vm, buf, size);
    } else {
        while (n < size && pl011_room(vm) != 0 && hv_input(vm, INPUT_CONSOLE, ((const uint8_t *)buf)[n], 0)) {
            n++;
        }
    }
    if (n == 0 && size != 0) {
        *error = MP_EAGAIN;
        return MP_STREAM_ERROR;
    }
    return n;
}

static mp_uint_t console_ioctl(mp_obj_t self, mp_uint_t request, uintptr_t arg, int *error) {
    vm_t *vm = hv_part_vm(self);
    if (request == MP_STREAM_POLL) {
        return (pl011_waiting(vm) != 0 ? arg & MP_STREAM_POLL_RD : 0) | (pl011_room(vm) != 0 ? arg & MP_STREAM_POLL_WR : 0);
    }
    *error = MP_EINVAL;
    return MP_STREAM_ERROR;
}

// any() -> bytes that can be read now
static mp_obj_t console_any(mp_obj_t self) {
    return MP_OBJ_NEW_SMALL_INT(pl011_waiting(hv_part_vm(self)));
}
static MP_DEFINE_CONST_FUN_OBJ_1(console_any_obj, console_any);

// printed(at=0, size=2048) -> (where to go on, bytes): what others read stays theirs.
static mp_obj_t console_printed(size_t n_args, const mp_obj_t *args) {
    uint64_t at = n_args > 1 ? unbox_u64(args[1]) : 0, size = n_args > 2 ? unbox_u64(args[2]) : 2048;
    vstr_t data;
    vstr_init_len(&data, MIN(size, 16384));
    vm_t *vm = hv_part_vm(args[0]); // not before: a collection may close it
    uint32_t next = pl011_printed(vm, (uint32_t)at, (uint8_t *)data.buf, &data.len);
    mp_obj_t both[2] = { MP_OBJ_NEW_SMALL_INT(next), mp_obj_new_bytes_from_vstr(&data) };
    return mp_obj_new_tuple(2, both);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(console_printed_obj, 1, 3, console_printed);

static const mp_stream_p_t console_stream = {
    .read = console_read,
    .write = console_write,
    .ioctl = console_ioctl,
};

static const mp_rom_map_elem_t console_locals[] = {
    { MP_ROM_QSTR(MP_QSTR_any), MP_ROM_PTR(&console_any_obj) },
    { MP_ROM_QSTR(MP_QSTR_printed), MP_ROM_PTR(&console_printed_obj) },
    { MP_ROM_QSTR(MP_QSTR_read), MP_ROM_PTR(&mp_stream_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_readinto), MP_ROM_PTR(&mp_stream_readinto_obj) },
    { MP_ROM_QSTR(MP_QSTR_readline), MP_ROM_PTR(&mp_stream_unbuffered_readline_obj) },
    { MP_ROM_QSTR(MP_QSTR_write), MP_ROM_PTR(&mp_stream_write_obj) },
};
static MP_DEFINE_CONST_DICT(console_locals_dict, console_locals);

static void write_console(const mp_print_t *print, mp_obj_t self) {
    const vm_t *vm = ((hv_part_obj_t *)MP_OBJ_TO_PTR(self))->vm->vm;
    mp_printf(print, vm == NULL ? "<Console closed>" : "<Console of %s>", vm == NULL ? "" : vm->name);
}

static void console_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) {
    (void)kind;
    hv_print(print, self, write_console);
}

MP_DEFINE_CONST_OBJ_TYPE(hv_console_type, MP_QSTR_Console, MP_TYPE_FLAG_NONE,
    protocol, &console_stream, print, console_print, locals_dict, &console_locals_dict);
