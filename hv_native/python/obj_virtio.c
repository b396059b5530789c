// SPDX-License-Identifier: MIT
// Python's side of a virtio device: _hv.Virtio is its place in a VM, _hv.Request what a driver asks of
// it. The methods of modules/hv/virtio.py's Device are called here, on the boot core, by MicroPython's
// scheduler: never inside an exit, so the vCPU that has kicked does not wait.

#include <string.h>
#include "py/mphal.h"
#include "py/objarray.h"
#include "py/ringbuf.h"
#include "py/runtime.h"
#include "shared/readline/readline.h"
#include "shared/runtime/interrupt_char.h"
#include "core/arch.h"
#include "devices/virtio.h"
#include "devices/wire.h"
#include "hold/replay.h"
#include "memory/lent.h"
#include "memory/native.h"
#include "python/boot_core.h"
#include "python/objects.h"
#include "python/tell.h"
#include "trap/numbers.h"
#include "vm/ram.h"
#include "vm/runqueue.h"
#include "vm/vm.h"

typedef struct {
    mp_obj_base_t base;
    hv_vm_obj_t *vm;
    unsigned slot;
    bool interrupted;               // by Ctrl-C, the last time it was at work
    struct request *asked;          // what it is at work on, or NULL
    struct request *spare;          // one that has been given back, to be used again
    uint32_t passive;               // queues whose requests the device takes out itself
    mp_obj_t going;                 // the generator that goes on with `asked`, or MP_OBJ_NULL
    tell_t told;                    // what it has raised
    mp_obj_t request, ready, reset; // bound methods
} port_t;

// How far a request has been read, or written.
typedef struct {
    uint32_t piece, offset, left;
} cursor_t;

typedef struct request {
    mp_obj_base_t base;
    port_t *port;
    uint32_t epoch, written;
    uint16_t queue, head;
    uint16_t nread, n;  // pieces to be read; all
    uint16_t room;      // for so many
    bool done;
    bool viewed;        // it writes where it was shown, by itself
    cursor_t read, write;
    piece_t piece[];
} request_t;

static virtio_t *device_of(port_t *port) {
    return hv_vm_get(MP_OBJ_FROM_PTR(port->vm))->virtio[port->slot];
}

// Of a VM that is recorded: the driver has been told that it has to reset it.
static void note_broken(const virtio_t *d, uint32_t was) {
    if (UNLIKELY(d->vm->replay != NULL) && (d->status & ~was & VIRTIO_NEEDS_RESET)) {
        replay_noted(d->vm, INPUT_BROKEN, d->slot, 0);
    }
}

// ---- Requests -----------------------------------------------------------------------------------

static mp_obj_t pop_request(port_t *port, unsigned queue) {
    static virtio_chain_t c;
    virtio_t *d = device_of(port);
    if (UNLIKELY(!replay_lets_in(d->vm))) {
        return mp_const_none; // what it did then is in the log
    }
    uint64_t daif = replay_still(d->vm);
    uint32_t was = d->status;
    bool popped = virtqueue_pop(d, queue, &c);
    note_broken(d, was);
    replay_go_on(d->vm, daif);
    if (!popped) {
        return mp_const_none;
    }
    request_t *r = port->spare;
    port->spare = NULL;
    if (r == NULL || r->room < c.n) {
        unsigned room = ALIGN_UP(c.n, 8);
        r = mp_obj_malloc_var(request_t, piece, piece_t, room, &hv_request_type);
        r->room = room;
    }
    r->port = port;
    r->epoch = c.epoch;
    r->queue = c.queue;
    r->head = c.head;
    r->nread = c.nread;
    r->n = c.n;
    r->written = 0;
    r->done = r->viewed = false;
    r->read = (cursor_t) { 0, 0, c.read_bytes };
    r->write = (cursor_t) { c.nread, 0, c.write_bytes };
    memcpy(r->piece, c.piece, sizeof(r->piece[0]) * c.n);
    return MP_OBJ_FROM_PTR(r);
}

