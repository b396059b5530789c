// SPDX-License-Identifier: MIT
// The virtio-mmio transport as a guest sees it: the register file of virtio 1.1, 4.2.2, or the legacy
// one of 4.2.4, of each of 32 slots. See virtio.h.

#include <string.h>
#include "core/arch.h"
#include "core/cpu.h"
#include "devices/virtio.h"
#include "devices/wire.h"
#include "irq/intc.h"
#include "memory/native.h"
#include "vcpu/vcpu.h"
#include "vm/device.h"
#include "vm/el1_state.h"
#include "vm/hook.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

enum {
    MAGIC = 0x00, VERSION = 0x04, DEVICE_ID = 0x08, VENDOR_ID = 0x0C,
    DEVICE_FEATURES = 0x10, DEVICE_FEATURES_SEL = 0x14, DRIVER_FEATURES = 0x20, DRIVER_FEATURES_SEL = 0x24,
    GUEST_PAGE_SIZE = 0x28, QUEUE_SEL = 0x30, QUEUE_NUM_MAX = 0x34, QUEUE_NUM = 0x38, QUEUE_ALIGN = 0x3C,
    QUEUE_PFN = 0x40, QUEUE_READY = 0x44, QUEUE_NOTIFY = 0x50, INTERRUPT_STATUS = 0x60, INTERRUPT_ACK = 0x64,
    STATUS = 0x70, QUEUE_DESC = 0x80, QUEUE_AVAIL = 0x90, QUEUE_USED = 0xA0, SHM_LEN = 0xB0, SHM_BASE_END = 0xC0,
    CONFIG_GENERATION = 0xFC, CONFIG = 0x100,
};

#define MAGIC_VALUE 0x74726976u  // "virt"
#define VENDOR_VALUE 0x554D4551u // "QEMU", which some drivers insist on

// ---- Interrupts and kicks -----------------------------------------------------------------------

uint64_t virtio_lock(virtio_t *d) {
    return wire_lock(&d->wire);
}

void virtio_unlock(virtio_t *d, uint64_t daif) {
    wire_unlock(&d->wire, daif, d->isr != 0);
}

void virtio_interrupt(virtio_t *d, uint32_t why) {
    uint64_t daif = virtio_lock(d);
    d->isr |= d->status != 0 ? why : 0;
    virtio_unlock(d, daif);
}

void virtio_configure(virtio_t *d, const void *config, size_t size) {
    uint64_t daif = virtio_lock(d);
    d->config_size = size < VIRTIO_CONFIG_MAX ? size : VIRTIO_CONFIG_MAX;
    memcpy(d->config, config, d->config_size);
    d->config_generation++;
    virtio_unlock(d, daif);
}

void virtio_broken(virtio_t *d, uint32_t epoch, const char *why) {
    uint64_t daif = virtio_lock(d);
    if (d->epoch == epoch && !(d->status & VIRTIO_NEEDS_RESET)) {
        d->status |= VIRTIO_NEEDS_RESET;
        d->fault = why;
        d->isr |= 2;
    }
    virtio_unlock(d, daif);
}

volatile bool virtio_waiting;

// With the lock held. True: the boot core is to be told.
static bool mark(virtio_t *d, uint32_t what) {
    if (d->kicked == 0) {
        d->since = READ_SYSREG(cntpct_el0);
    }
    bool news = what & ~d->kicked;
    d->kicked |= what;
    return news;
}

static void tell_boot_core(void) {
    virtio_waiting = true;
    intc->send(INTC_SGI_KICK, pcpus[0].mpidr);
}

void virtio_kick(virtio_t *d, uint32_t what) {
    uint64_t daif = virtio_lock(d);
    bool news = mark(d, what);
    virtio_unlock(d, daif);
    if (news) {
        tell_boot_core();
    }
}

virtio_t *virtio_next(uint64_t until, uint32_t *what) {
    virtio_t *first = NULL;
    unsigned waiting = 0;
    virtio_waiting = false;
    dmb_ish();
    for (vm_t *vm = vms; vm != NULL; vm = vm->next) {
        for (unsigned i = 0; i < vm->nvirtio && vm->running && !vm->stopping; i++) {
            virtio_t *d = vm->virtio[i];
            if (d == NULL || d->kicked == 0) {
                continue;
            }
            waiting++;
            if (d->since <= until) {
                until = d->since;
                first = d;
            }
        }
    }
    if (waiting > (first != NULL)) {
        virtio_waiting = true;
    }
    if (first != NULL) {
        uint64_t daif = virtio_lock(first);
        *what = first->kicked;
        first->kicked = 0;
        virtio_unlock(first, daif);
    }
    return first;
}

void virtio_started(vm_t *vm) {
    for (unsigned i = 0; i < vm->nvirtio; i++) {
        if (vm->virtio[i] != NULL && vm->virtio[i]->kicked != 0) {
            tell_boot_core();
        }
    }
}

