// SPDX-License-Identifier: MIT
// Addresses of EL2's for pages that lie anywhere: see window.h.
// They are above what QEMU's virt and boards have, in gigabytes of their own: an entry of the root each, which nothing else
// uses, and tables that are had from the page allocator.

#include "core/arch.h"
#include "memory/mem.h"
#include "memory/mmu.h"
#include "memory/pgtable.h"
#include "memory/window.h"

#define FIRST 384u
#define GIGABYTES 96u

static uint8_t taken[GIGABYTES];
static pgtable_t tables;

static unsigned gigabyte(uint64_t va) {
    return (unsigned)((va >> 30) - FIRST);
}

static bool all_free(unsigned first, unsigned n) {
    unsigned i = first;
    while (i < first + n && taken[i] == 0 && !(tables.root[FIRST + i] & PTE_VALID)) {
        i++;
    }
    return i == first + n;
}

void *window_open(size_t bytes) {
    unsigned n = (unsigned)(ALIGN_UP(bytes, BLOCK_1G) >> 30);
    tables = *mmu_tables();
    tables.new_table = table_alloc;
    tables.free_table = table_free;
    for (unsigned first = 0; first + n <= GIGABYTES; first++) {
        if (all_free(first, n)) {
            for (unsigned i = first; i < first + n; i++) {
                taken[i] = 1;
            }
            return (void *)((uint64_t)(FIRST + first) << 30);
        }
    }
    return NULL;
}

bool window_put(void *at, void *page) {
    return pgtable_map(&tables, (uint64_t)at, (uint64_t)page, PAGE_SIZE, mmu_attributes(MMU_DATA));
}

uint64_t window_pa(const void *at) {
    pgwalk_t w = pgtable_walk(&tables, (uint64_t)at);
    return w.entry & PTE_VALID ? (w.entry & PTE_ADDR_MASK) + ((uint64_t)at & (w.size - 1)) : 0;
}

bool window_overlaps(uint64_t va, uint64_t size) {
    for (unsigned i = 0; i < GIGABYTES; i++) {
        uint64_t from = (uint64_t)(FIRST + i) << 30;
        if (taken[i] != 0 && va < from + BLOCK_1G && from < va + size) {
            return true;
        }
    }
    return false;
}

bool window_is(const void *at) {
    unsigned i = gigabyte((uint64_t)at);
    return i < GIGABYTES && taken[i] != 0;
}

// The pages, each with the next one in its first word.
static uint64_t all_pages(uint64_t at, uint64_t end) {
    uint64_t list = 0;
    pgwalk_t w;
    for (uint64_t size; (size = pgtable_run(&tables, &at, &w)) != 0 && at < end; at += size) {
        for (uint64_t page = w.entry & PTE_ADDR_MASK, n = size / PAGE_SIZE; n != 0; page += PAGE_SIZE, n--) {
            *(uint64_t *)page = list;
            list = page;
        }
    }
    return list;
}

void window_close(void *at, size_t bytes) {
    uint64_t va = (uint64_t)at, size = ALIGN_UP(bytes, BLOCK_1G), list = all_pages(va, va + size);
    pgtable_unmap(&tables, va, size, 0);
    while (list != 0) {
        uint64_t next = *(uint64_t *)list;
        page_free((void *)list, PAGE_SIZE);
        list = next;
    }
    for (unsigned i = gigabyte(va); i < gigabyte(va) + (size >> 30); i++) {
        taken[i] = 0;
    }
}
