// SPDX-License-Identifier: MIT
// EL2's own address space.
// EL2 stage 1 (DDI 0487 D5.2): TTBR0_EL2, 39-bit addresses, 4 KB granule, so the root is one level-1
// table of 1 GB entries. The image gets 4 KB pages so that each part has its own rights; RAM and
// devices get the largest blocks that fit. NULL and whatever nobody described stay unmapped.

#include "core/arch.h"
#include "core/cpu.h"
#include "core/platform.h"
#include "memory/mmu.h"
#include "memory/pgtable.h"
#include "mpconfigboard.h"

// MAIR_EL2 (D13.2.97): 0 Device-nGnRE, 1 normal write-back, 2 normal non-cacheable.
#define MAIR_VALUE UINT64_C(0x44FF04)
// TCR_EL2, E2H=0 (D13.2.122): RES1 bits 31 and 23, PS=2 (40-bit PA), inner shareable, write-back
// walks, T0SZ=25 (39-bit VA).
#define TCR_VALUE UINT64_C(0x80823519)
// SCTLR_EL2: RES1, and M, C, SA, I. A is off: normal memory may be accessed unaligned.
#define SCTLR_ON UINT64_C(0x30C5183D)

#define ATTR_INDEX(n) ((uint64_t)(n) << 2)
#define ATTR_RO BIT(7)      // AP[2]
#define ATTR_RES1 BIT(6)    // AP[1]: RES1 in a regime with one exception level
#define ATTR_SH_INNER (UINT64_C(3) << 8)
#define ATTR_XN BIT(54)
#define ATTR_MASK (ATTR_INDEX(7) | ATTR_RO | ATTR_SH_INNER | ATTR_XN)

static const uint64_t attributes[] = {
    [MMU_DEVICE] = ATTR_INDEX(0) | PTE_AF | ATTR_RES1 | ATTR_XN,
    [MMU_DATA] = ATTR_INDEX(1) | PTE_AF | ATTR_RES1 | ATTR_SH_INNER | ATTR_XN,
    [MMU_RO] = ATTR_INDEX(1) | PTE_AF | ATTR_RES1 | ATTR_SH_INNER | ATTR_XN | ATTR_RO,
    [MMU_CODE] = ATTR_INDEX(1) | PTE_AF | ATTR_RES1 | ATTR_SH_INNER | ATTR_RO,
    [MMU_NC] = ATTR_INDEX(2) | PTE_AF | ATTR_RES1 | ATTR_SH_INNER | ATTR_XN,
};

extern char __image_start[], __text_end[], __rodata_end[], __data_rw_end[];
extern char __stack_bottom[], __slice_stack_top[], __fault_stack_bottom[], __fault_stack_top[], __image_end[];

// EL2's tables are all in the image, which is mapped in pages of its own: none of them can lie in a block
// that is being split, and is unmapped for a moment while it is.
#define POOL 32
static uint64_t pool[POOL][512] __attribute__((section(".noinit.pages"), aligned(4096)));
static unsigned pool_used;
static uint64_t *pool_free; // by their first words
static bool running;

static void el2_flush(pgtable_t *pt, uint64_t va, uint64_t size) {
    (void)pt;
    if (!running) {
        return; // the MMU is off
    }
    if (size <= PAGE_SIZE) {
        __asm__ volatile ("tlbi vae2is, %0" : : "r" (va >> 12) : "memory");
    } else {
        __asm__ volatile ("tlbi alle2is" : : : "memory");
    }
    dsb_ish();
    isb();
}

static uint64_t *el2_new_table(void) {
    uint64_t *t = pool_free;
    if (t != NULL) {
        pool_free = (uint64_t *)t[0];
    } else if (pool_used < POOL) {
        t = pool[pool_used++];
    } else {
        return NULL;
    }
    for (unsigned i = 0; i < 512; i += 4) {
        __asm__ volatile ("stp xzr, xzr, [%0]\n stp xzr, xzr, [%0, #16]" : : "r" (t + i) : "memory");
    }
    return t;
}

static void el2_free_table(uint64_t *t) {
    t[0] = (uint64_t)pool_free;
    pool_free = t;
}

static pgtable_t el2 = {
    .root_entries = 512, .flush = el2_flush, .new_table = el2_new_table, .free_table = el2_free_table, .permissions = ATTR_RO | ATTR_XN,
};

static void map_between(const char *start, const char *end, mmu_type_t type) {
    mmu_map((uint64_t)start, (uint64_t)start, (uint64_t)end - (uint64_t)start, type);
}

// RAM, all but the 2 MB the image lies in, and address 0; the device tree before it is RAM like any other.
static void map_ram(range_t r) {
    uint64_t start = ALIGN_UP(r.base == 0 ? 1 : r.base, PAGE_SIZE), end = ALIGN_DOWN(r.base + r.size, PAGE_SIZE);
    uint64_t image = (uint64_t)__image_start, after = ALIGN_UP((uint64_t)__image_end, BLOCK_2M);
    if (start <= image && image < end) {
        mmu_map(start, start, image - start, MMU_DATA);
        start = after;
    }
    if (start < end) {
        mmu_map(start, start, end - start, MMU_DATA);
    }
}

// What firmware keeps and says not to map: not even a speculative read may go there (DeviceTree Specification, 3.5.4).
static void unmap_firmware(void) {
    for (unsigned i = 0; i < platform.nreserved; i++) {
        range_t r = platform.reserved[i];
        if (platform.no_map & 1u << i) {
            uint64_t start = ALIGN_DOWN(r.base, PAGE_SIZE);
            mmu_unmap(start, ALIGN_UP(r.base + r.size, PAGE_SIZE) - start);
        }
    }
}