// ---- Registers; with the lock held --------------------------------------------------------------

static void virtio_reset(virtio_t *d) {
    memset(d->queue, 0, sizeof(d->queue));
    d->accepted = 0;
    d->offered_sel = d->accepted_sel = d->queue_sel = 0;
    d->page_size = PAGE_SIZE;
    d->status = d->isr = 0;
    d->fault = NULL;
    d->kicked = 0;
    d->epoch++;
}

static virtqueue_t *selected(virtio_t *d) {
    return d->queue_sel < d->nqueues ? &d->queue[d->queue_sel] : NULL;
}

static uint32_t read_queue(virtio_t *d, const virtqueue_t *q, uint64_t offset) {
    if (q == NULL) {
        return 0;
    }
    if (offset == QUEUE_NUM_MAX) {
        return VIRTQUEUE_MAX;
    }
    if (d->legacy) {
        return offset == QUEUE_PFN ? (uint32_t)(q->desc / d->page_size) : 0;
    }
    return offset == QUEUE_READY ? q->ready : 0;
}

static uint32_t virtio_read(virtio_t *d, uint64_t offset) {
    switch (offset) {
        case MAGIC:
            return MAGIC_VALUE;
        case VENDOR_ID:
            return VENDOR_VALUE;
        case VERSION:
            return d != NULL && d->legacy ? 1 : 2;
    }
    if (d == NULL) {
        return 0; // an empty slot: device 0
    }
    switch (offset) {
        case DEVICE_ID:
            return d->id;
        case DEVICE_FEATURES:
            return d->offered_sel < 2 ? (uint32_t)(d->offered >> 32 * d->offered_sel) : 0;
        case QUEUE_NUM_MAX:
        case QUEUE_PFN:
        case QUEUE_READY:
            return read_queue(d, selected(d), offset);
        case INTERRUPT_STATUS:
            return d->isr;
        case STATUS:
            return d->status;
        case CONFIG_GENERATION:
            return d->config_generation;
        default:
            // No shared memory: all regions are of length, and at, -1 (4.2.2).
            return !d->legacy && offset >= SHM_LEN && offset < SHM_BASE_END ? 0xFFFFFFFF : 0;
    }
}

static void queue_begins(virtqueue_t *q) {
    q->next_avail = q->next_used = 0;
    memset(q->taken, 0, sizeof(q->taken));
    memset(q->again, 0, sizeof(q->again));
}

// Virtio 1.1, 2.6.2: descriptors, the available ring behind them, the used ring at the next boundary.
static void set_legacy_queue(virtio_t *d, virtqueue_t *q, uint32_t pfn) {
    uint64_t align = q->align != 0 ? q->align : PAGE_SIZE;
    q->desc = (uint64_t)pfn * d->page_size;
    q->avail = q->desc + 16 * q->num;
    q->ready = pfn != 0 && align >= 4 && (align & (align - 1)) == 0;
    if (q->ready) {
        q->used = ALIGN_UP(q->avail + 6 + 2 * q->num, align);
    }
    queue_begins(q);
}

static void set_half(uint64_t *address, bool high, uint32_t value) {
    *address = high ? (uint64_t)value << 32 | (uint32_t)*address : (*address & ~UINT64_C(0xFFFFFFFF)) | value;
}

static void write_queue(virtio_t *d, virtqueue_t *q, uint64_t offset, uint32_t value) {
    if (q == NULL) {
        return;
    }
    if (d->legacy) {
        if (offset == QUEUE_PFN) {
            set_legacy_queue(d, q, value);
        } else if (offset == QUEUE_ALIGN) {
            q->align = value;
        }
    } else if (offset == QUEUE_READY) {
        q->ready = value & 1;
        queue_begins(q);
    }
    if (q->ready) {
        return; // what follows is fixed as long as it is
    }
    if (offset == QUEUE_NUM) {
        q->num = value;
    } else if (!d->legacy && offset >= QUEUE_DESC) {
        uint64_t *address = offset < QUEUE_AVAIL ? &q->desc : offset < QUEUE_USED ? &q->avail : &q->used;
        set_half(address, offset & 4, value);
    }
}

// Virtio 1.1, 3.1.1: what the driver accepts is good when it was offered, and, on the modern transport,
// when it accepts that it is one.
static bool features_good(const virtio_t *d) {
    return !(d->accepted & ~d->offered) && (d->legacy || (d->accepted & VIRTIO_F_VERSION_1));
}

// True: the boot core is to be told.
static bool write_status(virtio_t *d, uint32_t value) {
    uint32_t was = d->status;
    if (value == 0) {
        virtio_reset(d);
        return was != 0 && mark(d, VIRTIO_WAS_RESET);
    }
    if ((value & ~was & VIRTIO_FEATURES_OK) && !features_good(d)) {
        value &= ~VIRTIO_FEATURES_OK;
    }
    d->status = (value & 0xFF) | (was & VIRTIO_NEEDS_RESET);
    // Drivers may have filled queues and kicked before they said that they were ready.
    return (value & ~was & VIRTIO_DRIVER_OK) && mark(d, (1u << d->nqueues) - 1);
}

