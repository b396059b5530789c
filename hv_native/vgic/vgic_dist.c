// SPDX-License-Identifier: MIT
// The virtual GIC's register frames.
// The virtual GIC as a guest's loads and stores see it: the distributor (GICD_*), GICv3's
// redistributors (GICR_*) and system registers that send SGIs, and GICv2's GICC_DIR. The bit-per-
// interrupt registers lie alike in all of them (IHI 0048B 4.3, IHI 0069 12.8 to 12.10).

#include "core/arch.h"
#include "irq/gic.h"
#include "vgic/vgic.h"
#include "vgic/vgic_dist.h"
#include "vgic/vgic_lr.h"
#include "vgic/vtimer.h"
#include "vm/hook.h"
#include "vm/vcpu_state.h"
#include "vm/vgic_state.h"
#include "vm/vm.h"

#define IIDR 0x43Bu                     // ARM's JEP106 code, as QEMU's has it

enum { CTLR_ARE = 1 << 4, CTLR_DS = 1 << 6 };

// A register frame that an access goes to.
typedef struct {
    vcpu_t *by;         // who accesses it
    vcpu_t *owner;      // whose INTIDs 0 to 31 it shows, or NULL: nobody's
    unsigned words;     // and how many words of interrupts
} frame_t;

static vgic_bank_t *bank_in(const frame_t *f, unsigned w) {
    if (w == 0) {
        return f->owner == NULL ? NULL : &f->owner->vgic.bank;
    }
    return w < f->words ? &f->by->vm->vgic.spi[w - 1] : NULL;
}

// Of a word, what is pending and active must be in the bank to be looked at.
static void frame_settle(const frame_t *f, const vgic_bank_t *b, unsigned w, uint32_t mask) {
    if (w == 0 && (f->owner != f->by || mask & 1u << VTIMER_INTID)) {
        vgic_settle_vcpu(f->owner); // its timer's line is known to its core alone
    } else {
        vgic_settle(f->by->vm, b, mask);
    }
}

// What is asked or changed here about private interrupts is about SGIs that are under way, too.
static void frame_collect(const frame_t *f, unsigned w) {
    if (w == 0) {
        vgic_collect(f->owner);
    }
}

static vcpu_t *whose(const frame_t *f, unsigned w) {
    return w == 0 ? f->owner : f->by;
}

// ---- A bit an interrupt -------------------------------------------------------------------------

enum { IGROUPR = 1, ISENABLER, ICENABLER, ISPENDR, ICPENDR, ISACTIVER, ICACTIVER }; // offset / 0x80

static uint32_t read_bits(const frame_t *f, unsigned reg, unsigned w) {
    vgic_bank_t *b = bank_in(f, w);
    if (b == NULL) {
        return 0;
    }
    if (reg == ISENABLER || reg == ICENABLER) {
        return b->enabled;
    }
    if (reg == IGROUPR) {
        return b->group;
    }
    vgic_lock(f->by->vm);
    frame_collect(f, w);
    frame_settle(f, b, w, ~0u);
    uint32_t value = reg <= ICPENDR ? b->pending | (b->line & ~b->edge) : b->active;
    vgic_unlock(f->by->vm);
    return value;
}

static void set_pending(const frame_t *f, vgic_bank_t *b, unsigned w, uint32_t bits) {
    if (w == 0 && !gic_is_v3()) {
        bits &= ~0xFFFFu; // SGIs have registers of their own
    }
    b->pending |= bits;
    vgic_changed(whose(f, w), w, bits);
}

static void clear_pending(const frame_t *f, vgic_bank_t *b, unsigned w, uint32_t bits) {
    frame_settle(f, b, w, bits);
    if (w == 0 && !gic_is_v3()) {
        bits &= ~0xFFFFu;
    }
    b->pending &= ~bits;
    if (w > 0 || f->owner == f->by) {
        vgic_release(b, bits);
    }
}

static void set_active(const frame_t *f, vgic_bank_t *b, unsigned w, uint32_t bits) {
    frame_settle(f, b, w, bits);
    for (uint32_t m = bits & ~b->active; m != 0; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);
        b->holder[i] = b->cpu[i] == VGIC_NOBODY ? (uint8_t)f->by->id : b->cpu[i];
    }
    b->active |= bits;
    f->by->vm->vgic.touched |= 1u << w;
}

