// SPDX-License-Identifier: MIT
// Cache maintenance by address. QEMU shows none of it; a real Cortex-A53 shows all of it: a guest
// starts with its caches off and reads what has reached memory (DDI 0487 D4.4).

#include "core/arch.h"

// CTR_EL0.DminLine and IminLine are log2 of words.
static size_t dcache_line(void) {
    return 4u << FIELD(READ_SYSREG(ctr_el0), 19, 16);
}

static size_t icache_line(void) {
    return 4u << FIELD(READ_SYSREG(ctr_el0), 3, 0);
}

void cache_clean_poc(const void *start, size_t len) {
    size_t line = dcache_line();
    uint64_t p = ALIGN_DOWN((uint64_t)start, line), end = (uint64_t)start + len;
    // CIVAC, not CVAC: erratum 855873 may lose a CVAC on some cores. Eight lines at a time: granules of guest RAM are long.
    for (; p + 8 * line <= end; p += line) {
        __asm__ volatile (
            "dc civac, %0\n add %0, %0, %1\n dc civac, %0\n add %0, %0, %1\n"
            "dc civac, %0\n add %0, %0, %1\n dc civac, %0\n add %0, %0, %1\n"
            "dc civac, %0\n add %0, %0, %1\n dc civac, %0\n add %0, %0, %1\n"
            "dc civac, %0\n add %0, %0, %1\n dc civac, %0\n"
            : "+r" (p) : "r" (line) : "memory");
    }
    for (; p < end; p += line) {
        __asm__ volatile ("dc civac, %0" : : "r" (p) : "memory");
    }
    dsb_sy();
}

void icache_invalidate(void) {
    __asm__ volatile ("ic ialluis\n dsb ish\n isb" : : : "memory");
}

void cache_written(const void *start, size_t len) {
    cache_clean_poc(start, len);
    icache_invalidate();
}

void cache_sync_code(const void *start, size_t len) {
    size_t line = dcache_line();
    uint64_t end = (uint64_t)start + len;
    for (uint64_t p = ALIGN_DOWN((uint64_t)start, line); p < end; p += line) {
        __asm__ volatile ("dc civac, %0" : : "r" (p) : "memory"); // not CVAU: errata 819472, 824069, 827319
    }
    dsb_ish();
    line = icache_line();
    for (uint64_t p = ALIGN_DOWN((uint64_t)start, line); p < end; p += line) {
        __asm__ volatile ("ic ivau, %0" : : "r" (p) : "memory");
    }
    dsb_ish();
    isb();
}