// Features are fixed from FEATURES_OK on; a legacy driver does not know that, and has until DRIVER_OK.
static void write_features(virtio_t *d, uint32_t value) {
    if (!(d->status & (VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK)) && d->accepted_sel < 2) {
        set_half(&d->accepted, d->accepted_sel == 1, value);
        if (d->legacy) {
            d->accepted &= d->offered; // it has no way to refuse
        }
    }
}

// What came while the driver looked at the other reason is an edge of its own: drivers acknowledge what they have
// read, and the tree says that the line is one of edges.
static void acknowledge(virtio_t *d, uint32_t reasons) {
    if (d->isr & reasons) {
        d->isr &= ~reasons;
        wire_set(&d->wire, false);
    }
}

static bool virtio_write(virtio_t *d, uint64_t offset, uint32_t value) {
    switch (offset) {
        case DEVICE_FEATURES_SEL:
            d->offered_sel = value;
            break;
        case DRIVER_FEATURES_SEL:
            d->accepted_sel = value;
            break;
        case DRIVER_FEATURES:
            write_features(d, value);
            break;
        case GUEST_PAGE_SIZE:
            d->page_size = value != 0 && (value & (value - 1)) == 0 ? value : PAGE_SIZE;
            break;
        case QUEUE_SEL:
            d->queue_sel = value;
            break;
        case QUEUE_NOTIFY:
            return value < d->nqueues && mark(d, 1u << value);
        case INTERRUPT_ACK:
            acknowledge(d, value);
            break;
        case STATUS:
            return write_status(d, value);
        case QUEUE_NUM:
        case QUEUE_ALIGN:
        case QUEUE_PFN:
        case QUEUE_READY:
        case QUEUE_DESC:
        case QUEUE_DESC + 4:
        case QUEUE_AVAIL:
        case QUEUE_AVAIL + 4:
        case QUEUE_USED:
        case QUEUE_USED + 4:
            write_queue(d, selected(d), offset, value);
            break;
    }
    return false;
}

// ---- Accesses -----------------------------------------------------------------------------------

// The device's own registers, of any width; they are not for the guest to write.
static uint64_t virtio_read_config(const virtio_t *d, uint64_t offset, unsigned size) {
    uint64_t value = 0;
    if (d != NULL && offset + size <= d->config_size) {
        memcpy(&value, &d->config[offset], size);
    }
    return value;
}

static bool virtio_access(vcpu_t *v, hook_t *h, uint64_t offset, unsigned size, bool write, uint64_t *value) {
    virtio_t *d = v->vm->virtio[offset / VIRTIO_STRIDE];
    bool tell = false;
    (void)h;
    offset %= VIRTIO_STRIDE;
    bool odd = offset < CONFIG && (size != 4 || offset % 4 != 0); // 4.2.2.2: 32 bits, aligned
    if (d == NULL || odd) {
        *value = write || odd || offset >= CONFIG ? 0 : virtio_read(NULL, offset);
        return true;
    }
    uint64_t daif = virtio_lock(d);
    if (!write) {
        *value = offset >= CONFIG ? virtio_read_config(d, offset - CONFIG, size) : virtio_read(d, offset);
    } else if (offset < CONFIG) {
        tell = virtio_write(d, offset, (uint32_t)*value);
        if (offset == QUEUE_NOTIFY) {
            uint64_t on = BIT(0) | BIT(2); // M and C
            d->uncached = (vcpu_el1_get(v, EL1_SCTLR_EL1) & on) != on;
        }
    }
    virtio_unlock(d, daif);
    if (tell) {
        tell_boot_core();
    }
    return true;
}

// ---- Slots --------------------------------------------------------------------------------------

bool virtio_add(vm_t *vm) {
    return device_register(vm, &(hook_t) { .key = VIRTIO_IPA, .size = VM_MAX_VIRTIO * VIRTIO_STRIDE, .native = virtio_access }) != NULL;
}

void virtio_remove(vm_t *vm) {
    for (unsigned i = 0; i < vm->nvirtio; i++) {
        native_free(vm->virtio[i], sizeof(virtio_t));
        vm->virtio[i] = NULL;
    }
    vm->nvirtio = 0;
}

void virtio_reset_vm(vm_t *vm) {
    for (unsigned i = 0; i < vm->nvirtio; i++) {
        virtio_t *d = vm->virtio[i];
        if (d != NULL) {
            uint64_t daif = virtio_lock(d);
            virtio_reset(d);
            virtio_unlock(d, daif);
            virtio_kick(d, VIRTIO_WAS_RESET);
        }
    }
}
