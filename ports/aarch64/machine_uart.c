// SPDX-License-Identifier: MIT
// machine.UART(0): the console as a stream of bytes, nothing cooked, nothing echoed. It shares its
// input with the REPL: call micropython.kbd_intr(-1) to get byte 3 too. Included by extmod/machine_uart.c.

#include "py/mperrno.h"
#include "py/mphal.h"
#include "hv_native/core/platform.h"
#include "serial.h"
#include "uart.h"

#define MICROPY_PY_MACHINE_UART_CLASS_CONSTANTS

typedef struct _machine_uart_obj_t {
    mp_obj_base_t base;
    uint32_t baudrate; // 0: as the boot loader left it
    uint8_t bits, parity, stop;
    uint32_t timeout, timeout_char; // ms to wait for the first and for each further byte
} machine_uart_obj_t;

static machine_uart_obj_t machine_uart_obj = { { &machine_uart_type }, 0, 8, 0, 1, 0, 0 };

static void mp_machine_uart_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    machine_uart_obj_t *self = MP_OBJ_TO_PTR(self_in);
    mp_printf(print, "UART(0, baudrate=%u, bits=%u, parity=%s, stop=%u, timeout=%u, timeout_char=%u)",
        self->baudrate, self->bits, self->parity == 0 ? "None" : self->parity == 1 ? "1" : "0",
        self->stop, self->timeout, self->timeout_char);
}

static void mp_machine_uart_init_helper(machine_uart_obj_t *self, size_t n_args, const mp_obj_t *pos_args, mp_map_t *kw_args) {
    enum { ARG_baudrate, ARG_bits, ARG_parity, ARG_stop, ARG_timeout, ARG_timeout_char };
    static const mp_arg_t allowed_args[] = {
        { MP_QSTR_baudrate, MP_ARG_INT, { .u_int = 0 } },
        { MP_QSTR_bits, MP_ARG_INT, { .u_int = 8 } },
        { MP_QSTR_parity, MP_ARG_OBJ, { .u_rom_obj = MP_ROM_NONE } },
        { MP_QSTR_stop, MP_ARG_INT, { .u_int = 1 } },
        { MP_QSTR_timeout, MP_ARG_KW_ONLY | MP_ARG_INT, { .u_int = 0 } },
        { MP_QSTR_timeout_char, MP_ARG_KW_ONLY | MP_ARG_INT, { .u_int = 0 } },
    };
    mp_arg_val_t args[MP_ARRAY_SIZE(allowed_args)];
    mp_arg_parse_all(n_args, pos_args, kw_args, MP_ARRAY_SIZE(allowed_args), allowed_args, args);

    mp_int_t baudrate = args[ARG_baudrate].u_int;
    mp_int_t bits = args[ARG_bits].u_int;
    mp_int_t stop = args[ARG_stop].u_int;
    if (baudrate < 0 || baudrate > BOARD_UART_CLOCK_HZ / 16 || (baudrate > 0 && baudrate < BOARD_UART_CLOCK_HZ / 16 / 65535 + 1)) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("bad baudrate %d"), (int)baudrate);
    }
    if (bits < 5 || bits > 8 || stop < 1 || stop > 2) {
        mp_raise_ValueError(MP_ERROR_TEXT("bits must be 5 to 8, stop 1 or 2"));
    }
    self->baudrate = baudrate;
    self->bits = bits;
    self->stop = stop;
    mp_obj_t parity = args[ARG_parity].u_obj;
    self->parity = parity == mp_const_none ? 0 : mp_obj_get_int(parity) & 1 ? 1 : 2;
    self->timeout = args[ARG_timeout].u_int;
    self->timeout_char = args[ARG_timeout_char].u_int;
    if (baudrate > 0 && !uart_set_format(baudrate, self->bits, self->parity, self->stop)) {
        mp_raise_ValueError(MP_ERROR_TEXT("this UART's clock is not known: speed and format stay as the boot loader set them"));
    }
}

static mp_obj_t mp_machine_uart_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 1, MP_OBJ_FUN_ARGS_MAX, true);
    mp_int_t id = mp_obj_get_int(args[0]);
    if (id > 0 && platform_uart(id - 1) != NULL) { // a line that is not the console's: hv.serial(id)
        return MP_OBJ_TYPE_GET_SLOT(&machine_serial_type, make_new)(&machine_serial_type, n_args, n_kw, args);
    }
    if (id != 0) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("UART(%d) doesn't exist"), (int)id);
    }
    mp_map_t kw_args;
    mp_map_init_fixed_table(&kw_args, n_kw, args + n_args);
    mp_machine_uart_init_helper(&machine_uart_obj, n_args - 1, args + 1, &kw_args);
    return MP_OBJ_FROM_PTR(&machine_uart_obj);
}

// The REPL needs it: nothing is switched off.
static void mp_machine_uart_deinit(machine_uart_obj_t *self) {
    uart_tx_flush();
}

static mp_int_t mp_machine_uart_any(machine_uart_obj_t *self) {
    return ringbuf_avail(&stdin_ringbuf);
}

static bool mp_machine_uart_txdone(machine_uart_obj_t *self) {
    return uart_tx_idle();
}

static mp_uint_t mp_machine_uart_read(mp_obj_t self_in, void *buf_in, mp_uint_t size, int *errcode) {
    machine_uart_obj_t *self = MP_OBJ_TO_PTR(self_in);
    mp_uint_t timeout = self->timeout;
    for (mp_uint_t i = 0; i < size; ++i) {
        mp_uint_t start = mp_hal_ticks_ms();
        int c;
        while ((c = ringbuf_get(&stdin_ringbuf)) < 0) {
            mp_uint_t elapsed = mp_hal_ticks_ms() - start;
            if (elapsed >= timeout) {
                *errcode = MP_EAGAIN;
                return i == 0 ? MP_STREAM_ERROR : i;
            }
            mp_event_wait_ms(timeout - elapsed);
        }
        uart_rx_resume();
        ((uint8_t *)buf_in)[i] = c;
        timeout = self->timeout_char;
    }
    return size;
}

static mp_uint_t mp_machine_uart_write(mp_obj_t self_in, const void *buf, mp_uint_t size, int *errcode) {
    uart_tx_strn(buf, size);
    return size;
}

static mp_uint_t mp_machine_uart_ioctl(mp_obj_t self_in, mp_uint_t request, uintptr_t arg, int *errcode) {
    if (request == MP_STREAM_POLL) {
        return (arg & MP_STREAM_POLL_WR) | (ringbuf_avail(&stdin_ringbuf) ? arg & MP_STREAM_POLL_RD : 0);
    }
    if (request == MP_STREAM_FLUSH) {
        uart_tx_flush();
        return 0;
    }
    *errcode = MP_EINVAL;
    return MP_STREAM_ERROR;
}
