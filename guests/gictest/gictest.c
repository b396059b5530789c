// SPDX-License-Identifier: MIT
// Exercises the virtual GIC, version 2 or 3, and the EL1 timers, and says what was not as the
// architecture has it. The last line is the verdict: "gictest: N checks, 0 failed".

#include "irq.h"

#define LOG_MAX 512

static unsigned checks, failed;
static struct {
    uint32_t iar;
    uint32_t rpr;
} seen[LOG_MAX];
static volatile unsigned nseen, nfiq;
static void (*on_irq)(uint32_t iar);  // before the end of an interrupt
static bool split;                    // EOImode is 1

static unsigned id_of(uint32_t iar) {
    return gic_version == 2 ? iar & 0x3FF : iar;
}

static void check_(const char *what, unsigned at, uint64_t got, uint64_t want) {
    checks++;
    if (got == want) {
        return;
    }
    failed++;
    print("gictest: line ");
    print_dec(at);
    print(": ");
    print(what);
    print(" is ");
    print_hex(got);
    print(", not ");
    print_hex(want);
    print("\n");
}
#define CHECK(got, want) check_(#got, __LINE__, (uint64_t)(got), (uint64_t)(want))

void guest_exception(uint64_t kind, frame_t *frame) {
    if (kind == 6) { // FIQ: group 0 of GICv3
        uint32_t iar = (uint32_t)READ_SYSREG(ICC_IAR0_EL1);
        nfiq++;
        WRITE_SYSREG(ICC_EOIR0_EL1, iar);
        return;
    }
    if (kind != 5) {
        print("gictest: exception ");
        print_dec(kind);
        print(", ESR_EL1 ");
        print_hex(READ_SYSREG(esr_el1));
        print(", FAR_EL1 ");
        print_hex(READ_SYSREG(far_el1));
        print(" at ");
        print_hex(frame->elr);
        print("\n");
        power_off();
    }
    uint32_t iar = gic_ack();
    if (id_of(iar) >= 1020) {
        return;
    }
    uint64_t elr = READ_SYSREG(elr_el1), spsr = READ_SYSREG(spsr_el1);
    if (nseen < LOG_MAX) {
        seen[nseen].iar = iar;
        seen[nseen].rpr = gic_rpr();
    }
    nseen++;
    if (on_irq != NULL) {
        on_irq(iar);
    }
    gic_eoi(iar);
    irq_off();
    WRITE_SYSREG(elr_el1, elr);
    WRITE_SYSREG(spsr_el1, spsr);
}

static unsigned intid_seen(unsigned n) {
    return n < nseen ? id_of(seen[n].iar) : SPURIOUS;
}

// Let in what is pending, and begin a new list of what came.
static void begin(void) {
    irq_off();
    nseen = 0;
    on_irq = NULL;
}

static void let_in(void) {
    irq_on();
    for (volatile int i = 0; i < 20; i++) {
    }
    irq_off();
}

static void quiet(unsigned intid) {
    gic_set(GICD_ICENABLER, intid);
    gic_set(GICD_ICPENDR, intid);
    gic_set(GICD_ICACTIVER, intid);
}

static bool v3(void) {
    return gic_version == 3;
}

// ---- Registers ----------------------------------------------------------------------------------

static unsigned ncpus;

static void identification(void) {
    uint32_t typer = read32(GICD + GICD_TYPER);
    CHECK(typer & 0x1F, 8);
    if (v3()) {
        CHECK(typer >> 25 & 1, 1); // No1N
        CHECK(typer >> 19 & 0x1F, 9);
        CHECK(typer >> 17 & 1, 0);
        ncpus = 1;
        while (!(read64(GICR(ncpus - 1) + 8) & 0x10)) {
            ncpus++;
        }
    } else {
        ncpus = (typer >> 5 & 7) + 1;
    }
    CHECK(read32(GICD + GICD_IIDR) & 0xFFF, 0x43B);
    uint64_t ids = GICD + (v3() ? 0xF000 : 0);
    CHECK(read32(ids + 0xFE8) >> 4 & 0xF, gic_version);
    CHECK(read32(ids + 0xFF0), 0x0D);
    CHECK(read32(ids + 0xFF4), 0xF0);
    CHECK(read32(ids + 0xFF8), 0x05);
    CHECK(read32(ids + 0xFFC), 0xB1);
    write32(GICD + GICD_TYPER, ~0u);
    CHECK(read32(GICD + GICD_TYPER), typer);
    uint32_t fixed = v3() ? 0x50 : 0;
    write32(GICD + GICD_CTLR, 3);
    CHECK(read32(GICD + GICD_CTLR), 3 | fixed);
    write32(GICD + GICD_CTLR, 0);
    CHECK(read32(GICD + GICD_CTLR), fixed);
    write32(GICD + GICD_CTLR, v3() ? 2 : 1);
    CHECK(read32(GICD + GICD_CTLR), (v3() ? 2 : 1) | fixed);
}