static void clear_active(const frame_t *f, vgic_bank_t *b, unsigned w, uint32_t bits) {
    frame_settle(f, b, w, bits);
    b->active &= ~bits;
    if (w > 0 || f->owner == f->by) {
        vgic_release(b, bits);
    }
    vgic_changed(whose(f, w), w, bits);
}

static void set_enabled(const frame_t *f, vgic_bank_t *b, unsigned w, uint32_t bits) {
    bits &= ~b->enabled;
    if (w == 0 && bits & b->hw) {
        frame_settle(f, b, w, bits); // the timer fired while its interrupt was disabled; has it been set anew?
    }
    b->enabled |= bits;
    vgic_changed(whose(f, w), w, bits);
}

static void write_bits(const frame_t *f, unsigned reg, unsigned w, uint32_t mask, uint32_t value) {
    vgic_bank_t *b = bank_in(f, w);
    if (b == NULL) {
        return;
    }
    vgic_lock(f->by->vm);
    frame_collect(f, w);
    switch (reg) {
        case IGROUPR:
            frame_settle(f, b, w, mask);
            b->group = (b->group & ~mask) | value;
            vgic_changed(whose(f, w), w, mask);
            break;
        case ISENABLER:
            set_enabled(f, b, w, value);
            break;
        case ICENABLER:
            if (w == 0 && !gic_is_v3()) {
                value &= ~0xFFFFu; // SGIs are always enabled
            }
            frame_settle(f, b, w, value & b->enabled & b->in_lr);
            b->enabled &= ~value;
            break;
        case ISPENDR:
            set_pending(f, b, w, value);
            break;
        case ICPENDR:
            clear_pending(f, b, w, value);
            break;
        case ISACTIVER:
            set_active(f, b, w, value);
            break;
        case ICACTIVER:
            clear_active(f, b, w, value);
            break;
    }
    vgic_unlock(f->by->vm);
}

// ---- A byte an interrupt ------------------------------------------------------------------------

static uint32_t read_priority(const frame_t *f, unsigned intid) {
    vgic_bank_t *b = bank_in(f, intid / 32);
    return b == NULL ? 0 : *(const uint32_t *)&b->priority[intid % 32]; // 4 at a time
}

static void write_priority(const frame_t *f, unsigned intid, uint32_t mask, uint32_t value) {
    vgic_bank_t *b = bank_in(f, intid / 32);
    if (b != NULL) {
        uint32_t *at = (uint32_t *)&b->priority[intid % 32];
        vgic_lock(f->by->vm);
        vgic_settle(f->by->vm, b, 0xFu << intid % 32);
        *at = (*at & ~mask) | (value & 0xF8F8F8F8); // 32 levels, as the CPU interface has them
        vgic_unlock(f->by->vm);
    }
}

// GICD_ITARGETSRn: private interrupts go to whoever asks. With one CPU, all read as zero.
static uint32_t read_targets(const frame_t *f, unsigned intid) {
    const vgic_bank_t *b = bank_in(f, intid / 32);
    if (gic_is_v3() || b == NULL || f->by->vm->nvcpus == 1) {
        return 0;
    }
    if (intid < 32) {
        return 0x01010101u << f->by->id;
    }
    const uint32_t *route = &b->route[intid % 32];
    return route[0] | route[1] << 8 | route[2] << 16 | route[3] << 24;
}

// The vCPU an SPI goes to is another one from now on; if it is active, after it has ended.
static void reroute(vcpu_t *v, unsigned intid, uint32_t route, uint8_t cpu, bool several) {
    vgic_bank_t *b = vgic_bank(v, intid / 32);
    uint32_t bit = 1u << intid % 32;
    vgic_settle(v->vm, b, bit);
    b->several = (b->several & ~bit) | (several ? bit : 0);
    b->route[intid % 32] = route;
    b->cpu[intid % 32] = cpu;
    vgic_changed(v, intid / 32, bit);
}

