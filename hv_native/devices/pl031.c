// SPDX-License-Identifier: MIT
// The guest's PL031 real-time clock (ARM DDI 0224): the machine's own time, which a guest may set for
// itself, and which interrupts when it comes to the second that the guest has asked for.

#include "core/arch.h"
#include "core/platform.h"
#include "devices/pl031.h"
#include "devices/wire.h"
#include "irq/timer.h"
#include "memory/native.h"
#include "vgic/vtimer.h"
#include "vm/device.h"
#include "vm/hook.h"
#include "vm/state.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

#define PL031_IRQ 34 // SPI 2
#define CHECKS_HZ 16 // when the time has come by our counter: the clock that counts is another

enum {
    DR = 0x00, MR = 0x04, LR = 0x08, CR = 0x0C, IMSC = 0x10, RIS = 0x14, MIS = 0x18, ICR = 0x1C, PERIPHID0 = 0xFE0,
};

// vCPUs of all cores come here, and the timer that watches for the second asked for.
typedef struct pl031 {
    timer_t timer;      // first: its function finds the clock behind it
    wire_t wire;
    uint32_t match, load, mask, rings;
    bool waits;         // for the second `match`
    int64_t offset;     // seconds a guest has set its clock ahead
    uint32_t began;     // by count: seconds at
    uint64_t since;     // that virtual count
} pl031_t;

// Seconds since 1970: of the host's own PL031, or since reset where there is none.
static uint32_t seconds(const pl031_t *p) {
    if (UNLIKELY(p->wire.vm->replay != NULL)) {
        return p->began + (uint32_t)((vtimer_count(p->wire.vm) - p->since) / timer_freq());
    }
    return platform.rtc_base != 0 ? read32(platform.rtc_base + DR) : (uint32_t)(timer_now() / timer_freq());
}

static uint32_t clock_of(const pl031_t *p) {
    return seconds(p) + (uint32_t)p->offset;
}

static void unlock(pl031_t *p, uint64_t daif) {
    wire_unlock(&p->wire, daif, (p->rings & p->mask) != 0);
}

static void pl031_look(timer_t *t) {
    pl031_t *p = (pl031_t *)t;
    uint64_t daif = wire_lock(&p->wire);
    if (p->wire.vm->replay != NULL) {
        // pl031_settle does it
    } else if (p->waits && (int32_t)(p->match - clock_of(p)) > 0) {
        timer_arm(t, timer_now() + timer_freq() / CHECKS_HZ, pl031_look);
    } else if (p->waits) {
        p->waits = false;
        p->rings = 1;
    }
    unlock(p, daif);
}

// With the lock held. Times that have passed come again when 32 bits have: not in our time. A timer that nothing
// waits for any more is let run out: to cancel it would be to wait for `pl031_look`, which waits for the lock.
static void set_alarm(pl031_t *p) {
    int32_t left = (int32_t)(p->match - clock_of(p));
    p->waits = left >= 0;
    if (p->waits && p->wire.vm->replay == NULL) {
        timer_arm(&p->timer, timer_now() + (left > 0 ? left - 1 : 0) * timer_freq(), pl031_look);
    }
}