// The memory at a cursor, at most `max` bytes, which are passed over. Guest RAM stays where it is as
// long as there is the VM.
static uint8_t *next_piece(vm_t *vm, request_t *r, cursor_t *c, uint64_t max, uint32_t *len) {
    uint32_t here = r->piece[c->piece].len - c->offset;
    uint8_t *at = r->piece[c->piece].at + c->offset;
    *len = max < here ? (uint32_t)max : here;
    if (r->piece[c->piece].len > VIRTIO_LONG && !vm_ram_touch(vm, at, *len)) {
        mp_raise_msg(&mp_type_MemoryError, MP_ERROR_TEXT("no page left for a translation table"));
    }
    c->offset += *len;
    c->left -= *len;
    if (c->offset == r->piece[c->piece].len) {
        c->piece++;
        c->offset = 0;
    }
    r->written += c == &r->write ? *len : 0;
    return at;
}

// The driver has begun anew, or the VM has gone back: there is nothing to be read, and no room.
static void void_if_old(request_t *r) {
    const vm_t *vm = r->port->vm->vm;
    if (UNLIKELY(vm != NULL && r->epoch != vm->virtio[r->port->slot]->epoch)) {
        r->read.left = r->write.left = 0;
    }
}

// What is written where it was shown is looked at when that is over.
static void note_written(vm_t *vm, const uint8_t *at, uint32_t n) {
    if (UNLIKELY(vm->replay != NULL)) {
        replay_wrote(vm, at, n);
    }
}

// Between a buffer and what is at a cursor. How many bytes there were.
static uint64_t copy_pieces(request_t *r, cursor_t *c, uint8_t *buf, uint64_t len) {
    uint64_t done = 0;
    void_if_old(r);
    vm_t *vm = c->left == 0 ? NULL : device_of(r->port)->vm;
    while (done < len && c->left != 0) {
        uint32_t n;
        uint8_t *at = next_piece(vm, r, c, len - done, &n);
        if (c == &r->write) {
            uint64_t daif = replay_still(vm);
            vm_ram_written(vm, at, n, false);
            memcpy(at, buf + done, n);
            vm_ram_written(vm, at, n, true);
            note_written(vm, at, n);
            replay_go_on(vm, daif);
        } else {
            memcpy(buf + done, at, n);
            if (vm_ram_read(vm, at, n)) {
                vm_ram_show(vm, at, n, buf + done);
            }
        }
        done += n;
    }
    return done;
}

static uint64_t wanted(size_t n_args, const mp_obj_t *args, const cursor_t *c) {
    mp_int_t n = n_args > 1 ? unbox_int(args[1]) : -1;
    return n < 0 || n > c->left ? c->left : (uint64_t)n;
}

// read(n=all) -> bytes
static mp_obj_t request_read(size_t n_args, const mp_obj_t *args) {
    request_t *r = MP_OBJ_TO_PTR(args[0]);
    vstr_t data;
    vstr_init_len(&data, wanted(n_args, args, &r->read));
    copy_pieces(r, &r->read, (uint8_t *)data.buf, data.len);
    return hv_bytes(&data);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(request_read_obj, 1, 2, request_read);

// readinto(buf) -> bytes read
static mp_obj_t request_readinto(mp_obj_t self, mp_obj_t buf_in) {
    request_t *r = MP_OBJ_TO_PTR(self);
    mp_buffer_info_t buf;
    mp_get_buffer_raise(buf_in, &buf, MP_BUFFER_WRITE);
    return MP_OBJ_NEW_SMALL_INT(copy_pieces(r, &r->read, buf.buf, buf.len));
}
static MP_DEFINE_CONST_FUN_OBJ_2(request_readinto_obj, request_readinto);

// number(size) -> the next bytes, little-endian: a header's field, without an object for the header
static mp_obj_t request_number(mp_obj_t self, mp_obj_t size) {
    mp_int_t n = unbox_int(size);
    uint64_t value = 0;
    if (n < 1 || n > (mp_int_t)sizeof(value)) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("a number of %d bytes: 1 to 8"), (int)n);
    }
    request_t *r = MP_OBJ_TO_PTR(self);
    copy_pieces(r, &r->read, (uint8_t *)&value, n);
    return box_u64(value);
}
static MP_DEFINE_CONST_FUN_OBJ_2(request_number_obj, request_number);

