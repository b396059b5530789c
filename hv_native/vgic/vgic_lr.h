// SPDX-License-Identifier: MIT
// List registers.
// List registers, the two kinds of them: GICH_* in memory (GICv2, IHI 0048B 5.3), ICH_*_EL2 (GICv3,
// IHI 0069 12.4). Elsewhere a list register looks like GICv3's.
#ifndef HV_VGIC_LR_H
#define HV_VGIC_LR_H

#include "core/arch.h"
#include "core/cpu.h"
#include "core/platform.h"

#define LR_ACTIVE BIT(63)
#define LR_PENDING BIT(62)
#define LR_STATE (LR_ACTIVE | LR_PENDING)
#define LR_HW BIT(61)                   // ending it ends the physical interrupt too
#define LR_GROUP1 BIT(60)
#define LR_PRIORITY(n) ((uint64_t)(n) << 48)
#define LR_EOI BIT(41)                  // not HW: maintenance interrupt when it ends
#define LR_PHYSICAL(intid) ((uint64_t)(intid) << 32)
#define LR_SOURCE(cpu) ((uint64_t)(cpu) << 32) // an SGI's, in GICv2
#define LR_SOURCE_OF(lr) ((unsigned)FIELD(lr, 34, 32))

// GICH_HCR, ICH_HCR_EL2
enum {
    HCR_EN = 1 << 0, HCR_UIE = 1 << 1, HCR_LRENPIE = 1 << 2, HCR_NPIE = 1 << 3,
    HCR_GROUP0_ON = 1 << 4, HCR_GROUP0_OFF = 1 << 5, HCR_GROUP1_ON = 1 << 6, HCR_GROUP1_OFF = 1 << 7,
    HCR_TDIR = 1 << 14, // GICv3: the guest's ICC_DIR_EL1 traps
};
#define HCR_EOI_COUNT(hcr) ((uint32_t)(hcr) >> 27)

// GICH_VMCR, ICH_VMCR_EL2: what is alike in both.
enum { VMCR_GROUP0 = 1 << 0, VMCR_GROUP1 = 1 << 1, VMCR_FIQEN = 1 << 3, VMCR_EOIMODE = 1 << 9 };

enum {
    GICH_HCR = 0x0, GICH_VTR = 0x4, GICH_VMCR = 0x8, GICH_ELRSR = 0x30, GICH_APR = 0xF0, GICH_LR = 0x100,
};

#define ICH_AP0R0_EL2 S3_4_C12_C8_0
#define ICH_AP1R0_EL2 S3_4_C12_C9_0
#define ICH_HCR_EL2 S3_4_C12_C11_0
#define ICH_VTR_EL2 S3_4_C12_C11_1
#define ICH_ELRSR_EL2 S3_4_C12_C11_5
#define ICH_VMCR_EL2 S3_4_C12_C11_7

static inline bool gic_is_v3(void) {
    return platform.gic_version == 3;
}

// This core's GICH: the device, or what vgic_soft.c has for one.
static inline uint64_t gich_base(void) {
    return this_pcpu()->gich;
}

#define ICH_REGISTER(name, offset) \
    static inline uint32_t ich_##name##_read(void) { \
        return gic_is_v3() ? (uint32_t)READ_SYSREG(ICH_##offset##_EL2) : read32(gich_base() + GICH_##offset); \
    }
ICH_REGISTER(hcr, HCR)
ICH_REGISTER(vtr, VTR)
ICH_REGISTER(vmcr, VMCR)
ICH_REGISTER(elrsr, ELRSR)
#undef ICH_REGISTER

static inline void ich_hcr_write(uint32_t v) {
    if (gic_is_v3()) {
        WRITE_SYSREG(ICH_HCR_EL2, v);
    } else {
        write32(gich_base() + GICH_HCR, v);
    }
}

// Active priorities: one word a group in GICv3, one for both in GICv2. A Cortex-A53 has 32 levels
// (ICH_VTR_EL2.PREbits 4), so there are no more words.
static inline void ich_apr_read(uint32_t apr[2]) {
    if (gic_is_v3()) {
        apr[0] = (uint32_t)READ_SYSREG(ICH_AP0R0_EL2);
        apr[1] = (uint32_t)READ_SYSREG(ICH_AP1R0_EL2);
    } else {
        apr[0] = read32(gich_base() + GICH_APR);
        apr[1] = 0;
    }
}

