// SPDX-License-Identifier: MIT
// The guest's PL031 real-time clock (ARM DDI 0224): the machine's own time, which a guest may set for
// itself, and which interrupts when it comes to the second that the guest has asked for.

#include "arch.h"
#include "pl031.h"
#include "platform.h"
#include "timer.h"
#include "vgic.h"

#define PL031_IRQ 34 // SPI 2
#define CHECKS_HZ 16 // when the time has come by our counter: the clock that counts is another

enum {
    DR = 0x00, MR = 0x04, LR = 0x08, CR = 0x0C, IMSC = 0x10, RIS = 0x14, MIS = 0x18, ICR = 0x1C, PERIPHID0 = 0xFE0,
};

typedef struct pl031 {
    timer_t timer;      // first: its function finds the clock behind it
    vm_t *vm;
    uint32_t match, load, mask, rings;
    int64_t offset;     // seconds a guest has set its clock ahead
} pl031_t;

// Seconds since 1970: of the host's own PL031, or since reset where there is none.
static uint32_t seconds(void) {
    return platform.rtc_base != 0 ? read32(platform.rtc_base + DR) : (uint32_t)(timer_now() / timer_freq());
}

static uint32_t clock_of(const pl031_t *p) {
    return seconds() + (uint32_t)p->offset;
}

static void update_line(pl031_t *p) {
    vgic_set_line(p->vm, PL031_IRQ, (p->rings & p->mask) != 0);
}

static void look(timer_t *t) {
    pl031_t *p = (pl031_t *)t;
    if ((int32_t)(p->match - clock_of(p)) > 0) {
        timer_arm(t, timer_now() + timer_freq() / CHECKS_HZ, look);
    } else {
        p->rings = 1;
        update_line(p);
    }
}

// Times that have passed come again when 32 bits have: not in our time.
static void set_alarm(pl031_t *p) {
    int32_t left = (int32_t)(p->match - clock_of(p));
    timer_cancel(&p->timer);
    if (left >= 0) {
        timer_arm(&p->timer, timer_now() + (left > 0 ? left - 1 : 0) * timer_freq(), look);
    }
}

static uint32_t read_register(const pl031_t *p, uint64_t offset) {
    static const uint8_t id[8] = { 0x31, 0x10, 0x04, 0x00, 0x0D, 0xF0, 0x05, 0xB1 };
    switch (offset) {
        case DR:
            return clock_of(p);
        case MR:
            return p->match;
        case LR:
            return p->load;
        case CR:
            return 1; // RTCEN: it always runs
        case IMSC:
            return p->mask;
        case RIS:
            return p->rings;
        case MIS:
            return p->rings & p->mask;
        default:
            return offset >= PERIPHID0 ? id[(offset - PERIPHID0) / 4] : 0;
    }
}

static bool access(vcpu_t *v, hook_t *h, uint64_t offset, unsigned size, bool write, uint64_t *value) {
    pl031_t *p = h->context;
    (void)v, (void)size;
    offset &= ~3u;
    if (!write) {
        *value = read_register(p, offset);
    } else if (offset == MR) {
        p->match = (uint32_t)*value;
        set_alarm(p);
    } else if (offset == LR) {
        p->load = (uint32_t)*value;
        p->offset = (int64_t)*value - seconds();
        set_alarm(p);
    } else if (offset == IMSC) {
        p->mask = *value & 1;
        update_line(p);
    } else if (offset == ICR) {
        p->rings &= ~*value;
        update_line(p);
    }
    return true;
}

bool pl031_add(vm_t *vm) {
    pl031_t *p = native_alloc(sizeof(pl031_t));
    hook_t *h = native_alloc(sizeof(hook_t));
    if (p == NULL || h == NULL) {
        native_free(p, sizeof(pl031_t));
        native_free(h, sizeof(hook_t));
        return false;
    }
    vm->rtc = p;
    p->vm = vm;
    h->key = PL031_IPA;
    h->size = PL031_SIZE;
    h->kind = HOOK_NATIVE;
    h->native = access;
    h->context = p;
    return hook_range_add(&vm->mmio, h);
}

void pl031_remove(vm_t *vm) {
    if (vm->rtc != NULL) {
        timer_cancel(&vm->rtc->timer);
    }
    native_free(vm->rtc, sizeof(pl031_t));
    vm->rtc = NULL;
}