static void write_targets(const frame_t *f, unsigned intid, uint32_t mask, uint32_t value) {
    vm_t *vm = f->by->vm;
    if (gic_is_v3() || intid < 32 || intid >= VGIC_LINES || vm->nvcpus == 1) {
        return;
    }
    vgic_lock(vm);
    for (unsigned k = 0; k < 4; k++) {
        if (mask >> k * 8 & 1) {
            uint32_t targets = value >> k * 8 & ((1u << vm->nvcpus) - 1) & 0xFF;
            uint8_t first = targets == 0 ? VGIC_NOBODY : (uint8_t)__builtin_ctz(targets);
            reroute(f->by, intid + k, targets, first, (targets & (targets - 1)) != 0);
        }
    }
    vgic_unlock(vm);
}

// ---- Two bits an interrupt: the upper one says "edge" -------------------------------------------

static uint32_t spread(uint32_t v) {
    v = (v | v << 8) & 0x00FF00FF;
    v = (v | v << 4) & 0x0F0F0F0F;
    v = (v | v << 2) & 0x33333333;
    return (v | v << 1) & 0x55555555;
}

static uint32_t gather(uint32_t v) {
    v &= 0x55555555;
    v = (v | v >> 1) & 0x33333333;
    v = (v | v >> 2) & 0x0F0F0F0F;
    v = (v | v >> 4) & 0x00FF00FF;
    return (v | v >> 8) & 0xFFFF;
}

static uint32_t read_icfgr(const frame_t *f, unsigned n) {
    const vgic_bank_t *b = bank_in(f, n / 2);
    return b == NULL ? 0 : spread(b->edge >> n % 2 * 16 & 0xFFFF) << 1;
}

// SGIs are edges and the PPIs here levels, whatever is written.
static void write_icfgr(const frame_t *f, unsigned n, uint32_t mask, uint32_t value) {
    vgic_bank_t *b = bank_in(f, n / 2);
    if (n < 2 || b == NULL) {
        return;
    }
    uint32_t bits = gather(mask >> 1) << n % 2 * 16, edge = gather(value >> 1) << n % 2 * 16;
    vgic_lock(f->by->vm);
    vgic_settle(f->by->vm, b, bits);
    b->edge = (b->edge & ~bits) | edge;
    vgic_changed(f->by, n / 2, bits);
    vgic_unlock(f->by->vm);
}

// ---- SGIs ---------------------------------------------------------------------------------------

void vgic_send_sgis(vcpu_t *v, uint32_t targets, unsigned sgi) {
    vm_t *vm = v->vm;
    uint32_t self = 1u << v->id;
    for (uint32_t others = targets & ~self; others != 0; others &= others - 1) {
        vgic_sgi_to(vm->vcpu[__builtin_ctz(others)], sgi, v);
    }
    if (targets & self) {
        vgic_lock(vm);
        vgic_send_sgi(v, sgi);
        vgic_unlock_unfolded(vm);
    }
}

// GICD_SGIR: filter 25:24 (the list, all others, oneself), list 23:16, INTID 3:0.
void vgic_dist_sgir(vcpu_t *v, uint32_t value) {
    vm_t *vm = v->vm;
    uint32_t all = (1u << vm->nvcpus) - 1, self = 1u << v->id, filter = value >> 24 & 3;
    uint32_t targets = value >> 16 & 0xFF & all;
    if (filter != 0) {
        targets = filter == 1 ? all & ~self : filter == 2 ? self : 0;
    }
    vgic_send_sgis(v, targets, value & 15);
}

// GICD_SPENDSGIRn and GICD_CPENDSGIRn: a byte an SGI, a bit a source.
static uint32_t read_sgi_sources(const frame_t *f, unsigned sgi) {
    vgic_lock(f->by->vm);
    vgic_collect(f->by);
    vgic_settle(f->by->vm, &f->by->vgic.bank, 0xFFFF);
    const uint8_t *from = &f->by->vgic.sgi_from[sgi];
    uint32_t value = from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
    vgic_unlock(f->by->vm);
    return value;
}