// write(buf) -> bytes there was room for
static mp_obj_t request_write(mp_obj_t self, mp_obj_t buf_in) {
    request_t *r = MP_OBJ_TO_PTR(self);
    mp_buffer_info_t buf;
    mp_get_buffer_raise(buf_in, &buf, MP_BUFFER_READ);
    return MP_OBJ_NEW_SMALL_INT(copy_pieces(r, &r->write, buf.buf, buf.len));
}
static MP_DEFINE_CONST_FUN_OBJ_2(request_write_obj, request_write);

static mp_obj_t views(request_t *r, cursor_t *c, uint64_t left) {
    mp_obj_t list = mp_obj_new_list(0, NULL);
    vm_t *vm = device_of(r->port)->vm;
    void_if_old(r);
    left = left < c->left ? left : c->left;
    for (unsigned i = 0; i < vm->nram; i++) {
        vm->ram[i].lent->shown = true;
    }
    while (left != 0) {
        uint32_t n;
        uint8_t *at = next_piece(vm, r, c, left, &n);
        if (c == &r->write) {
            vm_ram_written(vm, at, n, false);
            r->viewed = true;
        } else if (vm_ram_read(vm, at, n)) { // breakpoints are planted there
            uint8_t *copy = m_new(uint8_t, n);
            memcpy(copy, at, n);
            vm_ram_show(vm, at, n, copy);
            at = copy;
        }
        mp_obj_list_append(list, mp_obj_new_memoryview('B' | MP_OBJ_ARRAY_TYPECODE_FLAG_RW, n, at));
        left -= n;
    }
    return list;
}