static void redistributor(void) {
    uint64_t mpidr = READ_SYSREG(mpidr_el1);
    unsigned me = cpu_number();
    CHECK(read64(GICR(me) + 8) >> 32, (mpidr & 0xFFFFFF) | (mpidr >> 8 & 0xFF000000));
    CHECK(read32(GICR(me) + 12), mpidr & 0xFFFFFF);
    CHECK(read32(GICR(me) + 8) >> 8 & 0xFFFF, me);
    CHECK(read32(GICR(me) + 8) & 0x10, me + 1 == ncpus ? 0x10 : 0);
    CHECK(read32(GICR(me) + 8) & 1, 0);
    CHECK(read32(GICR(me) + 0xFFE8) >> 4 & 0xF, 3);
    CHECK(read32(GICR(me) + 4) & 0xFFF, 0x43B);
    CHECK(read32(GICR(me)) & 9, 0);
    write32(GICR(me) + 0x14, 2);
    CHECK(read32(GICR(me) + 0x14) & 6, 6);
    write32(GICR(me) + 0x14, 0);
    CHECK(read32(GICR(me) + 0x14) & 6, 0);
    // With affinity routing, a CPU's own interrupts are not in the distributor.
    write32(GICD + GICD_ISENABLER, ~0u);
    CHECK(read32(GICD + GICD_ISENABLER), 0);
    CHECK(read32(GICD + GICD_ISPENDR), 0);
    write32(GICD + GICD_IPRIORITYR, ~0u);
    CHECK(read32(GICD + GICD_IPRIORITYR), 0);
    write32(GICD + GICD_ITARGETSR + 40, ~0u);
    CHECK(read32(GICD + GICD_ITARGETSR + 40), 0);
    CHECK(read32(GICR_SGI(me) + GICD_ISENABLER + 4), 0);
}

static void bit_registers(void) {
    // No interrupt of these words has an enabled group while this goes on.
    uint32_t ctlr = read32(GICD + GICD_CTLR);
    write32(GICD + GICD_CTLR, 0);
    static const unsigned pairs[][2] = {
        { GICD_ISENABLER, GICD_ICENABLER }, { GICD_ISPENDR, GICD_ICPENDR }, { GICD_ISACTIVER, GICD_ICACTIVER },
    };
    for (unsigned k = 0; k < 3; k++) {
        for (unsigned w = 2; w <= 8; w += 3) {
            uint64_t set = GICD + pairs[k][0] + w * 4, clear = GICD + pairs[k][1] + w * 4;
            write32(clear, ~0u);
            CHECK(read32(set), 0);
            write32(set, 0x80000101);
            CHECK(read32(set), 0x80000101);
            CHECK(read32(clear), 0x80000101);
            write32(set, 0x00000010);
            CHECK(read32(set), 0x80000111);
            write32(clear, 0x80000010);
            CHECK(read32(clear), 0x00000101);
            write8(set + 1, 0x80);
            CHECK(read32(set), 0x00008101);
            CHECK(read8(set + 1), 0x81);
            CHECK(read16(set), 0x8101);
            write32(clear, ~0u);
            CHECK(read32(clear), 0);
        }
        write32(GICD + pairs[k][0] + 9 * 4, ~0u); // beyond the last interrupt
        CHECK(read32(GICD + pairs[k][0] + 9 * 4), 0);
        CHECK(read32(GICD + pairs[k][0] + 31 * 4), 0);
    }
    write32(GICD + GICD_IGROUPR + 16, 0x12345678);
    CHECK(read32(GICD + GICD_IGROUPR + 16), 0x12345678);
    write32(GICD + GICD_IGROUPR + 16, v3() ? ~0u : 0);
    // Private ones.
    uint64_t frame = gic_frame(0);
    write32(frame + GICD_ICENABLER, ~0u);
    CHECK(read32(frame + GICD_ISENABLER), v3() ? 0 : 0xFFFF);
    write32(frame + GICD_ISENABLER, 0x00110000);
    CHECK(read32(frame + GICD_ICENABLER), v3() ? 0x00110000 : 0x0011FFFF);
    write32(frame + GICD_ICENABLER, 0x00110000);
    write32(frame + GICD_ISENABLER, 0xFFFF);
    write32(frame + GICD_ISPENDR, 0x01000000);
    CHECK(read32(frame + GICD_ISPENDR), 0x01000000);
    write32(frame + GICD_ICPENDR, 0x01000000);
    CHECK(read32(frame + GICD_ISPENDR), 0);
    write32(frame + GICD_ISACTIVER, 0x00100004);
    CHECK(read32(frame + GICD_ISACTIVER), 0x00100004);
    write32(frame + GICD_ICACTIVER, 0x00000004);
    CHECK(read32(frame + GICD_ICACTIVER), 0x00100000);
    write32(frame + GICD_ICACTIVER, ~0u);
    write32(GICD + GICD_CTLR, ctlr);
}

