// SPDX-License-Identifier: MIT
// machine.NIC(n): the machine's virtio network devices (virtio 1.1, 5.1), frame by frame, without offloads. Nothing
// waits: a frame that has not come is not read, and one for which there is no room is not sent.

#include <string.h>
#include "py/mperrno.h"
#include "py/objstr.h"
#include "py/runtime.h"
#include "hv_native/core/platform.h"
#include "hv_native/irq/irq.h"
#include "hv_native/memory/mem.h"
#include "hv_native/trap/numbers.h"
#include "hv_native/vm/owner.h"
#include "events.h"
#include "machine_port.h"
#include "virtio_driver.h"

enum { RECEIVE, TRANSMIT };
enum { NIC_MAX = EVENT_MAX - EVENT_NIC };
#define FRAME_MAX 1514      // the longest, without its checksum
#define BUFFER 1536         // the header and that, in whole cache lines

#define FEATURE_MAC BIT(5)
#define FEATURE_VERSION_1 BIT(32)

typedef struct {
    virtq_t queue[2];
    uint8_t buf[2][VIRTQ_SIZE][BUFFER] __attribute__((aligned(CACHE_LINE)));
    uint16_t seen;          // frames that have been read
} data_t;

typedef struct {
    mp_obj_base_t base;
    unsigned n, irq;
    uint64_t regs, features;
    data_t *data;           // NULL until it is used
} nic_t;

static nic_t nics[NIC_MAX];

static mp_obj_t nic_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 0, 1, false);
    mp_int_t n = n_args == 0 ? 0 : unbox_int(args[0]);
    int at = n < 0 || n >= NIC_MAX ? -1 : virtio_find(VIRTIO_ID_NET, n);
    if (at < 0) {
        mp_raise_msg_varg(&mp_type_OSError, MP_ERROR_TEXT("this machine has no virtio network device %ld"), (long)n);
    }
    nic_t *nic = &nics[n];
    nic->base.type = type;
    nic->n = n;
    nic->regs = platform.virtio[at].base;
    nic->irq = platform.virtio[at].irq;
    return MP_OBJ_FROM_PTR(nic);
}

static void nic_irq(void *arg) {
    nic_t *nic = arg;
    virtio_ack(nic->regs);
    event_raise(EVENT_NIC + nic->n);
}

// virtio 1.1, 5.1.6.1: num_buffers is not in the legacy header.
static size_t header_size(const nic_t *nic) {
    return nic->features & FEATURE_VERSION_1 ? 12 : 10;
}

static void prepare(nic_t *nic, data_t *d) {
    memset(d, 0, sizeof(data_t));
    nic->features = virtio_begin(nic->regs, FEATURE_MAC);
    for (unsigned which = RECEIVE; which <= TRANSMIT; which++) {
        virtio_buffers(nic->regs, which, &d->queue[which], d->buf[which], VIRTQ_SIZE, BUFFER, which == RECEIVE);
    }
}

// 0, or an errno. One whose interrupt goes to a guest is the guest's.
static int start(nic_t *nic) {
    if (irq_is_attached(nic->irq)) {
        return MP_EBUSY;
    }
    data_t *d = page_alloc(sizeof(data_t));
    if (d == NULL) {
        return MP_ENOMEM;
    }
    prepare(nic, d);
    irq_attach(nic->irq, nic_irq, nic);
    if (!virtio_go(nic->regs)) {
        virtio_stop(nic->regs);
        irq_detach(nic->irq);
        page_free(d, sizeof(data_t));
        return MP_EIO;
    }
    nic->data = d;
    host_claim(nic->regs, VIRTIO_CONFIG + 0x100, "a network device of the hypervisor's");
    virtio_notify(nic->regs, RECEIVE);
    return 0;
}

static nic_t *open(mp_obj_t self) {
    nic_t *nic = MP_OBJ_TO_PTR(self);
    int error = nic->data == NULL ? start(nic) : 0;
    if (error != 0) {
        mp_raise_OSError(error);
    }
    return nic;
}

// ---- Methods ------------------------------------------------------------------------------------

