// SPDX-License-Identifier: MIT
// What software can see of what QEMU does not show (docs/silicon.md), for the checked image: `make CHECKED=1`.
//
// Device registers: each access is aligned, and to what is mapped as Device. Tables: an entry is broken, flushed and then
// made (DDI 0487 D5.10.1). Caches: what is handed to somebody who reads memory, a core that starts, a device, a guest with its
// MMU off, was cleaned, and has not been written since: of each line the sum is known that it had when it was cleaned last.
//
// The linker puts __wrap_f in the place of f for other files (Makefile): nothing of the hypervisor knows of this.

#include "py/mphal.h"
#include "py/mpprint.h"
#include "core/arch.h"
#include "hv_native/core/cpu.h"
#include "hv_native/core/firmware.h"
#include "hv_native/core/platform.h"
#include "hv_native/core/syndrome.h"
#include "hv_native/memory/mem.h"
#include "hv_native/memory/mmu.h"
#include "memory/entry.h"
#include "hv_native/vcpu/vcpu.h"
#include "hv_native/vm/ram.h"
#include "hv_native/vm/vcpu_state.h"
#include "hv_native/vm/vm.h"
#include "virtio_driver.h"

#define LINE 64u
#define LINES 65536u        // known at a time: of what is 4 MB apart, the last one
#define PTE_ATTR_INDEX(entry) ((entry) >> 2 & 7)

extern volatile uint64_t core_release;

static MP_NORETURN void wrong(const char *what, uint64_t addr, const void *caller) {
    irq_disable();
    mp_printf(&mp_plat_print, "\n*** checked: %s: 0x%lx, for 0x%lx\n", what, addr, (uint64_t)caller);
    for (;;) {
        wfi();
    }
}

static bool mmu_on(void) {
    return READ_SYSREG(sctlr_el2) & 1;
}

// ---- Device registers ---------------------------------------------------------------------------

void checked_access(uint64_t addr, unsigned size) {
    if (addr % size != 0) {
        wrong("an access to a device is not aligned", addr, __builtin_return_address(0));
    }
    if (mmu_on() && !mmu_is_image(addr, size)) { // vgic_soft.c has its list registers there
        uint64_t entry = pgtable_walk(mmu_tables(), addr).entry;
        if ((entry & PTE_VALID) && PTE_ATTR_INDEX(entry) != 0) {
            wrong("registers that are mapped as memory", addr, __builtin_return_address(0));
        }
    }
}

// ---- Caches -------------------------------------------------------------------------------------

// A line's number and the sum of its words, or 0.
static uint64_t *lines;

static uint64_t known_as(uint64_t line) {
    const uint64_t *p = (const uint64_t *)(line * LINE);
    uint64_t sum = 0;
    for (unsigned i = 0; i < LINE / 8; i++) {
        sum = (sum << 7 | sum >> 57) ^ p[i];
    }
    return line << 32 | (uint32_t)(sum ^ sum >> 32) | 1;
}

static void cleaned(const void *start, size_t len) {
    if (lines == NULL || len == 0) {
        return;
    }
    for (uint64_t line = (uint64_t)start / LINE; line <= ((uint64_t)start + len - 1) / LINE; line++) {
        lines[line % LINES] = known_as(line);
    }
}

// In memory as it is here. What there was no room to know of is believed.
static void handed_over(const char *to, const volatile void *start, size_t len, const void *caller) {
    if (lines == NULL || len == 0) {
        return;
    }
    for (uint64_t line = (uint64_t)start / LINE; line <= ((uint64_t)start + len - 1) / LINE; line++) {
        uint64_t known = lines[line % LINES];
        if (known == 0 || (known >> 32 == (line & UINT32_MAX) && known != known_as(line))) {
            mp_printf(&mp_plat_print, "\n*** checked: not cleaned before it is handed to %s", to);
            wrong(known == 0 ? "never" : "written since", line * LINE, caller);
        }
    }
}