static void priority_registers(void) {
    static const unsigned first[] = { 0, 16, 28, 32, 100, 284 };
    for (unsigned k = 0; k < 6; k++) {
        uint64_t at = gic_frame(first[k]) + GICD_IPRIORITYR + first[k];
        write32(at, 0x80A0F810);
        CHECK(read32(at), 0x80A0F810);
        write8(at + 1, 0x37);
        CHECK(read32(at), 0x80A03010);
        CHECK(read8(at + 3), 0x80);
        CHECK(read8(at + 1), 0x30);
        write32(at, 0xFFFFFFFF);
        CHECK(read32(at), 0xF8F8F8F8);
        write32(at, 0xA0A0A0A0);
        CHECK(read16(at + 2), 0xA0A0);
    }
    write32(GICD + GICD_IPRIORITYR + 288, ~0u);
    CHECK(read32(GICD + GICD_IPRIORITYR + 288), 0);
}

static void config_registers(void) {
    uint64_t frame = gic_frame(0);
    CHECK(read32(frame + GICD_ICFGR), 0xAAAAAAAA);
    write32(frame + GICD_ICFGR, 0);
    CHECK(read32(frame + GICD_ICFGR), 0xAAAAAAAA);
    CHECK(read32(frame + GICD_ICFGR + 4), 0);
    write32(GICD + GICD_ICFGR + 0x14, 0x80000082);
    CHECK(read32(GICD + GICD_ICFGR + 0x14), 0x80000082);
    write32(GICD + GICD_ICFGR + 0x10, 0xFFFFFFFF);
    CHECK(read32(GICD + GICD_ICFGR + 0x10), 0xAAAAAAAA);
    CHECK(read32(GICD + GICD_ICFGR + 0x14), 0x80000082);
    write32(GICD + GICD_ICFGR + 0x10, 0);
    write32(GICD + GICD_ICFGR + 0x14, 0);
    CHECK(read32(GICD + GICD_ICFGR + 0x14), 0);
}

static void target_registers(void) {
    if (v3()) {
        uint64_t at = GICD + GICD_IROUTER + 50 * 8;
        write64(at, UINT64_C(0x1200345678));
        CHECK(read64(at), UINT64_C(0x1200345678));
        CHECK(read32(at), 0x00345678);
        CHECK(read32(at + 4), 0x12);
        write64(at, ~UINT64_C(0));
        CHECK(read64(at), UINT64_C(0xFF00FFFFFF));
        write32(at + 4, 0);
        CHECK(read64(at), UINT64_C(0x0000FFFFFF));
        write64(at, cpu_number());
        CHECK(read64(at), cpu_number());
        CHECK(read64(GICD + GICD_IROUTER + 31 * 8), 0);
        return;
    }
    uint64_t at = GICD + GICD_ITARGETSR;
    if (ncpus == 1) {
        write32(at + 40, ~0u);
        CHECK(read32(at), 0);
        CHECK(read32(at + 40), 0);
        return;
    }
    uint32_t all = (1u << ncpus) - 1;
    CHECK(read32(at), 0x01010101u << cpu_number());
    write32(at, 0);
    CHECK(read32(at + 28), 0x01010101u << cpu_number());
    write32(at + 40, ~0u);
    CHECK(read32(at + 40), all * 0x01010101u);
    write8(at + 41, 2);
    CHECK(read32(at + 40), (all * 0x01010101u & ~0xFF00u) | 0x200);
    CHECK(read8(at + 41), 2);
    write32(at + 40, 0x01010101u << cpu_number());
    CHECK(read32(at + 288), 0);
}

// ---- Delivery -----------------------------------------------------------------------------------

static void sgis(void) {
    unsigned me = 1u << cpu_number();
    begin();
    gic_send_sgi(5, me);
    CHECK(gic_hppir() & 0x3FF, 5);
    CHECK(gic_get(GICD_ISPENDR, 5), true);
    let_in();
    CHECK(nseen, 1);
    CHECK(seen[0].iar, v3() ? 5 : 5 | cpu_number() << 10);
    CHECK(gic_get(GICD_ISPENDR, 5), false);
    CHECK(gic_get(GICD_ISACTIVER, 5), false);
    begin();
    for (unsigned i = 0; i < 16; i++) {
        gic_priority(i, (uint8_t)(0x80 + (15 - i) / 4 * 8));
        gic_send_sgi(i, me);
    }
    let_in();
    CHECK(nseen, 16);
    for (unsigned i = 0; i < 16; i++) { // by priority, then by number
        CHECK(intid_seen(i), 12 - i / 4 * 4 + i % 4);
    }
    for (unsigned i = 0; i < 16; i++) {
        gic_priority(i, 0xA0);
    }
    begin();
    gic_send_sgi(3, me);
    gic_send_sgi(3, me); // pending already: one
    let_in();
    CHECK(nseen, 1);
}

