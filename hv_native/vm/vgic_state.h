// SPDX-License-Identifier: MIT
// Virtual GIC and timer state.
// What the virtual GIC and the guest timers keep in a VM and in each vCPU. One model for GICv2 and
// GICv3; only vgic_lr.c, vgic_dist.c and vtimer.c look inside.
#ifndef HV_VGIC_STATE_H
#define HV_VGIC_STATE_H

#include "core/arch.h"
#include "core/cpu.h"
#include "irq/timer.h"

#define VGIC_WORDS 9u           // of 32 interrupts: the private ones, and 256 SPIs
#define VGIC_LINES (32 * VGIC_WORDS)
#define VGIC_MAX_LRS 16u
#define VGIC_NOBODY 0xFFu

// 32 interrupts, a bit each. INTIDs 0 to 31 exist once a vCPU, the others once a VM. While an
// interrupt is in a list register (`in_lr`), `pending` and `active` are there and not here.
typedef struct {
    uint32_t enabled, group, edge;      // as the guest set them; edge: GICD_ICFGRn
    uint32_t pending;                   // latched: an edge, a write to GICD_ISPENDRn, an SGI
    uint32_t line;                      // the level of the wire
    uint32_t active;
    uint32_t in_lr;
    uint32_t hw;                        // stands for a physical interrupt, which is active
    uint32_t watched;                   // somebody counts or drops it: vgic_watch
    uint32_t several;                   // GICv2: it has several targets, and whoever can takes it
    uint8_t priority[32];
    uint8_t cpu[32];                    // the vCPU that gets it, or VGIC_NOBODY
    uint8_t holder[32];                 // listed or active: the vCPU that has it
    uint8_t at[32];                     // listed: in which list register
    uint32_t route[32];                 // SPIs: GICD_ITARGETSR's byte, or GICD_IROUTER's affinity
    uint16_t phys[32];                  // the physical INTID it stands for, or 0
} vgic_bank_t;

typedef struct {
    vgic_bank_t bank;                   // INTIDs 0 to 31
    uint8_t sgi_from[16];               // GICv2: which vCPUs' SGIs are pending; else 0
    uint8_t sgi_active_from[16];        // GICv2: whose SGI is active
    struct pcpu *on;                    // the core whose list registers are ours, or NULL
    uint32_t hcr;                       // what GICH_HCR or ICH_HCR_EL2 holds
    uint32_t vmcr, apr[2];              // saved while on == NULL
    uint16_t used, latched;             // list registers: in use; pending because `pending` was set
    uint16_t intid[VGIC_MAX_LRS];       // what is in each
    uint64_t lines;                     // HCR_EL2.VI and VF, where no GIC raises them (vgic_soft.c)
    uint64_t timer_lr;                  // the virtual timer's list register, when it is known, or 0
    bool folded;                        // the list registers have been emptied into the banks
    bool asleep;                        // GICR_WAKER.ProcessorSleep
    union {
        struct {
            volatile bool dirty;        // another core changed something: fill anew
            volatile bool asked;        // another core holds the lock and waits for `folded`
        };
        uint16_t called;                // either
    };
    // SGIs that other vCPUs have sent and nobody has looked at yet: by number, a bit a sender. Set without the lock,
    // atomically; taken out by vgic_collect with the lock, or by vgic_sgi_arrives on the core where v is loaded.
    union {
        uint8_t by[16];
        volatile uint64_t word[2];
    } sent;
} vgic_cpu_t;

// An interrupt that a script watches (vgic_script.c).
typedef struct {
    uint32_t intid;                     // 0: free
    bool drop, level;                   // level: the wire's, whatever the guest is told
    uint8_t asked;                      // what waits for the handler: VGIC_ASKED_*
    uint32_t turn;                      // the last one it was asked in (obj_irq.c)
    void *handler;
    uint64_t hits;
} vgic_watch_t;

// And one that stands for a physical interrupt.
typedef struct {
    struct vm *vm;
    uint32_t intid;                     // 0: free
} vgic_forward_t;

enum { VGIC_ASKED_LEVEL = 1, VGIC_ASKED_EDGE = 2 };
#define VGIC_FORWARDS 8u
#define VGIC_WATCHES 8u

typedef struct {
    spinlock_t lock;                    // this and the banks of all vCPUs. No other is taken inside
    uint32_t group0, group1;            // GICD_CTLR's enables: all ones or all zeros
    uint32_t touched;                   // banks in which anything was ever deliverable or active
    uint32_t kick;                      // vCPUs to tell, once the lock is free; bit 31: see vgic_soft
    vgic_bank_t spi[VGIC_WORDS - 1];
    vgic_watch_t watch[VGIC_WATCHES];
    vgic_forward_t forward[VGIC_FORWARDS];
} vgic_t;

// vtimer.c
typedef struct {
    timer_t watch;                      // the virtual timer's deadline while not loaded
    timer_t physical;                   // the emulated EL1 physical timer's
    uint64_t cval, ctl;                 // CNTV_*, saved while not live
    uint64_t p_cval, p_ctl;             // CNTP_*
    uint64_t r_cval, r_ctl;             // CNTV_*, of a VM with vm->replay; the others are 0 then
    bool live;                          // CNTV_* are ours
} vtimer_t;

#endif
