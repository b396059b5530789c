// SPDX-License-Identifier: MIT
// Interrupt controller interface.
// The machine's interrupt controller, as EL2 uses it: one priority, and an end in two halves (priority drop,
// deactivation) so that a guest can do the second one itself. GICv2 and GICv3 are two implementations; a
// machine that has another one adds a file and its row in intc.c.
#ifndef HV_INTC_H
#define HV_INTC_H

#include "core/platform.h"
#include "irq/gic.h"

#define INTC_SPURIOUS 1020u // this INTID and above: nothing to do
#define INTC_SGI_KICK 1u    // "look again": leave the guest if you have been asked to
#define INTC_SGI_VGIC 2u    // vgic_lr.c's own: bring the list registers up to date

typedef struct {
    void (*init)(void);         // once, on the boot core: what all cores share
    void (*init_core)(void);    // each core
    // Acknowledge: what `end` and `deactivate` are to be given. GICv2 has the source core of an SGI in it.
    uint32_t (*ack)(void);
    void (*end)(uint32_t iar);  // lower the running priority; the interrupt stays active
    void (*deactivate)(uint32_t iar);
    void (*enable)(unsigned intid);     // an SPI comes to the core that calls
    void (*disable)(unsigned intid);    // and cannot come any more
    void (*set_active)(unsigned intid, bool active);
    void (*send)(unsigned sgi, uint64_t mpidr); // what was written before is visible to who gets it
} intc_t;

// The machine's; chosen by the device tree. None: nothing ever comes.
extern const intc_t *intc;
extern const intc_t gicv2, gicv3, bcm2836;
void intc_init(void);

// Those that every interrupt needs stand inline for the two GICs. Another controller shows itself as a
// GICv2 whose CPU interface is a page of memory that always says INTC_ASK: so it costs the GICs nothing.
// v3: intc_is_v3(), which is looked at once where instructions count.
#define INTC_ASK 1022u

static inline bool intc_is_v3(void) {
    return platform.gic_version == 3;
}

static inline uint32_t intc_ack(bool v3) {
    return v3 ? gicv3_ack() : gicv2_ack();
}

static inline unsigned intc_intid(bool v3, uint32_t iar) {
    return v3 ? iar : iar & 0x3FF;
}

static inline void intc_end(bool v3, uint32_t iar) {
    if (v3) {
        gicv3_end(iar);
    } else {
        gicv2_end(iar);
    }
}

static inline void intc_deactivate(bool v3, uint32_t iar) {
    if (v3) {
        gicv3_deactivate(iar);
    } else {
        gicv2_deactivate(iar);
    }
}

#endif