static uint32_t pl031_read(const pl031_t *p, uint64_t offset) {
    static const uint8_t id[8] = { 0x31, 0x10, 0x14, 0x00, 0x0D, 0xF0, 0x05, 0xB1 };
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

static void write_register(pl031_t *p, uint64_t offset, uint32_t value) {
    switch (offset) {
        case MR:
            p->match = value;
            set_alarm(p);
            break;
        case LR:
            p->load = value;
            p->offset = (int64_t)value - seconds(p);
            set_alarm(p);
            break;
        case IMSC:
            p->mask = value & 1;
            break;
        case ICR:
            p->rings &= ~value;
            break;
    }
}

// Bytes and halfwords at a register's address are that register, a doubleword is two.
static bool pl031_access(vcpu_t *v, hook_t *h, uint64_t offset, unsigned size, bool write, uint64_t *value) {
    pl031_t *p = h->context;
    (void)v;
    uint64_t daif = wire_lock(&p->wire);
    for (unsigned k = 0, at = offset & ~UINT64_C(3); k < (size == 8 ? 2u : 1u); k++, at += 4) {
        if (write) {
            write_register(p, at, (uint32_t)(*value >> 32 * k));
        } else {
            *value = (k == 0 ? 0 : *value) | (uint64_t)pl031_read(p, at) << 32 * k;
        }
    }
    unlock(p, daif);
    return true;
}

// The time a guest has set goes on, as that of a clock with a battery does.
void pl031_reset(vm_t *vm) {
    pl031_t *p = vm->rtc;
    uint64_t daif = wire_lock(&p->wire);
    p->match = p->load = p->mask = p->rings = 0;
    p->waits = false;
    unlock(p, daif);
}

typedef struct {
    uint32_t match, load, mask, rings, seconds;
    bool waits, high;
    int64_t offset;
} pl031_state_t;

void pl031_save(vm_t *vm, device_stream_t *s) {
    const pl031_t *p = vm->rtc;
    pl031_state_t is = { p->match, p->load, p->mask, p->rings, seconds(p), p->waits, p->wire.high, p->offset };
    STREAM_PUT(s, is);
}

// The world's time has gone on; the guest's, if that is asked for, has not.
void pl031_load(vm_t *vm, device_stream_t *s) {
    pl031_t *p = vm->rtc;
    pl031_state_t was;
    STREAM_GET(s, was);
    uint64_t daif = wire_lock(&p->wire);
    p->match = was.match;
    p->load = was.load;
    p->mask = was.mask;
    p->rings = was.rings;
    p->wire.high = was.high;
    bool by_count = vm->replay != NULL; // which is not yet what it will be
    p->offset = was.offset - (s->guest_clock && !by_count ? (int64_t)(seconds(p) - was.seconds) : 0);
    p->waits = was.waits && by_count;
    if (was.waits && !by_count && (int32_t)(p->match - clock_of(p)) < 0) {
        p->rings = 1; // that second has passed
    } else if (was.waits && !by_count) {
        set_alarm(p);
    }
    unlock(p, daif);
}

uint32_t pl031_seconds(const vm_t *vm) {
    return seconds(vm->rtc);
}

void pl031_by_count(vm_t *vm, uint32_t seconds) {
    pl031_t *p = vm->rtc;
    p->began = seconds;
    p->since = vtimer_count(vm);
}

uint64_t pl031_settle(vm_t *vm) {
    pl031_t *p = vm->rtc;
    if (LIKELY(!p->waits)) {
        return 0;
    }
    uint64_t daif = wire_lock(&p->wire);
    int32_t left = (int32_t)(p->match - clock_of(p));
    p->waits = left > 0;
    p->rings = left > 0 ? p->rings : 1;
    unlock(p, daif);
    return left > 0 ? (uint64_t)left * timer_freq() - (vtimer_count(vm) - p->since) % timer_freq() : 0;
}

void pl031_by_clock(vm_t *vm) {
    pl031_t *p = vm->rtc;
    uint64_t daif = wire_lock(&p->wire);
    if (p->waits) {
        set_alarm(p);
    }
    unlock(p, daif);
}

bool pl031_add(vm_t *vm) {
    pl031_t *p = native_alloc(sizeof(pl031_t));
    if (p == NULL) {
        return false;
    }
    p->wire = (wire_t) { .vm = vm, .intid = PL031_IRQ };
    vm->rtc = p;
    return device_register(vm, &(hook_t) { .key = PL031_IPA, .size = PL031_SIZE, .native = pl031_access, .context = p }) != NULL;
}

void pl031_remove(vm_t *vm) {
    if (vm->rtc != NULL) { // it may ring on any core until now
        timer_cancel(&vm->rtc->timer);
    }
    native_free(vm->rtc, sizeof(pl031_t));
    vm->rtc = NULL;
}
