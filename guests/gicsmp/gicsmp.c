// SPDX-License-Identifier: MIT
// What the GIC is between two CPUs: who an SGI is for, who takes an interrupt that several may take, and what
// stays when one of them goes and comes. The last line is the verdict: "gicsmp: N checks, 0 failed".

#include "irq.h"
#include "smp.h"

enum { CPU_OFF = 0x84000002, AFFINITY_INFO = 0xC4000004 };
enum { SGI = 5, OWN = 20, SPI = 40 };   // OWN: a PPI that nothing drives

static unsigned checks, failed;
static volatile uint32_t got[2], last[2];
static void(*volatile order)(void);     // for CPU 1, which clears it when it is done
static volatile uint32_t told[4];       // what it found
static volatile bool here;              // it runs
static volatile bool lets_in;           // and takes interrupts

static void check_(const char *what, unsigned at, uint64_t is, uint64_t want) {
    checks++;
    if (is != want) {
        failed++;
        print("gicsmp: line ");
        print_dec(at);
        print(": ");
        print(what);
        print(" is ");
        print_hex(is);
        print(", not ");
        print_hex(want);
        print("\n");
    }
}
#define CHECK(is, want) check_(#is, __LINE__, (uint64_t)(is), (uint64_t)(want))

static bool v3(void) {
    return gic_version == 3;
}

void guest_exception(uint64_t kind, frame_t *frame) {
    (void)frame;
    if (kind != 5) {
        print("gicsmp: exception\n");
        power_off();
    }
    uint32_t iar = gic_ack();
    if ((iar & 0x3FF) < 1020) {
        last[cpu_number()] = iar & 0x3FF;
        got[cpu_number()]++;
        gic_eoi(iar);
    }
}

// Until it is so, or for so long that it will not be. By the physical count, which other VMs do not stop.
#define WAIT(condition) \
    for (uint64_t from_ = physical_count(), hz_ = READ_SYSREG(cntfrq_el0); !(condition) && physical_count() - from_ < 10 * hz_;) { \
    }

// Time for what must not come.
static void pause(void) {
    for (uint64_t from = physical_count(), hz = READ_SYSREG(cntfrq_el0); physical_count() - from < hz / 500;) {
    }
}

static void tell(void (*what)(void)) {
    order = what;
    __asm__ volatile ("dsb sy\n sev" : : : "memory");
    WAIT(order == NULL);
    CHECK(order == NULL, true);
}

void guest_secondary(void) {
    mmu_on();
    here = true;
    while (true) {
        void (*what)(void) = order;
        if (what != NULL) {
            what();
            order = NULL;
        }
        if (lets_in) {
            irq_on();
        } else {
            irq_off();
        }
    }
}

static void interface_on(void) {
    if (v3()) {
        WRITE_SYSREG(ICC_SRE_EL1, 7);
        WRITE_SYSREG(ICC_PMR_EL1, 0xFF);
        WRITE_SYSREG(ICC_IGRPEN1_EL1, 1);
    } else {
        write32(GICC + GICC_PMR, 0xFF);
        write32(GICC + GICC_CTLR, 1);
    }
}

static void interface_off(void) {
    if (v3()) {
        WRITE_SYSREG(ICC_IGRPEN1_EL1, 0);
    } else {
        write32(GICC + GICC_CTLR, 0);
    }
}

static void go_off(void) {
    here = false;
    order = NULL;
    hvc(CPU_OFF, 0, 0, 0);
}

static void start(void) {
    CHECK(cpu_start(1), 0);
    WAIT(here);
    CHECK(here, true);
}

static void stop(void) {
    lets_in = false;
    order = go_off;
    WAIT(hvc(AFFINITY_INFO, 1, 0, 0) == 1);
    CHECK(hvc(AFFINITY_INFO, 1, 0, 0), 1);
}

// ---- What stays ---------------------------------------------------------------------------------

static void look(void) {
    uint64_t frame = gic_frame(OWN);
    told[0] = read32(frame + GICD_ISENABLER);
    told[1] = read8(frame + GICD_IPRIORITYR + OWN);
    told[2] = read32(frame + GICD_ISPENDR);
    told[3] = v3() ? read32(frame + GICD_IGROUPR) : 0;
}

static void set_up(void) {
    gic_set(GICD_ISENABLER, OWN);
    gic_priority(OWN, 0x60);
    interface_on();
}

