// SPDX-License-Identifier: MIT
// machine.FwCfg(selector, size, text=False): one item of QEMU's firmware configuration device as a
// read-only file. The device writes straight into the reader's buffer (QEMU, docs/specs/fw_cfg.rst:
// "Guest-side DMA Interface"); _mounts.py makes a file system of it.

#include "py/mperrno.h"
#include "py/runtime.h"
#include "py/stream.h"
#include "hv_native/core/arch.h"
#include "hv_native/core/platform.h"
#include "hv_native/memory/window.h"
#include "storage.h"

#define DMA_ADDRESS 0x10 // the register
#define DMA_SIGNATURE UINT64_C(0x51454D5520434647) // what it reads as: "QEMU CFG"
#define DMA_ERROR 1u
#define DMA_READ 2u
#define DMA_SKIP 4u
#define DMA_SELECT 8u

typedef struct {
    mp_obj_base_t base;
    uint32_t selector;
    size_t size, pos;
} fwcfg_obj_t;

static const mp_obj_type_t fwcfg_text_type;

// One operation on memory in one piece, big-endian. False when the device says it failed. A skip has no buffer.
static bool operate(uint32_t control, void *buf, uint32_t len) {
    size_t touched = control & DMA_READ ? len : 0;
    volatile struct {
        uint32_t control, len;
        uint64_t address;
    } op __attribute__((aligned(CACHE_LINE))) = { __builtin_bswap32(control), __builtin_bswap32(len), __builtin_bswap64(window_is(buf) ? window_pa(buf) : (uint64_t)buf) };
    cache_clean_poc(buf, touched);
    cache_clean_poc((void *)&op, sizeof(op));
    write64(platform.fwcfg_base + DMA_ADDRESS, __builtin_bswap64((uint64_t)&op));
    do {
        cache_clean_poc((void *)&op, sizeof(op));
        control = __builtin_bswap32(op.control);
    } while (control & ~DMA_ERROR);
    cache_clean_poc(buf, touched);
    return control == 0;
}

// A fork's RAM (memory/window.h) is in pages that lie anywhere.
static bool dma(uint32_t control, void *buf, uint32_t len) {
    bool ok = true;
    for (uint32_t n; ok && window_is(buf) && len > (n = PAGE_SIZE - (uint64_t)buf % PAGE_SIZE); buf = (char *)buf + n, len -= n) {
        ok = operate(control, buf, n);
    }
    return ok && operate(control, buf, len);
}

static mp_obj_t fwcfg_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 2, 3, false);
    if (platform.fwcfg_base == 0 || __builtin_bswap64(read64(platform.fwcfg_base + DMA_ADDRESS)) != DMA_SIGNATURE) {
        mp_raise_OSError(MP_ENODEV);
    }
    fwcfg_obj_t *self = mp_obj_malloc(fwcfg_obj_t, n_args > 2 && mp_obj_is_true(args[2]) ? &fwcfg_text_type : type);
    self->selector = mp_obj_get_int(args[0]);
    self->size = mp_obj_get_int(args[1]);
    self->pos = 0;
    return MP_OBJ_FROM_PTR(self);
}

static mp_uint_t fwcfg_read(mp_obj_t self_in, void *buf, mp_uint_t size, int *errcode) {
    fwcfg_obj_t *self = MP_OBJ_TO_PTR(self_in);
    size = MIN(size, self->pos < self->size ? self->size - self->pos : 0);
    if (!dma(self->selector << 16 | DMA_SELECT | DMA_SKIP, NULL, self->pos) || !dma(DMA_READ, buf, size)) {
        *errcode = MP_EIO;
        return MP_STREAM_ERROR;
    }
    self->pos += size;
    return size;
}

static mp_uint_t fwcfg_ioctl(mp_obj_t self_in, mp_uint_t request, uintptr_t arg, int *errcode) {
    fwcfg_obj_t *self = MP_OBJ_TO_PTR(self_in);
    if (request == MP_STREAM_SEEK) {
        struct mp_stream_seek_t *seek = (void *)arg;
        size_t from[] = { 0, self->pos, self->size };
        mp_off_t pos = from[seek->whence] + seek->offset;
        if (pos >= 0) {
            seek->offset = self->pos = pos;
            return 0;
        }
    } else if (request == MP_STREAM_CLOSE) {
        return 0;
    }
    *errcode = MP_EINVAL;
    return MP_STREAM_ERROR;
}

static const mp_rom_map_elem_t fwcfg_locals_dict_table[] = {
    { MP_ROM_QSTR(MP_QSTR_read), MP_ROM_PTR(&mp_stream_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_readinto), MP_ROM_PTR(&mp_stream_readinto_obj) },
    { MP_ROM_QSTR(MP_QSTR_readline), MP_ROM_PTR(&mp_stream_unbuffered_readline_obj) },
    { MP_ROM_QSTR(MP_QSTR_readlines), MP_ROM_PTR(&mp_stream_unbuffered_readlines_obj) },
    { MP_ROM_QSTR(MP_QSTR_seek), MP_ROM_PTR(&mp_stream_seek_obj) },
    { MP_ROM_QSTR(MP_QSTR_tell), MP_ROM_PTR(&mp_stream_tell_obj) },
    { MP_ROM_QSTR(MP_QSTR_close), MP_ROM_PTR(&mp_stream_close_obj) },
    { MP_ROM_QSTR(MP_QSTR___enter__), MP_ROM_PTR(&mp_identity_obj) },
    { MP_ROM_QSTR(MP_QSTR___exit__), MP_ROM_PTR(&mp_stream___exit___obj) },
};
static MP_DEFINE_CONST_DICT(fwcfg_locals_dict, fwcfg_locals_dict_table);

static const mp_stream_p_t fwcfg_stream_p = { .read = fwcfg_read, .ioctl = fwcfg_ioctl };
static const mp_stream_p_t fwcfg_text_stream_p = { .read = fwcfg_read, .ioctl = fwcfg_ioctl, .is_text = true };

MP_DEFINE_CONST_OBJ_TYPE(
    machine_fwcfg_type,
    MP_QSTR_FwCfg,
    MP_TYPE_FLAG_ITER_IS_STREAM,
    make_new, fwcfg_make_new,
    protocol, &fwcfg_stream_p,
    locals_dict, &fwcfg_locals_dict
    );

static MP_DEFINE_CONST_OBJ_TYPE(
    fwcfg_text_type,
    MP_QSTR_FwCfg,
    MP_TYPE_FLAG_ITER_IS_STREAM,
    protocol, &fwcfg_text_stream_p,
    locals_dict, &fwcfg_locals_dict
    );