static void sgis_v2(void) {
    unsigned me = cpu_number();
    begin();
    write32(GICD + GICD_SGIR, 2u << 24 | 7); // oneself
    let_in();
    CHECK(nseen, 1);
    CHECK(seen[0].iar, 7 | me << 10);
    begin();
    write32(GICD + GICD_SGIR, 3u << 24 | 0xFF0007); // reserved
    if (ncpus == 1) {
        write32(GICD + GICD_SGIR, 1u << 24 | 7); // all others
    }
    write32(GICD + GICD_SGIR, 0xFE0000 | 7); // a list without us
    write8(GICD + GICD_SGIR + 2, (uint8_t)(1u << me)); // words only
    write8(GICD + GICD_SGIR, 7);
    let_in();
    CHECK(nseen, 0);
    begin();
    write8(GICD + GICD_SPENDSGIR + 9, (uint8_t)(1u << me));
    CHECK(read8(GICD + GICD_SPENDSGIR + 9), 1u << me);
    CHECK(read32(GICD + GICD_CPENDSGIR + 8), 0x100u << me);
    CHECK(read32(GICD + GICD_ISPENDR), 1u << 9);
    write32(GICD + GICD_ISPENDR, 0xFFFF); // not the way to set an SGI pending, nor to clear one
    write32(GICD + GICD_ICPENDR, 0xFFFF);
    CHECK(read32(GICD + GICD_ISPENDR), 1u << 9);
    write8(GICD + GICD_CPENDSGIR + 9, (uint8_t)(1u << me));
    CHECK(read32(GICD + GICD_ISPENDR), 0);
    let_in();
    CHECK(nseen, 0);
    if (ncpus < 2) {
        return;
    }
    // Of one number, each source is an interrupt of its own.
    unsigned all = (1u << ncpus) - 1, got = 0;
    write8(GICD + GICD_SPENDSGIR + 9, 0xFF);
    CHECK(read8(GICD + GICD_SPENDSGIR + 9), all);
    let_in();
    CHECK(nseen, ncpus);
    for (unsigned i = 0; i < nseen; i++) {
        CHECK(id_of(seen[i].iar), 9);
        got |= 1u << (seen[i].iar >> 10 & 7);
    }
    CHECK(got, all);
}

static void sgis_v3(void) {
    unsigned me = cpu_number();
    begin();
    WRITE_SYSREG(ICC_SGI1R_EL1, UINT64_C(1) << 40 | 4 << 24); // all others
    if (ncpus == 1) {
        let_in();
        CHECK(nseen, 0);
    }
    WRITE_SYSREG(ICC_SGI1R_EL1, UINT64_C(1) << 16 | 4 << 24 | 1u << me);  // another cluster
    WRITE_SYSREG(ICC_SGI1R_EL1, UINT64_C(1) << 44 | 4 << 24 | 1u << me);  // another range
    WRITE_SYSREG(ICC_SGI0R_EL1, 4 << 24 | 1u << me);                      // another group
    WRITE_SYSREG(ICC_ASGI1R_EL1, 4 << 24 | 1u << me);
    let_in();
    CHECK(nseen, 0);
    write32(GICR_SGI(me) + GICD_ISPENDR, 0x30); // in GICv3 as good as sent
    let_in();
    CHECK(nseen, 2);
    // Group 0 is an FIQ.
    write32(GICR_SGI(me) + GICD_IGROUPR, ~0x40u);
    WRITE_SYSREG(ICC_IGRPEN0_EL1, 1);
    write32(GICD + GICD_CTLR, 3);
    nfiq = 0;
    begin();
    WRITE_SYSREG(ICC_SGI1R_EL1, 6 << 24 | 1u << me);
    let_in();
    CHECK(nfiq, 0);
    WRITE_SYSREG(ICC_SGI0R_EL1, 6 << 24 | 1u << me);
    let_in();
    CHECK(nfiq, 1);
    CHECK(nseen, 0);
    WRITE_SYSREG(ICC_IGRPEN0_EL1, 0);
    write32(GICD + GICD_CTLR, 2);
    write32(GICR_SGI(me) + GICD_IGROUPR, ~0u);
}