// Of GICv3 another CPU's frame can be set up before that CPU runs; of GICv2 each CPU has its own.
static void frames_stay(void) {
    if (v3()) {
        uint64_t frame = GICR_SGI(1);
        write32(GICR(1) + 0x14, 0);
        write32(frame + GICD_IGROUPR, ~0u);
        write32(frame + GICD_ISENABLER, 1u << OWN | 1u << SGI);
        write8(frame + GICD_IPRIORITYR + OWN, 0x60);
        write8(frame + GICD_IPRIORITYR + SGI, 0x80);
        start();
        CHECK(read32(GICR(1) + 0x14), 0);
    } else {
        start();
        tell(set_up);
        stop();
        start();
    }
    tell(look);
    CHECK(told[0] >> OWN & 1, 1);
    CHECK(told[1], 0x60);
    CHECK(told[3], v3() ? ~0u : 0);
    // An SGI sent while it is off is there when it comes back.
    stop();
    gic_send_sgi(SGI, 2);
    start();
    tell(look);
    CHECK(told[0] >> OWN & 1, 1);
    CHECK(told[1], 0x60);
    CHECK(told[2] & 0xFFFF, 1u << SGI);
    got[1] = 0;
    lets_in = true;
    pause();
    CHECK(got[1], 0); // its CPU interface is as after a reset
    tell(interface_on);
    WAIT(got[1] == 1);
    CHECK(got[1], 1);
    CHECK(last[1], SGI);
}

// ---- Whose an SGI is ----------------------------------------------------------------------------

// Right behind one to oneself that has ended, `by` is for CPU 0 so often, and for CPU 1.
static void sends(uint64_t by, unsigned self, unsigned other) {
    got[0] = got[1] = 0;
    irq_on();
    gic_send_sgi(SGI, 1);
    WAIT(got[0] == 1);
    got[0] = 0;
    WRITE_SYSREG(ICC_SGI1R_EL1, by | (uint64_t)SGI << 24);
    WAIT(got[0] >= self && got[1] >= other);
    pause();
    irq_off();
    CHECK(got[0], self);
    CHECK(got[1], other);
}

static void receivers_v3(void) {
    sends(1, 1, 0);
    sends(2, 0, 1);
    sends(3, 1, 1);
    for (unsigned list = 0; list < 4; list++) {
        sends(UINT64_C(1) << 40 | list, 0, 1);      // all others, whatever the list
    }
    sends(UINT64_C(1) << 40 | UINT64_C(0xFF) << 32 | 1, 0, 1);
    for (unsigned bit = 16; bit < 56; bit++) {      // another Aff1, range, Aff2, Aff3; what is reserved is nothing
        bool reserved = (bit >= 28 && bit < 32) || (bit >= 41 && bit < 44);
        if ((bit < 24 || bit >= 28) && bit != 40) {
            sends(UINT64_C(1) << bit | 1, reserved, 0);
        }
    }
    sends(UINT64_C(1) << 63 | 1, 1, 0);
    // In group 0 it is not ICC_SGI1R_EL1's.
    write32(GICR_SGI(0) + GICD_IGROUPR, ~(1u << SGI));
    got[0] = 0;
    irq_on();
    WRITE_SYSREG(ICC_SGI1R_EL1, (uint64_t)SGI << 24 | 1);
    pause();
    irq_off();
    CHECK(got[0], 0);
    write32(GICR_SGI(0) + GICD_IGROUPR, ~0u);
}

static void sends_v2(uint32_t by, unsigned self, unsigned other) {
    got[0] = got[1] = 0;
    irq_on();
    gic_send_sgi(SGI, 1);
    WAIT(got[0] == 1);
    got[0] = 0;
    write32(GICD + GICD_SGIR, by | SGI);
    WAIT(got[0] >= self && got[1] >= other);
    pause();
    irq_off();
    CHECK(got[0], self);
    CHECK(got[1], other);
}

static void receivers_v2(void) {
    sends_v2(0x10000, 1, 0);
    sends_v2(0x20000, 0, 1);
    sends_v2(0x30000, 1, 1);
    sends_v2(0xFC0000, 0, 0);
    for (unsigned list = 0; list < 4; list++) {
        sends_v2(1u << 24 | list << 16, 0, 1);
        sends_v2(2u << 24 | list << 16, 1, 0);
        sends_v2(3u << 24 | list << 16, 0, 0);
    }
}

// ---- What is under way --------------------------------------------------------------------------

static void sources(void) {
    gic_send_sgi(SGI, 1u << cpu_number());
    told[0] = read8(GICD + GICD_SPENDSGIR + SGI);
    write8(GICD + GICD_CPENDSGIR + SGI, 1);
    told[1] = read8(GICD + GICD_SPENDSGIR + SGI);
}

