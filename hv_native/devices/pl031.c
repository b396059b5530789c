// SPDX-License-Identifier: MIT
// The guest's PL031 real-time clock (ARM DDI 0224): the machine's own time, which a guest may set for
// itself. The alarm can be read back but never rings.

#include "arch.h"
#include "pl031.h"
#include "platform.h"
#include "timer.h"

enum { DR = 0x00, MR = 0x04, LR = 0x08, CR = 0x0C, IMSC = 0x10, ICR = 0x1C, PERIPHID0 = 0xFE0 };

typedef struct pl031 {
    uint32_t match, load, mask;
    int64_t offset;     // seconds a guest has set its clock ahead
} pl031_t;

// Seconds since 1970: of the host's own PL031, or since reset where there is none.
static uint32_t seconds(void) {
    return platform.rtc_base != 0 ? read32(platform.rtc_base + DR) : (uint32_t)(timer_now() / timer_freq());
}

static uint32_t read_register(const pl031_t *p, uint64_t offset) {
    static const uint8_t id[8] = { 0x31, 0x10, 0x04, 0x00, 0x0D, 0xF0, 0x05, 0xB1 };
    switch (offset) {
        case DR:
            return seconds() + (uint32_t)p->offset;
        case MR:
            return p->match;
        case LR:
            return p->load;
        case CR:
            return 1; // RTCEN: it always runs
        case IMSC:
            return p->mask;
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
    } else if (offset == LR) {
        p->load = (uint32_t)*value;
        p->offset = (int64_t)*value - seconds();
    } else if (offset == IMSC) {
        p->mask = *value & 1;
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
    h->key = PL031_IPA;
    h->size = PL031_SIZE;
    h->kind = HOOK_NATIVE;
    h->native = access;
    h->context = p;
    return hook_range_add(&vm->mmio, h);
}

void pl031_remove(vm_t *vm) {
    native_free(vm->rtc, sizeof(pl031_t));
    vm->rtc = NULL;
}