void __real_mem_init(void);
void __wrap_mem_init(void);
void __wrap_mem_init(void) {
    __real_mem_init();
    lines = page_alloc(LINES * sizeof(uint64_t));
    for (unsigned i = 0; lines != NULL && i < LINES; i++) {
        lines[i] = 0;
    }
}

#define CLEANS(name) \
    void __real_##name(const void *start, size_t len); \
    void __wrap_##name(const void *start, size_t len); \
    void __wrap_##name(const void *start, size_t len) { \
        __real_##name(start, len); \
        cleaned(start, len); \
    }

CLEANS(cache_clean_poc)
CLEANS(cache_written)
CLEANS(cache_sync_code)

// ---- Who is given memory ------------------------------------------------------------------------

int64_t __real_firmware_cpu_on(uint64_t mpidr, void *pcpu);
int64_t __wrap_firmware_cpu_on(uint64_t mpidr, void *pcpu);
int64_t __wrap_firmware_cpu_on(uint64_t mpidr, void *pcpu) {
    handed_over("a core", pcpu, sizeof(pcpu_t), __builtin_return_address(0));
    int64_t answer = __real_firmware_cpu_on(mpidr, pcpu);
    if (core_release != 0) {
        handed_over("a core", &core_release, sizeof(core_release), __builtin_return_address(0));
    }
    return answer;
}

// fw_cfg's DMA: the address of what it is to do, big-endian.
void checked_dma(uint64_t addr, uint64_t value) {
    if (platform.fwcfg_base != 0 && addr == platform.fwcfg_base + 16) {
        handed_over("fw_cfg", (const void *)__builtin_bswap64(value), 16, __builtin_return_address(0));
    }
}

static struct {
    uint64_t regs;
    unsigned index;
    const virtq_t *q;
} queues[32];

static void queue_known(uint64_t regs, unsigned index, const virtq_t *q) {
    unsigned i = 0;
    while (i < ARRAY_LEN(queues) - 1 && queues[i].q != NULL && (queues[i].regs != regs || queues[i].index != index)) {
        i++;
    }
    queues[i].regs = regs;
    queues[i].index = index;
    queues[i].q = q;
}

void __real_virtio_queue(uint64_t regs, unsigned index, virtq_t *q);
void __wrap_virtio_queue(uint64_t regs, unsigned index, virtq_t *q);
void __wrap_virtio_queue(uint64_t regs, unsigned index, virtq_t *q) {
    __real_virtio_queue(regs, index, q);
    handed_over("a virtio device", q, sizeof(*q), __builtin_return_address(0));
    queue_known(regs, index, q);
}

// It is in virtio_queue()'s file, where --wrap changes no call.
void __real_virtio_buffers(uint64_t regs, unsigned index, virtq_t *q, void *buf, unsigned n, uint32_t size, bool to_write);
void __wrap_virtio_buffers(uint64_t regs, unsigned index, virtq_t *q, void *buf, unsigned n, uint32_t size, bool to_write);
void __wrap_virtio_buffers(uint64_t regs, unsigned index, virtq_t *q, void *buf, unsigned n, uint32_t size, bool to_write) {
    __real_virtio_buffers(regs, index, q, buf, n, size, to_write);
    handed_over("a virtio device", q, offsetof(virtq_t, used), __builtin_return_address(0));
    queue_known(regs, index, q);
}

// What was made available last: its descriptors, and the buffers that it reads.
static void request(const virtq_t *q, const void *caller) {
    handed_over("a virtio device", q, offsetof(virtq_t, used), caller);
    unsigned slot = q->avail.ring[(uint16_t)(q->avail.idx - 1) % VIRTQ_SIZE];
    for (unsigned n = 0; n < VIRTQ_SIZE; n++) {
        if (!(q->desc[slot].flags & VIRTQ_WRITE)) {
            handed_over("a virtio device", (const void *)q->desc[slot].addr, q->desc[slot].len, caller);
        }
        if (!(q->desc[slot].flags & VIRTQ_NEXT)) {
            return;
        }
        slot = q->desc[slot].next % VIRTQ_SIZE;
    }
}