// irq(handler): called soon with the device when a frame has come or there is room again; None: nobody is.
static mp_obj_t nic_set_irq(mp_obj_t self, mp_obj_t handler) {
    nic_t *nic = open(self);
    event_handler(EVENT_NIC + nic->n, self, handler);
    event_raise(EVENT_NIC + nic->n); // for what has come already
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(nic_irq_obj, nic_set_irq);

// readinto(buf) -> bytes of the next frame, or None. A frame that is longer is cut.
static mp_obj_t nic_readinto(mp_obj_t self, mp_obj_t into) {
    nic_t *nic = open(self);
    data_t *d = nic->data;
    virtq_t *q = &d->queue[RECEIVE];
    mp_buffer_info_t buf;
    mp_get_buffer_raise(into, &buf, MP_BUFFER_WRITE);
    if (virtq_done(q) == d->seen) {
        return mp_const_none;
    }
    // The device is the machine's, yet what it writes is but numbers.
    unsigned slot = q->used.ring[d->seen % VIRTQ_SIZE].id % VIRTQ_SIZE;
    size_t header = header_size(nic), len = q->used.ring[d->seen % VIRTQ_SIZE].len;
    len = len < header ? 0 : len > BUFFER ? BUFFER - header : len - header;
    len = len < buf.len ? len : buf.len;
    cache_clean_poc(d->buf[RECEIVE][slot], BUFFER);
    memcpy(buf.buf, d->buf[RECEIVE][slot] + header, len);
    d->seen++;
    virtq_give(q, slot);
    virtio_notify(nic->regs, RECEIVE);
    return MP_OBJ_NEW_SMALL_INT(len);
}
static MP_DEFINE_CONST_FUN_OBJ_2(nic_readinto_obj, nic_readinto);

// write(frame) -> its bytes; None: there is no room.
static mp_obj_t nic_write(mp_obj_t self, mp_obj_t frame) {
    nic_t *nic = open(self);
    virtq_t *q = &nic->data->queue[TRANSMIT];
    mp_buffer_info_t buf;
    mp_get_buffer_raise(frame, &buf, MP_BUFFER_READ);
    if (buf.len < 14 || buf.len > FRAME_MAX) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("a frame has 14 to %u bytes, not %lu"), FRAME_MAX, (unsigned long)buf.len);
    }
    // Buffers come back in the order they were given: QEMU's and any that sends frame after frame.
    if ((uint16_t)(q->avail.idx - virtq_done(q)) >= VIRTQ_SIZE) {
        return mp_const_none;
    }
    unsigned slot = q->avail.idx % VIRTQ_SIZE;
    uint8_t *to = nic->data->buf[TRANSMIT][slot];
    memset(to, 0, header_size(nic));
    memcpy(to + header_size(nic), buf.buf, buf.len);
    q->desc[slot].len = header_size(nic) + buf.len;
    virtq_give(q, slot);
    virtio_notify(nic->regs, TRANSMIT);
    return MP_OBJ_NEW_SMALL_INT(buf.len);
}
static MP_DEFINE_CONST_FUN_OBJ_2(nic_write_obj, nic_write);

// mac() -> 6 bytes
static mp_obj_t nic_mac(mp_obj_t self) {
    nic_t *nic = open(self);
    byte mac[6] = { 0 };
    for (unsigned i = 0; i < sizeof(mac) && nic->features & FEATURE_MAC; i++) {
        mac[i] = read8(nic->regs + VIRTIO_CONFIG + i);
    }
    return mp_obj_new_bytes(mac, sizeof(mac));
}
static MP_DEFINE_CONST_FUN_OBJ_1(nic_mac_obj, nic_mac);

static void nic_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) {
    nic_t *nic = MP_OBJ_TO_PTR(self);
    mp_printf(print, "<NIC %u at 0x%08lx>", nic->n, nic->regs);
}

static const mp_rom_map_elem_t nic_locals[] = {
    { MP_ROM_QSTR(MP_QSTR_irq), MP_ROM_PTR(&nic_irq_obj) },
    { MP_ROM_QSTR(MP_QSTR_mac), MP_ROM_PTR(&nic_mac_obj) },
    { MP_ROM_QSTR(MP_QSTR_readinto), MP_ROM_PTR(&nic_readinto_obj) },
    { MP_ROM_QSTR(MP_QSTR_write), MP_ROM_PTR(&nic_write_obj) },
};
static MP_DEFINE_CONST_DICT(nic_locals_dict, nic_locals);

MP_DEFINE_CONST_OBJ_TYPE(machine_nic_type, MP_QSTR_NIC, MP_TYPE_FLAG_NONE,
    make_new, nic_make_new, print, nic_print, locals_dict, &nic_locals_dict);
