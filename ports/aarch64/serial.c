// SPDX-License-Identifier: MIT
// machine.Serial(n): the machine's serial lines besides the console, as streams that never block. 1 and up: the
// UARTs in the device tree's order, then the virtio consoles in that of QEMU's command line. Nothing is done about
// a line before a script reads, writes or watches it.

#include "py/mperrno.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "py/stream.h"
#include "hv_native/core/arch.h"
#include "hv_native/irq/irq.h"
#include "hv_native/trap/numbers.h"
#include "hv_native/vm/owner.h"
#include "events.h"
#include "serial.h"

static const serial_kind_t *const kinds[] = { &serial_uart, &serial_virtio };

static serial_t lines[SERIAL_MAX];

_Static_assert(SERIAL_MAX <= EVENT_NIC - EVENT_SERIAL, "events of serial lines");

static serial_t *line_of(mp_obj_t self) {
    return MP_OBJ_TO_PTR(self);
}

// ---- Which there are ----------------------------------------------------------------------------

static bool find(unsigned n, serial_t *s) {
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
        s->kind = kinds[i];
        unsigned of_kind = 0;
        while (kinds[i]->find(of_kind, s)) {
            if (n-- == 0) {
                return true;
            }
            of_kind++;
        }
    }
    return false;
}

static mp_obj_t serial_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 1, 1, false);
    mp_int_t n = unbox_int(args[0]);
    serial_t found;
    if (n < 1 || n > SERIAL_MAX || !find(n - 1, &found)) {
        mp_raise_msg_varg(&mp_type_OSError, MP_ERROR_TEXT("this machine has no serial line %ld besides the console"), (long)n);
    }
    serial_t *s = &lines[n - 1];
    if (s->base.type == NULL) {
        s->kind = found.kind;
        s->regs = found.regs;
        s->irq = found.irq;
        s->uart = found.uart;
        s->base.type = type;
    }
    return MP_OBJ_FROM_PTR(s);
}

// 0, or an errno. A line whose interrupt goes to a guest is the guest's.
static int open(serial_t *s) {
    if (s->data != NULL) {
        return 0;
    }
    if (irq_is_attached(s->irq)) {
        return MP_EBUSY;
    }
    int error = s->kind->open(s);
    if (error == 0) {
        host_claim(ALIGN_DOWN(s->regs, 0x200), 0x200, "a serial line of the hypervisor's");
    }
    return error;
}

// ---- The handler --------------------------------------------------------------------------------

void serial_event(serial_t *s) {
    event_raise(EVENT_SERIAL + (s - lines));
}

static void open_or_raise(serial_t *s) {
    int error = open(s);
    if (error != 0) {
        mp_raise_OSError(error);
    }
}

// irq(handler): called soon with the line when something has come or there is room again; None: nobody is.
static mp_obj_t serial_irq(mp_obj_t self, mp_obj_t handler) {
    serial_t *s = line_of(self);
    open_or_raise(s);
    event_handler(EVENT_SERIAL + (s - lines), self, handler);
    if (s->kind->waiting(s) != 0) {
        serial_event(s);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(serial_irq_obj, serial_irq);

// ---- The stream ---------------------------------------------------------------------------------

static mp_uint_t result(size_t n, size_t size, int *error) {
    if (n == 0 && size != 0) {
        *error = MP_EAGAIN;
        return MP_STREAM_ERROR;
    }
    return n;
}

static mp_uint_t serial_read(mp_obj_t self, void *buf, mp_uint_t size, int *error) {
    serial_t *s = line_of(self);
    *error = open(s);
    return *error != 0 ? MP_STREAM_ERROR : result(s->kind->read(s, buf, size), size, error);
}

static mp_uint_t serial_write(mp_obj_t self, const void *buf, mp_uint_t size, int *error) {
    serial_t *s = line_of(self);
    *error = open(s);
    return *error != 0 ? MP_STREAM_ERROR : result(s->kind->write(s, buf, size), size, error);
}

static mp_uint_t serial_ioctl(mp_obj_t self, mp_uint_t request, uintptr_t arg, int *error) {
    serial_t *s = line_of(self);
    *error = request == MP_STREAM_POLL ? open(s) : MP_EINVAL;
    if (*error != 0) {
        return MP_STREAM_ERROR;
    }
    return (s->kind->waiting(s) != 0 ? arg & MP_STREAM_POLL_RD : 0) | (s->kind->room(s) != 0 ? arg & MP_STREAM_POLL_WR : 0);
}

// any() -> bytes that can be read now
static mp_obj_t serial_any(mp_obj_t self) {
    serial_t *s = line_of(self);
    open_or_raise(s);
    return MP_OBJ_NEW_SMALL_INT(s->kind->waiting(s));
}
static MP_DEFINE_CONST_FUN_OBJ_1(serial_any_obj, serial_any);

// read(), read(-1), read(None) -> what has come by now: a line that never falls silent has no end to read to.
static mp_obj_t serial_read_some(size_t n_args, const mp_obj_t *args) {
    mp_obj_t more[2] = { args[0], n_args == 2 ? args[1] : mp_const_none };
    if (more[1] == mp_const_none || more[1] == MP_OBJ_NEW_SMALL_INT(-1)) {
        mp_obj_t waiting = serial_any(args[0]);
        more[1] = waiting == MP_OBJ_NEW_SMALL_INT(0) ? MP_OBJ_NEW_SMALL_INT(1) : waiting;
    }
    return mp_call_function_n_kw(MP_OBJ_FROM_PTR(&mp_stream_read_obj), 2, 0, more);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(serial_read_obj, 1, 2, serial_read_some);

static void serial_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) {
    serial_t *s = line_of(self);
    mp_printf(print, "<Serial %u: %s at 0x%08lx>", (unsigned)(s - lines) + 1, s->kind->what, s->regs);
}

static const mp_stream_p_t serial_stream = {
    .read = serial_read,
    .write = serial_write,
    .ioctl = serial_ioctl,
};

static const mp_rom_map_elem_t serial_locals[] = {
    { MP_ROM_QSTR(MP_QSTR_any), MP_ROM_PTR(&serial_any_obj) },
    { MP_ROM_QSTR(MP_QSTR_irq), MP_ROM_PTR(&serial_irq_obj) },
    { MP_ROM_QSTR(MP_QSTR_read), MP_ROM_PTR(&serial_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_readinto), MP_ROM_PTR(&mp_stream_readinto_obj) },
    { MP_ROM_QSTR(MP_QSTR_readline), MP_ROM_PTR(&mp_stream_unbuffered_readline_obj) },
    { MP_ROM_QSTR(MP_QSTR_write), MP_ROM_PTR(&mp_stream_write_obj) },
};
static MP_DEFINE_CONST_DICT(serial_locals_dict, serial_locals);

MP_DEFINE_CONST_OBJ_TYPE(machine_serial_type, MP_QSTR_Serial, MP_TYPE_FLAG_NONE,
    make_new, serial_make_new, protocol, &serial_stream, print, serial_print, locals_dict, &serial_locals_dict);