// A vCPU's half of the CPU interface, whole: the version is looked at once.
static inline void ich_load(uint32_t vmcr, const uint32_t apr[2]) {
    if (gic_is_v3()) {
        WRITE_SYSREG(ICH_VMCR_EL2, vmcr);
        WRITE_SYSREG(ICH_AP0R0_EL2, apr[0]);
        WRITE_SYSREG(ICH_AP1R0_EL2, apr[1]);
    } else {
        uint64_t gich = gich_base();
        write32(gich + GICH_VMCR, vmcr);
        write32(gich + GICH_APR, apr[0]);
    }
}

// And off: nothing of it is signalled any more.
static inline void ich_put(uint32_t *vmcr, uint32_t apr[2]) {
    if (gic_is_v3()) {
        *vmcr = (uint32_t)READ_SYSREG(ICH_VMCR_EL2);
        apr[0] = (uint32_t)READ_SYSREG(ICH_AP0R0_EL2);
        apr[1] = (uint32_t)READ_SYSREG(ICH_AP1R0_EL2);
        WRITE_SYSREG(ICH_HCR_EL2, 0);
    } else {
        uint64_t gich = gich_base();
        *vmcr = read32(gich + GICH_VMCR);
        apr[0] = read32(gich + GICH_APR);
        apr[1] = 0;
        write32(gich + GICH_HCR, 0);
    }
}

#define ICH_LR_LIST(X) X(0, C12_0) X(1, C12_1) X(2, C12_2) X(3, C12_3) X(4, C12_4) X(5, C12_5) X(6, C12_6) X(7, C12_7) \
    X(8, C13_0) X(9, C13_1) X(10, C13_2) X(11, C13_3) X(12, C13_4) X(13, C13_5) X(14, C13_6) X(15, C13_7)

// *FORMAT-OFF*
static inline uint64_t ich_lr_read(unsigned n) {
    switch (n) {
        #define X(i, name) case i: \
        return READ_SYSREG(S3_4_C12_##name);
        ICH_LR_LIST(X)
#undef X
        default:
            __builtin_unreachable();
    }
}

static inline void ich_lr_write(unsigned n, uint64_t v) {
    switch (n) {
        #define X(i, name) case i: \
        WRITE_SYSREG(S3_4_C12_##name, v); break;
        ICH_LR_LIST(X)
#undef X
        default:
            __builtin_unreachable();
    }
}
// *FORMAT-ON*

#define GICH_LR_STATE (3u << 28)
#define GICH_LR_PENDING (1u << 28)
#define GICH_LR_ACTIVE (1u << 29)
#define GICH_LR_EOI (1u << 19)
#define GICH_LR_PHYSICAL (0x3FFu << 10)

static inline uint32_t gich_lr_read(unsigned n) {
    return read32(gich_base() + GICH_LR + n * 4);
}

static inline void gich_lr_write(unsigned n, uint32_t v) {
    write32(gich_base() + GICH_LR + n * 4, v);
}

// A register as the hardware has it ("raw"), where that saves work.
static inline uint64_t lr_raw_read(unsigned n) {
    return gic_is_v3() ? ich_lr_read(n) : gich_lr_read(n);
}

static inline void lr_raw_write(unsigned n, uint64_t raw) {
    if (gic_is_v3()) {
        ich_lr_write(n, raw);
    } else {
        gich_lr_write(n, (uint32_t)raw);
    }
}

static inline bool lr_raw_busy(uint64_t raw) {
    return (raw & (gic_is_v3() ? LR_STATE : GICH_LR_STATE)) != 0;
}

static inline uint64_t lr_raw_pending(uint64_t raw) {
    return raw | (gic_is_v3() ? LR_PENDING : GICH_LR_PENDING);
}

static inline uint64_t lr_raw_eoi(uint64_t raw) {
    return raw | (gic_is_v3() ? LR_EOI : GICH_LR_EOI);
}

// GICH_LRn: HW 31, Grp1 30, state 29:28, priority 27:23 (its upper 5 bits), physical ID 19:10 (of a
// software interrupt: EOI 19, source 12:10), virtual ID 9:0.
static inline uint64_t lr_decode(uint64_t raw) {
    if (gic_is_v3()) {
        return raw;
    }
    return FIELD(raw, 9, 0) | FIELD(raw, 19, 10) << 32 | FIELD(raw, 27, 23) << 51 | FIELD(raw, 29, 28) << 62
           | FIELD(raw, 30, 30) << 60 | FIELD(raw, 31, 31) << 61;
}

static inline uint64_t lr_encode(uint64_t lr) {
    if (gic_is_v3()) {
        return lr;
    }
    return FIELD(lr, 9, 0) | FIELD(lr, 41, 32) << 10 | FIELD(lr, 55, 51) << 23 | FIELD(lr, 63, 62) << 28
           | FIELD(lr, 60, 60) << 30 | FIELD(lr, 61, 61) << 31;
}

#endif