// data(n=all) -> the next n bytes to be read, where they are: a list of memoryviews
static mp_obj_t request_data(size_t n_args, const mp_obj_t *args) {
    request_t *r = MP_OBJ_TO_PTR(args[0]);
    return views(r, &r->read, wanted(n_args, args, &r->read));
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(request_data_obj, 1, 2, request_data);

// room(n=all) -> where the next n bytes are to be written
static mp_obj_t request_room(size_t n_args, const mp_obj_t *args) {
    request_t *r = MP_OBJ_TO_PTR(args[0]);
    return views(r, &r->write, wanted(n_args, args, &r->write));
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(request_room_obj, 1, 2, request_room);

// done(): give it back to the driver.
static mp_obj_t request_done(mp_obj_t self) {
    request_t *r = MP_OBJ_TO_PTR(self);
    if (!r->done) {
        virtio_t *d = device_of(r->port);
        r->done = true;
        uint32_t left = r->written;
        for (unsigned i = r->nread; i < r->n && r->epoch == d->epoch; i++) {
            virtio_sync(d, r->piece[i].at, r->piece[i].len);
            if (r->viewed) {
                uint32_t n = r->piece[i].len < left ? r->piece[i].len : left;
                vm_ram_written(d->vm, r->piece[i].at, r->piece[i].len, true);
                note_written(d->vm, r->piece[i].at, n);
                left -= n;
            }
        }
        if (r->written != 0) {
            icache_invalidate(); // it may be code; that the guest's own caches are clean is its care, as with any device
        }
        if (UNLIKELY(d->vm->replay != NULL)) {
            uint64_t daif = irq_save();
            if (r->epoch == d->epoch) {
                replay_input(d->vm, INPUT_USED, d->slot | (unsigned)r->queue << 8 | (unsigned)r->head << 16, r->written);
            }
            irq_restore(daif);
        } else {
            virtqueue_push(d, r->queue, r->head, r->epoch, r->written);
        }
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(request_done_obj, request_done);

static void request_attr(mp_obj_t self, qstr attr, mp_obj_t *dest) {
    request_t *r = MP_OBJ_TO_PTR(self);
    if (dest[0] != MP_OBJ_NULL) {
        return;
    }
    if (attr == MP_QSTR_readable || attr == MP_QSTR_writable) {
        dest[0] = MP_OBJ_NEW_SMALL_INT(attr == MP_QSTR_readable ? r->read.left : r->write.left);
        return;
    }
    dest[1] = MP_OBJ_SENTINEL;
}

static void request_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) {
    (void)kind;
    const request_t *r = MP_OBJ_TO_PTR(self);
    mp_printf(print, "<Request of queue %u: %lu bytes to read, room for %lu>", (unsigned)r->queue, (uint64_t)r->read.left, (uint64_t)r->write.left);
}

static const mp_rom_map_elem_t request_locals[] = {
    { MP_ROM_QSTR(MP_QSTR_read), MP_ROM_PTR(&request_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_readinto), MP_ROM_PTR(&request_readinto_obj) },
    { MP_ROM_QSTR(MP_QSTR_number), MP_ROM_PTR(&request_number_obj) },
    { MP_ROM_QSTR(MP_QSTR_write), MP_ROM_PTR(&request_write_obj) },
    { MP_ROM_QSTR(MP_QSTR_data), MP_ROM_PTR(&request_data_obj) },
    { MP_ROM_QSTR(MP_QSTR_room), MP_ROM_PTR(&request_room_obj) },
    { MP_ROM_QSTR(MP_QSTR_done), MP_ROM_PTR(&request_done_obj) },
};
static MP_DEFINE_CONST_DICT(request_locals_dict, request_locals);

MP_DEFINE_CONST_OBJ_TYPE(hv_request_type, MP_QSTR_Request, MP_TYPE_FLAG_NONE,
    attr, request_attr, print, request_print, locals_dict, &request_locals_dict);

// ---- Serving what waits -------------------------------------------------------------------------

static struct {
    bool on, again;     // devices are at work; something came meanwhile
    int interrupt_char; // what it was before
} serving;

// Ctrl-C was typed while a device was at work: most likely it was not meant for that, so it goes on to what
// it was meant for, and the request is asked again as soon as the VM runs. A VM whose device is interrupted
// again is stopped: it may be what keeps the prompt away.
static void interrupted(port_t *port, virtio_t *d, mp_obj_t raised) {
    if (serving.interrupt_char == CHAR_CTRL_C) {
        mp_sched_exception(raised);
    } else {
        ringbuf_put(&stdin_ringbuf, CHAR_CTRL_C);
    }
    request_t *r = port->asked;
    if (r != NULL && !r->done) {
        virtqueue_unpop(d, r->queue, r->head, r->epoch);
    }
    if (port->interrupted) {
        vm_stop(d->vm);
    }
    bool again = port->interrupted;
    port->interrupted = true;
    virtio_kick(d, (1u << d->nqueues) - 1);
    if (again) { // last: the console may be Python's as well
        char name[sizeof(d->vm->name)];
        memcpy(name, d->vm->name, sizeof(name));
        mp_printf(&mp_plat_print, "%s is stopped: Ctrl-C twice in its virtio device %u\n", name, port->slot);
    }
}

// False: it has closed the VM.
static bool call_device(port_t *port, mp_obj_t fun, size_t n, const mp_obj_t *args, mp_obj_t *result) {
    *result = mp_call_function_n_kw(fun, n, 0, args);
    port->interrupted = false;
    return port->vm->vm != NULL;
}

// A request has been worked on; a generator that it returned goes on with it, and others may come in between.
// What else is true keeps it.
static void worked(port_t *port, mp_obj_t result) {
    if (port->asked == NULL) {
        return; // it has had the VM go back
    }
    if (mp_obj_is_type(result, &mp_type_gen_instance)) {
        port->going = result;
        return;
    }
    if (!mp_obj_is_true(result)) {
        request_done(MP_OBJ_FROM_PTR(port->asked));
        port->spare = port->asked;
    }
    port->asked = NULL;
}

// False: it has closed the VM.
static bool go_on(port_t *port) {
    mp_obj_t yielded = mp_iternext(port->going);
    port->interrupted = false;
    if (port->vm->vm == NULL) {
        return false;
    }
    if (yielded == MP_OBJ_STOP_ITERATION) {
        port->going = MP_OBJ_NULL;
        worked(port, mp_const_none);
    }
    return true;
}

// As many requests as the queue may be long, or as there is time for: then it is the turn of others. A device
// with a request that takes several turns has no other before that is done.
static bool serve_queue(port_t *port, unsigned queue) {
    mp_obj_t args[2] = { MP_OBJ_NEW_SMALL_INT(queue) }, result;
    if (port->passive >> queue & 1) {
        return call_device(port, port->ready, 1, args, &result);
    }
    for (unsigned i = 0; i < VIRTQUEUE_MAX && (i == 0 || !boot_core_turn_over()); i++) {
        if (port->going != MP_OBJ_NULL) {
            if (port->asked->queue != queue) {
                break;
            }
            if (!go_on(port)) {
                return false;
            }
            continue;
        }
        args[1] = pop_request(port, queue);
        if (args[1] == mp_const_none) {
            return true;
        }
        port->asked = MP_OBJ_TO_PTR(args[1]);
        if (!call_device(port, port->request, 2, args, &result)) {
            return false;
        }
        worked(port, result);
    }
    virtio_kick(device_of(port), 1u << queue);
    return true;
}

static void serve(port_t *port, uint32_t what) {
    mp_obj_t result;
    if (UNLIKELY(!replay_lets_in(device_of(port)->vm))) {
        return;
    }
    if (what & VIRTIO_WAS_RESET) {
        port->going = MP_OBJ_NULL;
        if (!call_device(port, port->reset, 0, NULL, &result)) {
            return;
        }
    }
    for (unsigned queue = 0; queue < VIRTIO_QUEUES; queue++) {
        if ((what >> queue & 1) && !serve_queue(port, queue)) {
            return;
        }
    }
}

// False: Ctrl-C.
static bool serve_protected(port_t *port, uint32_t what) {
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        serve(port, what);
        nlr_pop();
        return true;
    }
    mp_obj_t raised = MP_OBJ_FROM_PTR(nlr.ret_val);
    bool ctrl_c = mp_obj_is_subclass_fast(MP_OBJ_FROM_PTR(mp_obj_get_type(raised)), MP_OBJ_FROM_PTR(&mp_type_KeyboardInterrupt));
    virtio_t *d = port->vm->vm == NULL ? NULL : device_of(port);
    if (d != NULL && ctrl_c) {
        interrupted(port, d, raised);
    } else if (d != NULL) {
        uint32_t was = d->status;
        virtio_broken(d, d->epoch, "its Python device raised an exception");
        note_broken(d, was);
    }
    port->asked = NULL;
    port->going = MP_OBJ_NULL;
    if (!ctrl_c) {
        hv_tell(&port->told, raised); // last: the console may be Python's as well
    }
    return !ctrl_c;
}

// What has waited since before `until`, as long as the turn lasts. False: Ctrl-C.
static bool serve_waiting(uint64_t until) {
    uint32_t what;
    virtio_t *d;
    while ((d = virtio_next(until, &what)) != NULL) {
        if (!serve_protected(d->port, what)) {
            return false;
        }
        if (boot_core_turn_over()) {
            break;
        }
    }
    return true;
}

static void serve_all(void) {
    if (!boot_core_turn_begin()) {
        return;
    }
    serving.on = true;
    serving.interrupt_char = mp_interrupt_char;
    mp_hal_set_interrupt_char(CHAR_CTRL_C);
    bool ctrl_c = false;
    do {
        serving.again = false;
        ctrl_c = !serve_waiting(READ_SYSREG(cntpct_el0));
    } while (!ctrl_c && serving.again && !boot_core_turn_over());
    mp_hal_set_interrupt_char(serving.interrupt_char);
    serving.on = false;
    boot_core_turn_end(virtio_waiting && !ctrl_c);
    if (ctrl_c) {
        boot_core_turn_anew(); // what was interrupted is asked again at once
    }
    if (serving.again) {
        virtio_schedule();
    }
}

// MicroPython's scheduler calls this with itself locked, and would not let Ctrl-C through. As the last of
// its nodes we may unlock it: others that come are run in between, but not us.
static void serve_node(mp_sched_node_t *node) {
    (void)node;
    if (serving.on) {
        serving.again = true;
    } else if (MP_STATE_VM(sched_head) != NULL) {
        virtio_schedule();
    } else {
        mp_sched_unlock();
        serve_all();
        mp_sched_lock();
    }
}

void virtio_schedule(void) {
    static mp_sched_node_t node;
    if (virtio_waiting && !boot_core_turn_of_others()) {
        mp_sched_schedule_node(&node, serve_node);
    }
}

void hv_virtio_forget(vm_t *vm) {
    for (unsigned i = 0; i < vm->nvirtio; i++) {
        port_t *port = vm->virtio[i] == NULL ? NULL : vm->virtio[i]->port;
        if (port != NULL) {
            port->asked = port->spare = NULL;
            port->going = MP_OBJ_NULL;
        }
    }
}

void virtio_session(void) {
    serving.on = serving.again = false;
}

// ---- A device's place ---------------------------------------------------------------------------

static void get_config(mp_obj_t config, mp_buffer_info_t *buf) {
    mp_get_buffer_raise(config, buf, MP_BUFFER_READ);
    if (buf->len > VIRTIO_CONFIG_MAX) {
        mp_raise_ValueError(MP_ERROR_TEXT("a virtio device has at most 256 bytes of configuration"));
    }
}

static virtio_t *new_device(vm_t *vm, unsigned slot) {
    virtio_t *d = native_alloc(sizeof(virtio_t));
    if (d == NULL) {
        hv_no_room("a virtio device", sizeof(virtio_t));
    }
    d->vm = vm;
    d->slot = slot;
    d->wire = (wire_t) { .vm = vm, .intid = (uint16_t)(VIRTIO_IRQ + slot) };
    d->page_size = PAGE_SIZE;
    return d;
}

// virtio(slot, id, features, config, queues, passive, legacy, request, ready, reset) -> Virtio
static mp_obj_t vm_virtio(size_t n_args, const mp_obj_t *args) {
    hv_vm_obj_t *o = MP_OBJ_TO_PTR(args[0]);
    vm_t *vm = hv_vm_get(args[0]);
    (void)n_args;
    mp_int_t slot = unbox_int(args[1]), queues = unbox_int(args[5]);
    if (slot < 0 || slot >= VM_MAX_VIRTIO || vm->virtio[slot] != NULL || queues < 1 || queues > (mp_int_t)VIRTIO_QUEUES) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("virtio slot %d with %d queues: a free one of 0 to 31, 1 to 8 queues"),
            (int)slot, (int)queues);
    }
    port_t *port = mp_obj_malloc(port_t, &hv_virtio_type);
    port->vm = o;
    port->slot = slot;
    port->interrupted = false;
    port->asked = port->spare = NULL;
    port->going = MP_OBJ_NULL;
    port->told = (tell_t) { 0 };
    port->passive = unbox_u64(args[6]);
    port->request = args[8];
    port->ready = args[9];
    port->reset = args[10];
    uint32_t id = unbox_u64(args[2]);
    uint64_t features = unbox_u64(args[3]);
    virtio_t *d = new_device(vm, slot);
    d->id = id;
    d->legacy = unbox_bool(args[7]);
    d->offered = features | VIRTIO_F_INDIRECT | (d->legacy ? 0 : VIRTIO_F_VERSION_1);
    d->nqueues = queues;
    d->port = port;
    nlr_buf_t nlr;
    if (nlr_push(&nlr) != 0) {
        native_free(d, sizeof(virtio_t));
        nlr_raise(MP_OBJ_FROM_PTR(nlr.ret_val));
    }
    mp_buffer_info_t config;
    get_config(args[4], &config);
    virtio_configure(d, config.buf, config.len);
    mp_obj_list_append(o->handlers, MP_OBJ_FROM_PTR(port));
    nlr_pop();
    vm_hold(vm);
    vm->virtio[slot] = d;
    vm->nvirtio = (unsigned)slot < vm->nvirtio ? vm->nvirtio : (unsigned)slot + 1;
    vm_release(vm);
    return MP_OBJ_FROM_PTR(port);
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(hv_vm_virtio_obj, 11, 11, vm_virtio);

// pop_request(queue) -> Request or None
static mp_obj_t port_pop(mp_obj_t self, mp_obj_t queue) {
    port_t *port = MP_OBJ_TO_PTR(self);
    mp_int_t n = unbox_int(queue);
    return n < 0 || n >= (mp_int_t)VIRTIO_QUEUES ? mp_const_none : pop_request(port, n);
}
static MP_DEFINE_CONST_FUN_OBJ_2(port_pop_obj, port_pop);

// configure(config): and tell the driver so. Not while a record is fed again, which has its own.
static mp_obj_t port_configure(mp_obj_t self, mp_obj_t config) {
    virtio_t *d = device_of(MP_OBJ_TO_PTR(self));
    mp_buffer_info_t buf;
    get_config(config, &buf);
    replay_input_data(d->vm, INPUT_CONFIG, d->slot, 0, buf.buf, buf.len);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(port_configure_obj, port_configure);

static void port_attr(mp_obj_t self, qstr attr, mp_obj_t *dest) {
    port_t *port = MP_OBJ_TO_PTR(self);
    if (dest[0] != MP_OBJ_NULL) {
        return;
    }
    virtio_t *d = device_of(port);
    switch (attr) {
        case MP_QSTR_slot:
            dest[0] = MP_OBJ_NEW_SMALL_INT(port->slot);
            break;
        case MP_QSTR_status:
            dest[0] = MP_OBJ_NEW_SMALL_INT(d->status);
            break;
        case MP_QSTR_features:
            dest[0] = box_u64(d->accepted);
            break;
        case MP_QSTR_fault:
            dest[0] = d->fault == NULL ? mp_const_none : mp_obj_new_str_from_cstr(d->fault);
            break;
        default:
            dest[1] = MP_OBJ_SENTINEL;
            break;
    }
}

static void write_port(const mp_print_t *print, mp_obj_t self) {
    const port_t *port = MP_OBJ_TO_PTR(self);
    const vm_t *vm = port->vm->vm;
    mp_printf(print, "<Virtio slot %u of ", (unsigned)port->slot);
    if (vm == NULL || vm->virtio[port->slot] == NULL) {
        mp_print_str(print, "a closed VM>");
        return;
    }
    mp_printf(print, "%s: status 0x%x, features 0x%lx>", vm->name, vm->virtio[port->slot]->status, vm->virtio[port->slot]->accepted);
}

static void port_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) {
    (void)kind;
    hv_print(print, self, write_port);
}

static const mp_rom_map_elem_t port_locals[] = {
    { MP_ROM_QSTR(MP_QSTR_pop), MP_ROM_PTR(&port_pop_obj) },
    { MP_ROM_QSTR(MP_QSTR_configure), MP_ROM_PTR(&port_configure_obj) },
};
static MP_DEFINE_CONST_DICT(port_locals_dict, port_locals);

MP_DEFINE_CONST_OBJ_TYPE(hv_virtio_type, MP_QSTR_Virtio, MP_TYPE_FLAG_NONE,
    attr, port_attr, print, port_print, locals_dict, &port_locals_dict);