static void edges(void) {
    const unsigned spi = 70;
    gic_edge(spi, true);
    begin();
    gic_set(GICD_ISPENDR, spi);
    CHECK(gic_get(GICD_ISPENDR, spi), true);
    let_in();
    CHECK(nseen, 0); // disabled
    gic_set(GICD_ISENABLER, spi);
    let_in();
    CHECK(nseen, 1);
    CHECK(intid_seen(0), spi);
    CHECK(gic_get(GICD_ISPENDR, spi), false);
    // Disabled again while it is pending and listed.
    begin();
    gic_set(GICD_ISPENDR, spi);
    CHECK(gic_hppir(), spi);
    gic_set(GICD_ICENABLER, spi);
    CHECK(gic_hppir(), SPURIOUS);
    CHECK(gic_get(GICD_ISPENDR, spi), true);
    let_in();
    CHECK(nseen, 0);
    gic_set(GICD_ISENABLER, spi);
    // The distributor off and on.
    uint32_t ctlr = read32(GICD + GICD_CTLR);
    write32(GICD + GICD_CTLR, 0);
    CHECK(gic_hppir(), SPURIOUS);
    let_in();
    CHECK(nseen, 0);
    write32(GICD + GICD_CTLR, ctlr);
    let_in();
    CHECK(nseen, 1);
    // Not pending any more before it is taken.
    begin();
    gic_set(GICD_ISPENDR, spi);
    gic_set(GICD_ICPENDR, spi);
    CHECK(gic_hppir(), SPURIOUS);
    let_in();
    CHECK(nseen, 0);
}

static unsigned again;

static void pend_again(uint32_t iar) {
    CHECK(gic_get(GICD_ISACTIVER, id_of(iar)), true);
    CHECK(gic_get(GICD_ISPENDR, id_of(iar)), false);
    if (again > 0) {
        again--;
        gic_set(GICD_ISPENDR, id_of(iar));
        gic_set(GICD_ISPENDR, id_of(iar));
        CHECK(gic_get(GICD_ISACTIVER, id_of(iar)), true);
        CHECK(gic_get(GICD_ISPENDR, id_of(iar)), true);
        CHECK(gic_hppir(), SPURIOUS); // not before it has ended
    }
}

static void active_and_pending(void) {
    const unsigned spi = 71;
    gic_edge(spi, true);
    gic_set(GICD_ISENABLER, spi);
    begin();
    again = 3;
    on_irq = pend_again;
    gic_set(GICD_ISPENDR, spi);
    let_in();
    CHECK(nseen, 4);
    CHECK(gic_get(GICD_ISACTIVER, spi), false);
    // Active by a write: not delivered until that is taken back.
    begin();
    gic_set(GICD_ISACTIVER, spi);
    gic_set(GICD_ISPENDR, spi);
    CHECK(gic_hppir(), SPURIOUS);
    let_in();
    CHECK(nseen, 0);
    gic_set(GICD_ICACTIVER, spi);
    let_in();
    CHECK(nseen, 1);
    quiet(spi);
}

// The console's transmit interrupt is a level that this guest can raise and lower at will.
#define UART UINT64_C(0x09000000)
enum { UART_IMSC = 0x38, UART_ICR = 0x44, UART_TX = 1 << 5 };

static unsigned lower_after;

static void lower_line(uint32_t iar) {
    (void)iar;
    if (nseen >= lower_after) {
        write32(UART + UART_IMSC, 0);
    }
}

static void levels(void) {
    gic_edge(SPI_UART, false);
    quiet(SPI_UART);
    print(""); // the transmit interrupt is raised by the first character
    begin();
    CHECK(gic_get(GICD_ISPENDR, SPI_UART), false);
    write32(UART + UART_IMSC, UART_TX);
    CHECK(gic_get(GICD_ISPENDR, SPI_UART), true);   // though disabled
    gic_set(GICD_ICPENDR, SPI_UART);
    CHECK(gic_get(GICD_ISPENDR, SPI_UART), true);   // a level cannot be cleared
    write32(UART + UART_IMSC, 0);
    CHECK(gic_get(GICD_ISPENDR, SPI_UART), false);
    gic_set(GICD_ISENABLER, SPI_UART);
    // It falls before anyone looks.
    write32(UART + UART_IMSC, UART_TX);
    CHECK(gic_hppir(), SPI_UART);
    write32(UART + UART_IMSC, 0);
    CHECK(gic_hppir(), SPURIOUS);
    let_in();
    CHECK(nseen, 0);
    // It stays high for three interrupts.
    for (lower_after = 1; lower_after <= 3; lower_after += 2) {
        begin();
        on_irq = lower_line;
        write32(UART + UART_IMSC, UART_TX);
        let_in();
        CHECK(nseen, lower_after);
        CHECK(gic_get(GICD_ISPENDR, SPI_UART), false);
        CHECK(gic_get(GICD_ISACTIVER, SPI_UART), false);
    }
    // A pending bit set by software does not fall with the line, but ends with the interrupt.
    begin();
    gic_set(GICD_ISPENDR, SPI_UART);
    write32(UART + UART_IMSC, UART_TX);
    write32(UART + UART_IMSC, 0);
    CHECK(gic_get(GICD_ISPENDR, SPI_UART), true);
    let_in();
    CHECK(nseen, 1);
    quiet(SPI_UART);
}

