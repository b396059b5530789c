// SPDX-License-Identifier: MIT
// The interrupt controllers of the Raspberry Pi 3: see intc.h.
// BCM2836's has what each core has for itself, timers and mailboxes (QA7 rev 3.4, chapter 4); all devices come by one of
// its sources, from BCM2835's (BCM2835 ARM Peripherals, chapter 7; there "IRQs 1" is bank 1). Neither knows what is
// active: an interrupt is masked from its acknowledgement to its deactivation. Numbers: BCM_LOCAL, BCM_DEVICE.

#include "core/arch.h"
#include "core/cpu.h"
#include "core/platform.h"
#include "irq/intc.h"

enum { GPU_ROUTING = 0x0C, TIMERS_CONTROL = 0x40, MAILBOXES_CONTROL = 0x50, IRQ_SOURCE = 0x60, MAILBOX_SET = 0x80, MAILBOX_CLEAR = 0xC0 };
#define SOURCE_TIMERS 0xFu
#define SOURCE_MAILBOX BIT(4)
#define SOURCE_GPU BIT(8)
#define BANKS 3
static const uint8_t pending_of[BANKS] = { 0x00, 0x04, 0x08 }, enable_of[BANKS] = { 0x18, 0x10, 0x14 }, disable_of[BANKS] = { 0x24, 0x1C, 0x20 };
#define BANK_0 0xFFu        // above these, its pending bits repeat others

static uint32_t timers_on[PLATFORM_MAX_CPUS];

static uint64_t of_this_core(unsigned reg, unsigned stride) {
    return platform.bcm2836.base + reg + this_pcpu()->id * stride;
}

static void set_masked(unsigned intid, bool masked) {
    if (intid >= 32 && intid < BCM_DEVICE(BANKS, 0)) {
        unsigned bank = (intid - 32) / 32;
        write32(platform.bcm2835.base + (masked ? disable_of : enable_of)[bank], 1u << intid % 32);
    } else if (intid >= BCM_LOCAL(0) && intid < BCM_LOCAL(4)) {
        uint64_t reg = of_this_core(TIMERS_CONTROL, 4);
        uint32_t bit = 1u << (intid - BCM_LOCAL(0));
        write32(reg, masked ? read32(reg) & ~bit : read32(reg) | (bit & timers_on[this_pcpu()->id]));
    }
}

static void bcm_enable(unsigned intid) {
    if (intid >= BCM_LOCAL(0) && intid < BCM_LOCAL(4)) {
        timers_on[this_pcpu()->id] |= 1u << (intid - BCM_LOCAL(0));
    }
    set_masked(intid, false);
}

static void bcm_disable(unsigned intid) {
    if (intid >= BCM_LOCAL(0) && intid < BCM_LOCAL(4)) {
        timers_on[this_pcpu()->id] &= ~(1u << (intid - BCM_LOCAL(0)));
    }
    set_masked(intid, true);
}

static uint32_t acknowledge_device(void) {
    for (unsigned bank = BANKS; bank-- > 0;) {
        uint32_t pending = read32(platform.bcm2835.base + pending_of[bank]) & (bank == 0 ? BANK_0 : ~0u);
        if (pending != 0) {
            return BCM_DEVICE(bank, (unsigned)__builtin_ctz(pending));
        }
    }
    return INTC_SPURIOUS;
}

// A software-generated one is a bit of this core's mailbox 0.
static uint32_t acknowledge_mailbox(void) {
    uint64_t reg = of_this_core(MAILBOX_CLEAR, 16);
    uint32_t bits = read32(reg);
    if (bits == 0) {
        return INTC_SPURIOUS;
    }
    write32(reg, bits & -bits);
    dsb_sy(); // it was set after what it tells of was written
    return (uint32_t)__builtin_ctz(bits);
}

static uint32_t bcm_ack(void) {
    uint32_t source = read32(of_this_core(IRQ_SOURCE, 4)), intid = INTC_SPURIOUS;
    if (source & SOURCE_MAILBOX) {
        return acknowledge_mailbox();
    } else if (source & SOURCE_TIMERS) {
        intid = BCM_LOCAL((unsigned)__builtin_ctz(source));
    } else if (source & SOURCE_GPU) {
        intid = acknowledge_device();
    }
    if (intid < INTC_SPURIOUS) {
        set_masked(intid, true);
    }
    return intid;
}

static void bcm_end(uint32_t iar) {
    (void)iar;
}

static void bcm_deactivate(uint32_t iar) {
    set_masked(iar, false);
}

static void bcm_set_active(unsigned intid, bool active) {
    set_masked(intid, active);
}

static void bcm_send(unsigned sgi, uint64_t mpidr) {
    dsb_sy(); // what the other core is told to look at is visible first
    write32(platform.bcm2836.base + MAILBOX_SET + (mpidr & 3) * 16, 1u << sgi);
}

static void bcm_init(void) {
    write32(platform.bcm2836.base + GPU_ROUTING, 0); // devices to core 0
    for (unsigned bank = 0; bank < BANKS; bank++) {
        write32(platform.bcm2835.base + disable_of[bank], ~0u);
    }
}

static void bcm_init_core(void) {
    write32(of_this_core(TIMERS_CONTROL, 4), 0);
    write32(of_this_core(MAILBOX_CLEAR, 16), ~0u);
    write32(of_this_core(MAILBOXES_CONTROL, 4), 1);
}

const intc_t bcm2836 = {
    .init = bcm_init, .init_core = bcm_init_core, .ack = bcm_ack, .end = bcm_end, .deactivate = bcm_deactivate, .enable = bcm_enable,
    .disable = bcm_disable, .set_active = bcm_set_active, .send = bcm_send,
};