void __real_virtio_notify(uint64_t regs, unsigned queue);
void __wrap_virtio_notify(uint64_t regs, unsigned queue);
void __wrap_virtio_notify(uint64_t regs, unsigned queue) {
    for (unsigned i = 0; i < ARRAY_LEN(queues) && queues[i].q != NULL; i++) {
        if (queues[i].regs == regs && queues[i].index == queue && queues[i].q->avail.idx != 0) {
            request(queues[i].q, __builtin_return_address(0));
        }
    }
    __real_virtio_notify(regs, queue);
}

static bool is_fresh(const vcpu_t *v) {
    uint64_t exits = v->irq_exits;
    for (unsigned i = 0; i < ARRAY_LEN(v->counts); i++) {
        exits |= v->counts[i];
    }
    return exits == 0 && !(v->el1[EL1_SCTLR_EL1] & 1);
}

// A guest begins with its caches off, and the code that it begins with is in RAM that nobody else has written.
exit_t __real_vcpu_run(vcpu_t *v);
exit_t __wrap_vcpu_run(vcpu_t *v);
exit_t __wrap_vcpu_run(vcpu_t *v) {
    uint64_t pc = ALIGN_DOWN(v->regs->pc, LINE);
    const void *place = v->id == 0 && is_fresh(v) && !vm_ram_missing(v->vm, pc) ? vm_ram_place(v->vm, pc, LINE) : NULL;
    if (place != NULL) {
        handed_over("a guest", place, LINE, __builtin_return_address(0));
    }
    return __real_vcpu_run(v);
}

// ---- Translation tables -------------------------------------------------------------------------

static struct {
    const pgtable_t *pt;
    const uint64_t *entry;
} broken[256]; // and not flushed yet
static unsigned next_broken;
static spinlock_t broken_lock;

static uint64_t lock(void) {
    return mmu_on() ? spin_lock_irq(&broken_lock) : 0; // no exclusives before, and no other core
}

static void unlock(uint64_t daif) {
    if (mmu_on()) {
        spin_unlock_irq(&broken_lock, daif);
    }
}

void entry_set(const pgtable_t *pt, uint64_t *entry, uint64_t value) {
    uint64_t old = *entry, daif = lock();
    if ((old & PTE_VALID) && (value & PTE_VALID) && ((old ^ value) & ~pt->permissions)) {
        wrong("an entry is changed that was not broken", (uint64_t)entry, __builtin_return_address(0));
    }
    for (unsigned i = 0; (value & PTE_VALID) && i < ARRAY_LEN(broken); i++) {
        if (broken[i].entry == entry && broken[i].pt == pt) {
            wrong("an entry is made before the one it had is flushed", (uint64_t)entry, __builtin_return_address(0));
        }
    }
    if ((old & PTE_VALID) && !(value & PTE_VALID)) {
        if (pt == mmu_tables() && mmu_on() && !(daif & BIT(7))) { // PSTATE.I
            wrong("an entry of EL2's own map is broken with interrupts on", (uint64_t)entry, __builtin_return_address(0));
        }
        broken[next_broken].pt = pt;
        broken[next_broken].entry = entry;
        next_broken = (next_broken + 1) % ARRAY_LEN(broken);
    }
    unlock(daif);
    *(volatile uint64_t *)entry = value;
    __asm__ volatile ("dsb ishst" : : : "memory");
}

void entry_flush(pgtable_t *pt, uint64_t addr, uint64_t size) {
    pt->flush(pt, addr, size);
    uint64_t daif = lock();
    for (unsigned i = 0; i < ARRAY_LEN(broken); i++) {
        if (broken[i].pt == pt) {
            broken[i].pt = NULL;
            broken[i].entry = NULL;
        }
    }
    unlock(daif);
}