static unsigned nested_most, depth;

static void nest(uint32_t iar) {
    depth++;
    nested_most = depth > nested_most ? depth : nested_most;
    CHECK(gic_rpr(), read8(gic_frame(id_of(iar)) + GICD_IPRIORITYR + id_of(iar)));
    if (id_of(iar) > 80 && id_of(iar) <= 88) {
        gic_set(GICD_ISPENDR, id_of(iar) - 1); // of higher priority
        irq_on();
        for (volatile int i = 0; i < 10; i++) {
        }
        irq_off();
    }
    CHECK(gic_rpr(), read8(gic_frame(id_of(iar)) + GICD_IPRIORITYR + id_of(iar)));
    depth--;
}

static void priorities(void) {
    for (unsigned i = 80; i < 90; i++) {
        gic_edge(i, true);
        gic_priority(i, (uint8_t)(0x40 + (i - 80) * 8));
        gic_set(GICD_ISENABLER, i);
    }
    CHECK(gic_rpr(), 0xFF);
    // The priority mask: equal is not higher.
    begin();
    gic_pmr(0x50);
    gic_set(GICD_ISPENDR, 82);
    let_in();
    CHECK(nseen, 0);
    gic_set(GICD_ISPENDR, 81);
    let_in();
    CHECK(nseen, 1);
    CHECK(intid_seen(0), 81);
    gic_pmr(0xFF);
    let_in();
    CHECK(nseen, 2);
    CHECK(intid_seen(1), 82);
    CHECK(seen[1].rpr, 0x50);
    // More pending than any list holds, in the order of their priorities.
    begin();
    for (unsigned i = 90; i-- > 80;) {
        gic_set(GICD_ISPENDR, i);
    }
    CHECK(gic_hppir(), 80);
    let_in();
    CHECK(nseen, 10);
    for (unsigned i = 0; i < 10; i++) {
        CHECK(intid_seen(i), 80 + i);
    }
    // Nine handlers, each interrupted by the next: more active than any list holds.
    begin();
    on_irq = nest;
    nested_most = depth = 0;
    gic_set(GICD_ISPENDR, 88);
    let_in();
    CHECK(nseen, 9);
    CHECK(nested_most, 9);
    CHECK(gic_rpr(), 0xFF);
    CHECK(read32(GICD + GICD_ISACTIVER + 8), 0);
    CHECK(read32(GICD + GICD_ISPENDR + 8), 0);
}

static void end_later(void) {
    // EOImode 0: GICC_DIR, ICC_DIR_EL1 do nothing.
    begin();
    gic_set(GICD_ISPENDR, 80);
    uint32_t iar = gic_ack();
    CHECK(id_of(iar), 80);
    gic_dir(iar);
    CHECK(gic_get(GICD_ISACTIVER, 80), true);
    gic_eoi(iar);
    CHECK(gic_get(GICD_ISACTIVER, 80), false);
    // EOImode 1: an end lowers the priority, and the interrupt stays active until GICC_DIR.
    split = true;
    gic_eoimode(true);
    begin();
    for (unsigned i = 80; i < 90; i++) {
        gic_set(GICD_ISPENDR, i);
    }
    let_in();
    CHECK(nseen, 10);
    CHECK(gic_rpr(), 0xFF);
    CHECK(read32(GICD + GICD_ISACTIVER + 8), 0x03FF0000);
    CHECK(read32(GICD + GICD_ISPENDR + 8), 0);
    begin();
    write32(GICD + GICD_ISPENDR + 8, 0x03FF0000); // none comes again before it has ended
    let_in();
    CHECK(nseen, 0);
    static const uint8_t order[] = { 5, 0, 9, 3, 1, 7, 2, 8, 4, 6 };
    for (unsigned i = 0; i < 10; i++) {
        begin();
        gic_dir(80 + order[i]);
        let_in();
        CHECK(nseen, 1);
        CHECK(intid_seen(0), 80 + order[i]);
        CHECK(gic_get(GICD_ISACTIVER, 80 + order[i]), true);
        gic_dir(80 + order[i]);
        CHECK(gic_get(GICD_ISACTIVER, 80 + order[i]), false);
    }
    CHECK(read32(GICD + GICD_ISACTIVER + 8), 0);
    split = false;
    gic_eoimode(false);
}

static volatile uint16_t counts[288];

static void count_it(uint32_t iar) {
    counts[id_of(iar)]++;
}

