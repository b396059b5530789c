// SPDX-License-Identifier: MIT
// AArch64 instructions for C.
// The instructions C has no word for: system registers, barriers, cache maintenance, exclusives.
#ifndef HV_ARCH_H
#define HV_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/io.h"

#define ARCH_STRING_(x) #x
#define ARCH_STRING(x) ARCH_STRING_(x)
#define READ_SYSREG(name) ({ uint64_t v_; __asm__ volatile ("mrs %0, " ARCH_STRING(name) : "=r" (v_)); v_; })
#define WRITE_SYSREG(name, value) __asm__ volatile ("msr " ARCH_STRING(name) ", %x0" : : "rZ" ((uint64_t)(value)))

#define BIT(n) (UINT64_C(1) << (n))
#define FIELD(value, hi, lo) (((uint64_t)(value) >> (lo)) & ((BIT((hi) - (lo)) << 1) - 1))
#define ALIGN_UP(value, to) (((value) + (to) - 1) & ~((uint64_t)(to) - 1))
#define ALIGN_DOWN(value, to) ((value) & ~((uint64_t)(to) - 1))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define NOINLINE __attribute__((noinline)) // what is rare makes no room for itself in what is not

#define PAGE_SIZE 0x1000u
#define BLOCK_2M 0x200000u
#define BLOCK_1G 0x40000000u
#define CACHE_LINE 64u // CTR_EL0.DminLine of every core we know; cache.c reads the register

static inline void isb(void) {
    __asm__ volatile ("isb" : : : "memory");
}

static inline void dsb_ish(void) {
    __asm__ volatile ("dsb ish" : : : "memory");
}

static inline void dsb_sy(void) {
    __asm__ volatile ("dsb sy" : : : "memory");
}

static inline void dmb_ish(void) {
    __asm__ volatile ("dmb ish" : : : "memory");
}

static inline void wfi(void) {
    __asm__ volatile ("dsb sy\n wfi" : : : "memory");
}

static inline void wfe(void) {
    __asm__ volatile ("wfe" : : : "memory");
}

static inline void sev(void) {
    __asm__ volatile ("dsb ish\n sev" : : : "memory");
}

#define PSTATE_I BIT(7)

// Mask physical IRQs at EL2; returns what to give to irq_restore.
static inline uint64_t irq_save(void) {
    uint64_t daif = READ_SYSREG(daif);
    __asm__ volatile ("msr daifset, #2" : : : "memory");
    return daif;
}

static inline void irq_restore(uint64_t daif) {
    __asm__ volatile ("msr daif, %0" : : "r" (daif) : "memory");
}

static inline void irq_enable(void) {
    __asm__ volatile ("msr daifclr, #2" : : : "memory");
}

static inline void irq_disable(void) {
    __asm__ volatile ("msr daifset, #2" : : : "memory");
}

// Memory as a guest accesses it: once, with 1, 2, 4 or 8 bytes, at any address.
static inline uint64_t load_sized(const void *at, unsigned size) {
    switch (size) {
        case 1:
            return *(const volatile uint8_t *)at;
        case 2:
            return *(const volatile uint16_t *)at;
        case 4:
            return *(const volatile uint32_t *)at;
        default:
            return *(const volatile uint64_t *)at;
    }
}

static inline void store_sized(void *at, unsigned size, uint64_t value) {
    switch (size) {
        case 1:
            *(volatile uint8_t *)at = (uint8_t)value;
            break;
        case 2:
            *(volatile uint16_t *)at = (uint16_t)value;
            break;
        case 4:
            *(volatile uint32_t *)at = (uint32_t)value;
            break;
        default:
            *(volatile uint64_t *)at = value;
            break;
    }
}

// A lock between cores. Hold it with interrupts masked: no ARMv8.1 atomics on a Cortex-A53.
//
// All of them, from the outside to the inside: who holds one may take those below it, and no other.
//
//   wire_t.lock      a device's state, and the level of its line (devices/wire.h); taken by vgic_outer_lock
//   flash_t.lock     a flash's mode, and a command under way (devices/flash.c)
//   vm_t.lock        a VM's stage-2 tables, which RAM is present, PSCI's CPU_ON (vm/vm.h)
//   vgic_t.lock      the banks of a VM's interrupts (vm/vgic_state.h); who waits for it answers other cores
//   runq.lock        where each vCPU is: its state and the queues (vm/runqueue.h)
//   timer's lock     the deadlines of all cores (irq/timer.c); their functions are called without it
//   mem.lock         free pages (memory/mem.c)
//   events.lock      the event ring (core/event.c)
//
// vgic_t.lock, runq.lock, the timer's, mem's and the events' have none taken inside. vcpu_wake takes runq.lock: it is
// called when vgic_t.lock has been given back.
typedef struct {
    uint32_t held;
} spinlock_t;

static inline void spin_lock(spinlock_t *lock) {
    uint32_t seen, failed;
    __asm__ volatile (
        "1: ldaxr %w0, [%2]\n"
        "   cbz %w0, 2f\n"
        "   wfe\n" // until the holder's store takes the monitor that LDAXR has set (DDI 0487, B2.9.5, D1.16.2)
        "   b 1b\n"
        "2: stxr %w1, %w3, [%2]\n"
        "   cbnz %w1, 1b\n"
        : "=&r" (seen), "=&r" (failed) : "r" (&lock->held), "r" (1) : "memory");
}

static inline void spin_unlock(spinlock_t *lock) {
    __asm__ volatile ("stlr wzr, [%0]" : : "r" (&lock->held) : "memory");
}

// The same, masking interrupts first; returns what spin_unlock_irq is to be given.
static inline uint64_t spin_lock_irq(spinlock_t *lock) {
    uint64_t daif = irq_save();
    spin_lock(lock);
    return daif;
}

static inline void spin_unlock_irq(spinlock_t *lock, uint64_t daif) {
    spin_unlock(lock);
    irq_restore(daif);
}

// Clean and invalidate by address to the point of coherency, as a guest whose caches are off sees
// memory; or clean data to, and drop instructions from, the point of unification.
void cache_clean_poc(const void *start, size_t len);
void cache_sync_code(const void *start, size_t len);
// What a guest is going to execute was written here: clean it, and have every core forget the instructions it has
// cached. All of them: a guest's address for them is its own, and the cache may be a VIPT one (DDI 0487 D4.10).
// The ERET into the guest, and the interrupt that calls another core into it, synchronise what is fetched next.
void cache_written(const void *start, size_t len);
void icache_invalidate(void);   // the same of what needs no cleaning

#endif
