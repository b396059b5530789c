// SPDX-License-Identifier: MIT
// Whose the machine's memory and devices are: see owner.h. Used by vm.stage2.map and vm.passthrough alike.

#include "core/arch.h"
#include "core/platform.h"
#include "memory/mmu.h"
#include "vm/owner.h"
#include "vm/vm.h"

// What drivers of the hypervisor's have found: disks, a ROM's flash, blobs. The rest is in `platform`.
static struct {
    range_t range;
    const char *what;
} claims[64];
static unsigned nclaims;

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) {
    return b_size != 0 && a < b + b_size && b < a + a_size;
}

static bool within(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) {
    return b_size != 0 && a >= b && a - b + a_size <= b_size;
}

void host_claim(uint64_t base, uint64_t size, const char *what) {
    for (unsigned i = 0; i < nclaims; i++) {
        if (within(base, size, claims[i].range.base, claims[i].range.size)) {
            return;
        }
    }
    if (nclaims < ARRAY_LEN(claims)) {
        claims[nclaims].range = (range_t) { base, size };
        claims[nclaims++].what = what;
    }
}

bool host_is_ram(uint64_t pa, uint64_t size) {
    for (unsigned i = 0; i < platform.nram; i++) {
        if (overlaps(pa, size, platform.ram[i].base, platform.ram[i].size)) {
            return true;
        }
    }
    return false;
}

static const char *claimed(uint64_t pa, uint64_t size) {
    for (unsigned i = 0; i < nclaims; i++) {
        if (overlaps(pa, size, claims[i].range.base, claims[i].range.size)) {
            return claims[i].what;
        }
    }
    return NULL;
}

// The machine's tree is parsed again and again: not even a guest's own hypervisor may change it.
static const char *ram_owner(const vm_t *vm, uint64_t pa, uint64_t size) {
    const struct platform *p = &platform;
    for (unsigned i = 0; vm != NULL && i < vm->nram; i++) {
        if (within(pa, size, (uint64_t)vm->ram[i].host, vm->ram[i].size)) {
            return NULL;
        }
    }
    for (unsigned i = 0; i < p->nreserved; i++) {
        if (overlaps(pa, size, p->reserved[i].base, p->reserved[i].size)) {
            return "memory that firmware keeps";
        }
    }
    uint64_t fdt = ALIGN_DOWN((uint64_t)p->fdt, PAGE_SIZE), fdt_end = ALIGN_UP((uint64_t)p->fdt + p->fdt_size, PAGE_SIZE);
    uint64_t initrd = ALIGN_DOWN(p->initrd_start, PAGE_SIZE), initrd_end = ALIGN_UP(p->initrd_end, PAGE_SIZE);
    if (overlaps(pa, size, fdt, fdt_end - fdt)) {
        return vm != NULL ? "the machine's device tree" : NULL;
    }
    return within(pa, size, initrd, initrd_end - initrd) ? NULL : "RAM of the hypervisor's page allocator";
}

// Devices whose registers answer loads and stores and do nothing else. Of others it is not known that they do not
// write to memory by themselves (DMA), and nothing would confine that to a VM's.
static const char *const harmless[] = {
    "arm,pl011", "arm,pl022", "arm,pl031", "arm,pl050", "arm,pl061", "arm,sp804", "arm,sp805", "cfi-flash",
};

static const char *device_owner(uint64_t pa, uint64_t size) {
    if (platform.fwcfg_base != 0 && overlaps(pa, size, platform.fwcfg_base, PAGE_SIZE)) {
        return "fw_cfg, which reads and writes any memory,";
    }
    switch (platform_devices(pa, size, harmless, ARRAY_LEN(harmless))) {
        case PLATFORM_ALL:
            return NULL;
        case PLATFORM_OTHERS:
            return "a device that may write to memory by itself (DMA), whosever that is,";
        default:
            return "nothing that the machine's tree knows of, which may write to memory by itself (DMA),";
    }
}

const char *host_owner(const vm_t *vm, uint64_t pa, uint64_t size) {
    const struct platform *p = &platform;
    if (mmu_is_image(pa, size)) {
        return "the hypervisor's image";
    }
    const char *what = vm != NULL ? claimed(pa, size) : NULL;
    if (what != NULL) {
        return what;
    }
    if (host_is_ram(pa, size)) {
        return ram_owner(vm, pa, size);
    }
    const range_t *gic[] = { &p->gicd, &p->gicc, &p->gich, &p->gicv, &p->gicr, &p->bcm2836, &p->bcm2835 };
    for (unsigned i = 0; i < ARRAY_LEN(gic); i++) {
        if (overlaps(pa, size, gic[i]->base, gic[i]->size)) {
            return "the real interrupt controller";
        }
    }
    if (overlaps(pa, size, p->console->base, PAGE_SIZE)) {
        return "the console's UART";
    }
    return vm != NULL ? device_owner(pa, size) : NULL;
}