static void none_lost(void) {
    static uint32_t sent[288];
    uint32_t random = 12345;
    for (unsigned i = 96; i < 288; i++) {
        gic_edge(i, true);
        random = random * 1103515245 + 12345;
        gic_priority(i, random >> 16 & 0x7F); // 0xF8 would be masked by any GICC_PMR
    }
    for (unsigned w = 3; w < 9; w++) {
        write32(GICD + GICD_ISENABLER + w * 4, ~0u);
    }
    begin();
    on_irq = count_it;
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned w = 3; w < 9; w++) {
            random = random * 1103515245 + 12345;
            uint32_t bits = random & (random >> 9 | random << 13);
            for (unsigned i = 0; i < 32; i++) {
                sent[w * 32 + i] += bits >> i & 1;
            }
            write32(GICD + GICD_ISPENDR + w * 4, bits);
            if (round & 1) {
                irq_on();
                irq_off();
            }
        }
        for (unsigned w = 3; w < 9; w++) { // one that is pending is not sent again
            irq_on();
            while (read32(GICD + GICD_ISPENDR + w * 4) != 0) {
            }
            irq_off();
        }
    }
    unsigned wrong = 0, total = 0;
    for (unsigned i = 96; i < 288; i++) {
        total += sent[i];
        wrong += sent[i] != counts[i];
    }
    CHECK(wrong, 0);
    CHECK(nseen, total);
    for (unsigned w = 3; w < 9; w++) {
        write32(GICD + GICD_ICENABLER + w * 4, ~0u);
        CHECK(read32(GICD + GICD_ISPENDR + w * 4), 0);
        CHECK(read32(GICD + GICD_ISACTIVER + w * 4), 0);
    }
}

// ---- Timers -------------------------------------------------------------------------------------

enum { ENABLE = 1, IMASK = 2, ISTATUS = 4 };

static void timer_off(uint32_t iar) {
    if (id_of(iar) == PPI_VIRTUAL_TIMER) {
        WRITE_SYSREG(cntv_ctl_el0, 0);
    } else {
        WRITE_SYSREG(cntp_ctl_el0, 0);
    }
}

static void timer_off_at_third(uint32_t iar) {
    if (nseen == 3) {
        timer_off(iar);
    }
}

static uint64_t step;

static void timer_on(uint32_t iar) {
    if (id_of(iar) == PPI_VIRTUAL_TIMER) {
        WRITE_SYSREG(cntv_cval_el0, READ_SYSREG(cntv_cval_el0) + step);
    } else {
        WRITE_SYSREG(cntp_cval_el0, READ_SYSREG(cntp_cval_el0) + step);
    }
}

#define NEVER (~UINT64_C(0))