static void map_image(void) {
    map_between(__image_start, __text_end, MMU_CODE);
    map_between(__text_end, __rodata_end, MMU_RO);
    map_between(__rodata_end, __data_rw_end, MMU_DATA);
    map_between(__stack_bottom, __slice_stack_top, MMU_DATA);
    map_between(__fault_stack_bottom, __fault_stack_top, MMU_DATA);
    // What is left of the image's last 2 MB is RAM like any other.
    map_between(__image_end, (char *)ALIGN_UP((uint64_t)__image_end, BLOCK_2M), MMU_DATA);
}

static void map_devices(void) {
    const range_t *gic[] = { &platform.gicd, &platform.gicc, &platform.gich, &platform.gicv, &platform.gicr, &platform.bcm2836, &platform.bcm2835 };
    for (unsigned i = 0; i < ARRAY_LEN(gic); i++) {
        if (gic[i]->size != 0) {
            mmu_map_device(gic[i]->base, gic[i]->size);
        }
    }
    for (unsigned i = 0; i < platform.nuarts; i++) {
        mmu_map_device(platform.uart[i].base, PAGE_SIZE);
    }
    mmu_map_device(BOARD_EARLY_UART, PAGE_SIZE); // for el2_fault.c
    if (platform.pm_base != 0) {
        mmu_map_device(platform.pm_base, PAGE_SIZE);
    }
    if (platform.rtc_base != 0) {
        mmu_map_device(platform.rtc_base, PAGE_SIZE);
    }
    if (platform.fwcfg_base != 0) {
        mmu_map_device(platform.fwcfg_base, PAGE_SIZE);
    }
    for (unsigned i = 0; i < platform.nvirtio; i++) {
        mmu_map_device(platform.virtio[i].base, PAGE_SIZE);
    }
}

void mmu_enable(void *pcpu) {
    WRITE_SYSREG(mair_el2, MAIR_VALUE);
    WRITE_SYSREG(tcr_el2, TCR_VALUE);
    WRITE_SYSREG(ttbr0_el2, (uint64_t)el2.root);
    // Nothing stale from before reset may be in the TLBs or the instruction cache.
    __asm__ volatile ("isb\n tlbi alle2\n ic iallu\n dsb nsh\n isb" : : : "memory");
    WRITE_SYSREG(sctlr_el2, SCTLR_ON);
    isb();
}

void mmu_init(void) {
    el2.root = el2_new_table();
    for (unsigned i = 0; i < platform.nram; i++) {
        map_ram(platform.ram[i]);
    }
    unmap_firmware();
    map_image();
    map_devices();
    mmu_enable(NULL);
    running = true;
}

// Changes are made with interrupts masked: what their handlers use, as the ring of what is typed, may lie in a block that is
// being split, and is not there while it is (DDI 0487 D5.10.1).

bool mmu_map(uint64_t va, uint64_t pa, uint64_t size, mmu_type_t type) {
    uint64_t daif = irq_save();
    bool ok = pgtable_map(&el2, va, pa, size, attributes[type]);
    dsb_ish();
    isb();
    irq_restore(daif);
    return ok;
}

bool mmu_unmap(uint64_t va, uint64_t size) {
    uint64_t daif = irq_save();
    bool ok = pgtable_unmap(&el2, va, size, 0);
    irq_restore(daif);
    return ok;
}

static uint64_t with_attributes(uint64_t entry, uint64_t attr) {
    return (entry & ~ATTR_MASK) | attr;
}

bool mmu_protect(uint64_t va, uint64_t size, mmu_type_t type) {
    uint64_t daif = irq_save();
    bool ok = pgtable_change(&el2, va, size, with_attributes, attributes[type]);
    irq_restore(daif);
    return ok;
}

bool mmu_map_device(uint64_t base, uint64_t size) {
    uint64_t end = ALIGN_UP(base + size, BLOCK_2M);
    for (base = ALIGN_DOWN(base, BLOCK_2M); base < end; base += BLOCK_2M) {
        if (!(pgtable_walk(&el2, base).entry & PTE_VALID) && !mmu_map(base, base, BLOCK_2M, MMU_DEVICE)) {
            return false;
        }
    }
    return true;
}

// ---- The boot core's stack ----------------------------------------------------------------------

static uint64_t stack_open; // bytes of the reserve

uint64_t mmu_stack_end(void) {
    return (uint64_t)__stack_bottom - stack_open;
}

bool mmu_stack_open(uint64_t sp) {
    uint64_t end = mmu_stack_end(), to = ALIGN_DOWN(sp - 16, PAGE_SIZE);
    to = to < end ? to : end - PAGE_SIZE;
    if (to < (uint64_t)__stack_bottom - STACK_RESERVE || !mmu_map(to, to, end - to, MMU_DATA)) {
        return false;
    }
    stack_open += end - to;
    return true;
}

void mmu_stack_close(void) {
    if (stack_open != 0) {
        mmu_unmap(mmu_stack_end(), stack_open);
        stack_open = 0;
    }
}

bool mmu_is_image(uint64_t va, uint64_t size) {
    return va < (uint64_t)__image_end && va + size > (uint64_t)__image_start;
}

pgtable_t *mmu_tables(void) {
    return &el2;
}

uint64_t mmu_attributes(mmu_type_t type) {
    return attributes[type];
}
