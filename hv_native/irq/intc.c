// SPDX-License-Identifier: MIT
// Choice of the interrupt controller.
// Which interrupt controller the machine has: see intc.h. Without one nothing is enabled and nothing comes.

#include "core/platform.h"
#include "irq/gic.h"
#include "irq/intc.h"

static void no_init(void) {
}

static uint32_t no_ack(void) {
    return INTC_SPURIOUS;
}

static void no_end(uint32_t iar) {
    (void)iar;
}

static void no_enable(unsigned intid) {
    (void)intid;
}

static void no_set_active(unsigned intid, bool active) {
    (void)intid, (void)active;
}

static void no_send(unsigned sgi, uint64_t mpidr) {
    (void)sgi, (void)mpidr;
}

static const intc_t no_intc = { no_init, no_init, no_ack, no_end, no_end, no_enable, no_enable, no_set_active, no_send };

const intc_t *intc = &no_intc;

// See INTC_ASK.
static uint32_t ask_page[0x2000 / 4] __attribute__((section(".noinit.pages"), aligned(0x1000)));

void intc_init(void) {
    switch (platform.gic_version) {
        case 2:
            intc = &gicv2;
            break;
        case 3:
            intc = &gicv3;
            break;
        default:
            intc = platform_has_intc() ? &bcm2836 : intc;
            ask_page[GICC_IAR / 4] = INTC_ASK;
            platform.gicc = (range_t) { (uint64_t)ask_page, sizeof(ask_page) };
            break;
    }
    intc->init();
}