#define TIMER_TEST(name, ppi, cntx, now) \
    static void name(void) { \
        uint64_t hz = READ_SYSREG(cntfrq_el0); \
        CHECK(hz > 0, true); \
        begin(); \
        WRITE_SYSREG(cnt##cntx##_ctl_el0, 0); \
        WRITE_SYSREG(cnt##cntx##_cval_el0, UINT64_C(0x123456789ABCDEF0)); \
        CHECK(READ_SYSREG(cnt##cntx##_cval_el0), UINT64_C(0x123456789ABCDEF0)); \
        CHECK(READ_SYSREG(cnt##cntx##_ctl_el0), 0); \
        WRITE_SYSREG(cnt##cntx##_ctl_el0, ENABLE); \
        CHECK(READ_SYSREG(cnt##cntx##_ctl_el0), ENABLE); \
        CHECK(gic_get(GICD_ISPENDR, ppi), false); \
        WRITE_SYSREG(cnt##cntx##_cval_el0, NEVER); \
        CHECK(READ_SYSREG(cnt##cntx##_ctl_el0), ENABLE); \
        CHECK(gic_get(GICD_ISPENDR, ppi), false); \
        /* A level: it comes and goes with the condition, whether or not the interrupt is enabled. */ \
        WRITE_SYSREG(cnt##cntx##_cval_el0, 0); \
        CHECK(READ_SYSREG(cnt##cntx##_ctl_el0), ENABLE | ISTATUS); \
        CHECK(gic_get(GICD_ISPENDR, ppi), true); \
        CHECK(gic_get(GICD_ISACTIVER, ppi), false); \
        WRITE_SYSREG(cnt##cntx##_ctl_el0, ENABLE | IMASK); \
        CHECK(READ_SYSREG(cnt##cntx##_ctl_el0), ENABLE | IMASK | ISTATUS); \
        CHECK(gic_get(GICD_ISPENDR, ppi), false); \
        WRITE_SYSREG(cnt##cntx##_ctl_el0, ENABLE); \
        CHECK(gic_get(GICD_ISPENDR, ppi), true); \
        gic_set(GICD_ICPENDR, ppi); \
        CHECK(gic_get(GICD_ISPENDR, ppi), true); \
        WRITE_SYSREG(cnt##cntx##_tval_el0, 0x10000000); \
        CHECK(gic_get(GICD_ISPENDR, ppi), false); \
        CHECK(READ_SYSREG(cnt##cntx##_cval_el0) - now() <= 0x10000000, true); \
        CHECK(READ_SYSREG(cnt##cntx##_tval_el0) - 0x0F000000 <= 0x01000000, true); \
        WRITE_SYSREG(cnt##cntx##_tval_el0, (uint32_t)-100); \
        CHECK(gic_get(GICD_ISPENDR, ppi), true); \
        gic_set(GICD_ISENABLER, ppi); \
        CHECK(gic_hppir(), ppi); \
        on_irq = timer_off; \
        let_in(); \
        CHECK(nseen, 1); \
        CHECK(intid_seen(0), ppi); \
        CHECK(gic_get(GICD_ISPENDR, ppi), false); \
        /* Pending, listed, and set anew before it is taken. */ \
        begin(); \
        WRITE_SYSREG(cnt##cntx##_cval_el0, 0); \
        WRITE_SYSREG(cnt##cntx##_ctl_el0, ENABLE); \
        CHECK(gic_hppir(), ppi); \
        WRITE_SYSREG(cnt##cntx##_cval_el0, now() + hz); \
        CHECK(gic_get(GICD_ISPENDR, ppi), false); \
        let_in(); \
        CHECK(nseen, 0); \
        /* A handler that ends it without having set it anew gets it again. */ \
        on_irq = timer_off_at_third; \
        WRITE_SYSREG(cnt##cntx##_cval_el0, 0); \
        for (uint64_t until = now() + hz; nseen < 3 && now() < until;) { \
            let_in(); /* QEMU 7.2's GICv2 looks at the line again only when something else happens */ \
        } \
        CHECK(nseen, 3); \
        CHECK(gic_get(GICD_ISPENDR, ppi), false); \
        /* WFI: 100 periods. */ \
        begin(); \
        on_irq = timer_on; \
        step = hz / 2000; \
        uint64_t from = now(); \
        WRITE_SYSREG(cnt##cntx##_cval_el0, from + step); \
        WRITE_SYSREG(cnt##cntx##_ctl_el0, ENABLE); \
        while (nseen < 100) { \
            wfi(); \
            let_in(); \
        } \
        CHECK(now() - from >= 100 * step, true); \
        WRITE_SYSREG(cnt##cntx##_ctl_el0, 0); \
        /* WFI ends with the interrupt masked, too. */ \
        begin(); \
        WRITE_SYSREG(cnt##cntx##_tval_el0, step); \
        WRITE_SYSREG(cnt##cntx##_ctl_el0, ENABLE); \
        while (!(READ_SYSREG(cnt##cntx##_ctl_el0) & ISTATUS)) { \
            wfi(); \
        } \
        CHECK(nseen, 0); \
        CHECK(gic_get(GICD_ISPENDR, ppi), true); \
        /* Disabled while pending; enabled after the timer has been set anew; then it fires. */ \
        gic_set(GICD_ICENABLER, ppi); \
        let_in(); \
        CHECK(nseen, 0); \
        WRITE_SYSREG(cnt##cntx##_cval_el0, now() + hz / 100); \
        gic_set(GICD_ISENABLER, ppi); \
        let_in(); \
        CHECK(nseen, 0); \
        on_irq = timer_off; \
        while (nseen == 0) { \
            wfi(); \
            let_in(); \
        } \
        CHECK(nseen, 1); \
        /* Set pending by software, with the timer off. */ \
        begin(); \
        gic_set(GICD_ISPENDR, ppi); \
        CHECK(gic_get(GICD_ISPENDR, ppi), true); \
        let_in(); \
        CHECK(nseen, 1); \
        CHECK(gic_get(GICD_ISPENDR, ppi), false); \
        /* And it fires after that as before. */ \
        begin(); \
        on_irq = timer_off; \
        WRITE_SYSREG(cnt##cntx##_tval_el0, 1000); \
        WRITE_SYSREG(cnt##cntx##_ctl_el0, ENABLE); \
        while (nseen == 0) { \
            wfi(); \
            let_in(); \
        } \
        CHECK(nseen, 1); \
        gic_set(GICD_ICENABLER, ppi); \
    }

TIMER_TEST(virtual_timer, PPI_VIRTUAL_TIMER, v, count)
TIMER_TEST(physical_timer, PPI_PHYSICAL_TIMER, p, physical_count)

void guest_main(uint64_t x0) {
    (void)x0;
    print("gictest: GICv");
    gic_init();
    gic_init_cpu();
    print_dec(gic_version);
    print("\n");
    identification();
    if (v3()) {
        redistributor();
    }
    bit_registers();
    priority_registers();
    config_registers();
    target_registers();
    sgis();
    if (v3()) {
        sgis_v3();
    } else {
        sgis_v2();
    }
    edges();
    active_and_pending();
    levels();
    priorities();
    end_later();
    none_lost();
    virtual_timer();
    physical_timer();
    print("gictest: ");
    print_dec(checks);
    print(" checks, ");
    print_dec(failed);
    print(" failed\n");
    power_off();
}