static void write_sgi_sources(const frame_t *f, unsigned sgi, uint32_t value, bool set) {
    vcpu_t *v = f->by;
    uint32_t present = (1u << v->vm->nvcpus) - 1;
    vgic_lock(v->vm);
    vgic_collect(v);
    vgic_settle(v->vm, &v->vgic.bank, 0xFFFF);
    for (unsigned k = 0; k < 4; k++, sgi++, value >>= 8) {
        uint8_t *from = &v->vgic.sgi_from[sgi];
        *from = (uint8_t)(set ? *from | (value & present) : *from & ~value);
        v->vgic.bank.pending = (v->vgic.bank.pending & ~(1u << sgi)) | (*from != 0 ? 1u << sgi : 0);
        vgic_changed(v, 0, 1u << sgi);
    }
    vgic_unlock(v->vm);
}

// ---- The rest of the distributor ----------------------------------------------------------------

uint32_t vgic_typer(const vm_t *vm) {
    // ITLinesNumber 4:0, CPUNumber 7:5; GICv3: IDbits 23:19 (10 bits), No1N 25 (no SPI goes to any of several),
    // and CPUNumber is for ARE = 0.
    return (VGIC_WORDS - 1) | (gic_is_v3() ? 9u << 19 | 1u << 25 : (vm->nvcpus - 1) << 5);
}

static uint32_t read_ctlr(const vgic_t *g) {
    return (g->group0 & 1) | (g->group1 & 2) | (gic_is_v3() ? CTLR_ARE | CTLR_DS : 0);
}

static void write_ctlr(vcpu_t *v, uint32_t value) {
    vm_t *vm = v->vm;
    vgic_lock(vm);
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vgic_collect(vm->vcpu[i]);
        vgic_settle_vcpu(vm->vcpu[i]);
    }
    vm->vgic.group0 = value & 1 ? ~0u : 0;
    vm->vgic.group1 = value & 2 ? ~0u : 0;
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        vgic_changed(vm->vcpu[i], 0, ~0u);
    }
    for (unsigned w = 1; w < VGIC_WORDS; w++) {
        vgic_changed(v, w, ~0u);
    }
    vgic_unlock(vm);
}

// ICPIDR4..7, 0..3 and ICCIDR0..3, as QEMU's. ICPIDR2 holds the version of the architecture (7:4); part: ICPIDR0
// of GICv3's distributor or redistributor.
static uint32_t dist_id_register(uint64_t offset, uint8_t part) {
    static const uint8_t v2[12] = { 0x04, 0, 0, 0, 0x90, 0xB4, 0x2B, 0, 0x0D, 0xF0, 0x05, 0xB1 };
    static const uint8_t v3[12] = { 0x44, 0, 0, 0, 0, 0xB4, 0x3B, 0, 0x0D, 0xF0, 0x05, 0xB1 };
    unsigned n = (unsigned)(offset & 0x3F) / 4;
    return n < 4 ? 0 : !gic_is_v3() ? v2[n - 4] : n == 8 ? part : v3[n - 4];
}

// GICD_IROUTERn, 64 bits: Aff3 39:32, Aff2 to Aff0 23:0. Bit 31, "any", is 0 as GICD_TYPER.No1N has it.
static uint32_t read_router(const frame_t *f, unsigned intid, bool high) {
    const vgic_bank_t *b = intid < 32 ? NULL : bank_in(f, intid / 32);
    if (b == NULL) {
        return 0;
    }
    uint32_t route = b->route[intid % 32];
    return high ? route >> 24 : route & 0xFFFFFF;
}

static void write_router(const frame_t *f, unsigned intid, bool high, uint32_t mask, uint32_t value) {
    vcpu_t *v = f->by;
    if (intid < 32 || intid >= VGIC_LINES) {
        return;
    }
    vgic_lock(v->vm);
    uint32_t route = v->vm->vgic.spi[intid / 32 - 1].route[intid % 32];
    if (high) {
        route = mask & 0xFF ? (route & 0xFFFFFF) | value << 24 : route;
    } else {
        route = (route & ~(mask & 0xFFFFFF)) | (value & 0xFFFFFF);
    }
    uint64_t affinity = (uint64_t)(route >> 24) << 32 | (route & 0xFFFFFF);
    uint8_t cpu = VGIC_NOBODY;
    for (unsigned i = 0; i < v->vm->nvcpus && cpu == VGIC_NOBODY; i++) {
        if ((v->vm->vcpu[i]->vmpidr & UINT64_C(0xFF00FFFFFF)) == affinity) {
            cpu = (uint8_t)i;
        }
    }
    reroute(v, intid, route, cpu, false);
    vgic_unlock(v->vm);
}