static void doze(void) {
    irq_on();
    __asm__ volatile ("dsb sy\n wfi");
    irq_off();
}

// CPU 1 has taken the last one and ended it.
static void one_more(void) {
    got[1] = 0;
    lets_in = true;
    gic_send_sgi(SGI, 2);
    WAIT(got[1] == 1);
    CHECK(got[1], 1);
    lets_in = false;
    tell(irq_off);
    got[1] = 0;
}

// An SGI is pending as soon as it has been sent, for who looks; and is not any more when that is cleared.
static void seen_at_once(void) {
    uint64_t frame = GICR_SGI(1);
    gic_send_sgi(SGI, 2);
    if (v3()) {
        CHECK(read32(frame + GICD_ISPENDR) & 0xFFFF, 1u << SGI);
        write32(frame + GICD_ICPENDR, 1u << SGI);
        CHECK(read32(frame + GICD_ISPENDR) & 0xFFFF, 0);
    } else {
        tell(sources);
        CHECK(told[0], 3);
        CHECK(told[1], 2);
    }
    lets_in = true;
    WAIT(got[1] >= !v3());
    pause();
    CHECK(got[1], !v3());
}

// One that nobody could take until it is enabled ends a WFI then.
static void enabled_later(void) {
    uint64_t frame = GICR_SGI(1);
    write32(frame + GICD_ICENABLER, 1u << SGI);
    got[1] = 0;
    lets_in = false;
    order = doze;
    gic_send_sgi(SGI, 2);
    pause();
    CHECK(got[1], 0);
    write32(frame + GICD_ISENABLER, 1u << SGI);
    WAIT(got[1] == 1);
    CHECK(got[1], 1);
    WAIT(order == NULL);
}

// ---- One of several -----------------------------------------------------------------------------

static void came(unsigned at0, unsigned at1) {
    WAIT(got[0] + got[1] >= at0 + at1);
    pause();
    CHECK(got[0], at0);
    CHECK(got[1], at1);
    CHECK(gic_get(GICD_ISPENDR, SPI), false);
    CHECK(gic_get(GICD_ISACTIVER, SPI), false);
    got[0] = got[1] = 0;
}

// GICv2: with two targets, an SPI is taken by one that can, once.
static void one_of_two(void) {
    gic_edge(SPI, true);
    gic_priority(SPI, 0x80);
    gic_set(GICD_ISENABLER, SPI);
    write8(GICD + GICD_ITARGETSR + SPI, 3);
    CHECK(read8(GICD + GICD_ITARGETSR + SPI), 3);
    got[0] = got[1] = 0;
    interface_off();
    irq_on();
    gic_set(GICD_ISPENDR, SPI);
    came(0, 1);
    interface_on();
    tell(interface_off);
    gic_set(GICD_ISPENDR, SPI);
    came(1, 0);
    // Nobody can, until one can.
    interface_off();
    gic_set(GICD_ISPENDR, SPI);
    pause();
    CHECK(got[0] + got[1], 0);
    CHECK(gic_get(GICD_ISPENDR, SPI), true);
    tell(interface_on);
    came(0, 1);
    tell(interface_off);
    gic_set(GICD_ISPENDR, SPI);
    interface_on();
    came(1, 0);
    // It waits at CPU 0, which then cannot any more.
    irq_off();
    gic_set(GICD_ISPENDR, SPI);
    CHECK(gic_hppir(), SPI);
    interface_off();
    tell(interface_on);
    came(0, 1);
    // CPU 1 is off.
    interface_on();
    stop();
    irq_on();
    gic_set(GICD_ISPENDR, SPI);
    came(1, 0);
    interface_off();
    gic_set(GICD_ISPENDR, SPI);
    start();
    lets_in = true;
    tell(interface_on);
    came(0, 1);
    // Both can: once each time.
    interface_on();
    for (unsigned i = 0; i < 300; i++) {
        gic_set(GICD_ISPENDR, SPI);
        WAIT(got[0] + got[1] > i && !gic_get(GICD_ISACTIVER, SPI));
    }
    CHECK(got[0] + got[1], 300);
    irq_off();
}

void guest_main(uint64_t x0) {
    (void)x0;
    mmu_on();
    gic_init();
    gic_init_cpu();
    frames_stay();
    for (unsigned i = 0; i < 20; i++) {
        one_more();
        seen_at_once();
    }
    if (v3()) {
        enabled_later();
        lets_in = true;
        receivers_v3();
    } else {
        receivers_v2();
        one_of_two();
    }
    print("gicsmp: ");
    print_dec(checks);
    print(" checks, ");
    print_dec(failed);
    print(" failed\n");
    power_off();
}