// ---- One aligned word ---------------------------------------------------------------------------

static uint32_t read_rest(const frame_t *f, uint64_t offset) {
    if (offset >= GICD_IROUTER && offset < GICD_IROUTER + VGIC_LINES * 8) {
        return read_router(f, (unsigned)(offset - GICD_IROUTER) / 8, offset & 4);
    }
    if (offset >= (gic_is_v3() ? 0xFFC0 : 0xFC0)) {
        return dist_id_register(offset, 0x92);
    }
    if (!gic_is_v3() && offset >= 0xF10 && offset < 0xF30) {
        return read_sgi_sources(f, offset & 0xC);
    }
    return 0;
}

static void write_rest(const frame_t *f, uint64_t offset, uint32_t mask, uint32_t value) {
    if (gic_is_v3()) {
        if (offset >= GICD_IROUTER && offset < GICD_IROUTER + VGIC_LINES * 8) {
            write_router(f, (unsigned)(offset - GICD_IROUTER) / 8, offset & 4, mask, value);
        }
    } else if (offset == GICD_SGIR && mask == ~0u) { // words only (IHI 0048B 4.1.4)
        vgic_dist_sgir(f->by, value);
    } else if (offset >= 0xF10 && offset < 0xF30) {
        write_sgi_sources(f, offset & 0xC, value, offset >= 0xF20);
    }
}

static uint32_t read_word(const frame_t *f, uint64_t offset) {
    switch (offset >> 7) {
        case 0:
            return offset == GICD_TYPER ? vgic_typer(f->by->vm) : offset == GICD_CTLR ? read_ctlr(&f->by->vm->vgic) : offset == 8 ? IIDR : 0;
        case 1 ... 7:
            return read_bits(f, (unsigned)offset >> 7, (offset & 0x7F) / 4);
        case 8 ... 15:
            return read_priority(f, offset & 0x3FC);
        case 16 ... 23:
            return read_targets(f, offset & 0x3FC);
        case 24 ... 25:
            return read_icfgr(f, (offset & 0xFF) / 4);
        default:
            return read_rest(f, offset);
    }
}

// value has no bits outside mask: the bytes that are written.
static void write_word(const frame_t *f, uint64_t offset, uint32_t mask, uint32_t value) {
    switch (offset >> 7) {
        case 0:
            if (offset == GICD_CTLR && (mask & 1)) {
                write_ctlr(f->by, value);
            }
            break;
        case 1 ... 7:
            write_bits(f, (unsigned)offset >> 7, (offset & 0x7F) / 4, mask, value);
            break;
        case 8 ... 15:
            write_priority(f, offset & 0x3FC, mask, value);
            break;
        case 16 ... 23:
            write_targets(f, offset & 0x3FC, mask, value);
            break;
        case 24 ... 25:
            write_icfgr(f, (offset & 0xFF) / 4, mask, value);
            break;
        default:
            write_rest(f, offset, mask, value);
            break;
    }
}

// A redistributor: RD_base has its own registers, SGI_base those of 32 interrupts.
static uint32_t read_redist(const frame_t *f, uint64_t offset) {
    vcpu_t *v = f->owner;
    if (offset >= 0x10000) {
        offset -= 0x10000;
        return offset >= 0x80 && offset < 0xD00 ? read_word(f, offset) : offset >= 0xFFC0 ? dist_id_register(offset, 0x93) : 0;
    }
    switch (offset) {
        case 0x04:
            return IIDR;
        case 0x08: // GICR_TYPER: Last 4, Processor_Number 23:8; affinity in the upper half
            return (v->id + 1 == v->vm->nvcpus ? 1u << 4 : 0) | v->id << 8;
        case 0x0C:
            return (uint32_t)FIELD(v->vmpidr, 39, 32) << 24 | (uint32_t)FIELD(v->vmpidr, 23, 0);
        case 0x14: // GICR_WAKER: ProcessorSleep 1, ChildrenAsleep 2
            return v->vgic.asleep ? 6 : 0;
        default:
            return offset >= 0xFFC0 ? dist_id_register(offset, 0x93) : 0;
    }
}

static void write_redist(const frame_t *f, uint64_t offset, uint32_t mask, uint32_t value) {
    if (offset >= 0x10080 && offset < 0x10D00) {
        write_word(f, offset - 0x10000, mask, value);
    } else if (offset == 0x14 && (mask & 2)) {
        f->owner->vgic.asleep = (value & 2) != 0;
    }
}

// ---- Accesses -----------------------------------------------------------------------------------

typedef uint32_t (*read_t)(const frame_t *f, uint64_t offset);
typedef void (*write_t)(const frame_t *f, uint64_t offset, uint32_t mask, uint32_t value);

// Bytes and halfwords are part of a word, a doubleword is two.
static bool frame_access(const frame_t *f, read_t rd, write_t wr, uint64_t offset, unsigned size, bool write, uint64_t *value) {
    unsigned shift = (offset & 3) * 8;
    if (size == 8) {
        if (write) {
            wr(f, offset, ~0u, (uint32_t)*value);
            wr(f, offset + 4, ~0u, (uint32_t)(*value >> 32));
        } else {
            *value = rd(f, offset) | (uint64_t)rd(f, offset + 4) << 32;
        }
        return true;
    }
    uint32_t mask = (uint32_t)((UINT64_C(1) << size * 8) - 1) << shift;
    if (write) {
        wr(f, offset & ~UINT64_C(3), mask, (uint32_t)*value << shift & mask);
    } else {
        *value = (rd(f, offset & ~UINT64_C(3)) & mask) >> shift;
    }
    return true;
}

// With affinity routing, a CPU's own interrupts are at its redistributor only.
static frame_t dist_frame(vcpu_t *v) {
    return (frame_t) { v, gic_is_v3() ? NULL : v, VGIC_WORDS };
}

static frame_t redist_frame(vcpu_t *v, uint64_t offset) {
    return (frame_t) { v, v->vm->vcpu[offset / GICR_STRIDE], 1 };
}

bool vgic_dist_access(vcpu_t *v, hook_t *h, uint64_t offset, unsigned size, bool write, uint64_t *value) {
    (void)h;
    frame_t f = dist_frame(v);
    return frame_access(&f, read_word, write_word, offset, size, write, value);
}

bool vgic_redist_access(vcpu_t *v, hook_t *h, uint64_t offset, unsigned size, bool write, uint64_t *value) {
    (void)h;
    frame_t f = redist_frame(v, offset);
    return frame_access(&f, read_redist, write_redist, offset % GICR_STRIDE, size, write, value);
}

uint32_t vgic_dist_read(vcpu_t *v, uint64_t offset) {
    frame_t f = dist_frame(v);
    return read_word(&f, offset);
}

void vgic_dist_write(vcpu_t *v, uint64_t offset, uint32_t value) {
    frame_t f = dist_frame(v);
    write_word(&f, offset, ~0u, value);
}

uint32_t vgic_redist_load(vcpu_t *v, hook_t *h, uint64_t offset) {
    (void)h;
    frame_t f = redist_frame(v, offset);
    return read_redist(&f, offset % GICR_STRIDE);
}

uint64_t vgic_redist_store(vcpu_t *v, hook_t *h, uint64_t offset, uint32_t value) {
    (void)h;
    frame_t f = redist_frame(v, offset);
    write_redist(&f, offset % GICR_STRIDE, ~0u, value);
    return 0;
}

// GICC_DIR and ICC_DIR_EL1 trap: the interrupt may be in no list register, or in another core's.
// Unless EOImode has split that from the end of an interrupt, they do nothing: so IHI 0069 12.2.10, and
// IHI 0048B 4.4.15 leaves it open.
void vgic_deactivate(vcpu_t *v, unsigned intid) {
    if (intid >= VGIC_LINES || !(ich_vmcr_read() & VMCR_EOIMODE)) {
        return;
    }
    frame_t f = { v, v, VGIC_WORDS };
    vgic_lock(v->vm);
    clear_active(&f, vgic_bank(v, intid / 32), intid / 32, 1u << intid % 32);
    vgic_unlock(v->vm);
}
