// SPDX-License-Identifier: MIT
// Page allocator.
// A binary buddy allocator. One byte a page says what starts there: nothing free (0), or a free
// block of 2^(n-1) pages. Only the byte of a block's head is ever looked at, and it is written when
// the block comes into being, so start-up touches a few bytes, not one for each page of RAM.

#include "core/arch.h"
#include "core/platform.h"
#include "memory/mem.h"

#define ORDERS 20 // 4 KB .. 2 GB
#define LEFT_TO_OTHERS 16 // of the machine's memory, one part in so many: see page_alloc_spare()
#define FREE(order) ((uint8_t)((order) + 1))

typedef struct free_block {
    struct free_block *next, *prev;
} free_block_t;

static struct {
    uint64_t base; // the first page the table knows
    size_t npages; // covers every RAM range, holes included
    uint8_t *state;
    free_block_t list[ORDERS];
    size_t free_pages, total_pages;
    spinlock_t lock;
} mem;

extern char __image_start[], __image_end[];

static size_t page_of(const void *p) {
    return ((uint64_t)p - mem.base) / PAGE_SIZE;
}

static free_block_t *block_at(size_t page) {
    return (free_block_t *)(mem.base + page * PAGE_SIZE);
}

static void push(size_t page, unsigned order) {
    free_block_t *b = block_at(page), *head = &mem.list[order];
    b->next = head->next;
    b->prev = head;
    head->next->prev = b;
    head->next = b;
    mem.state[page] = FREE(order);
}

static void take(size_t page) {
    free_block_t *b = block_at(page);
    b->prev->next = b->next;
    b->next->prev = b->prev;
    mem.state[page] = 0;
}

static void free_order(size_t page, unsigned order) {
    mem.free_pages += (size_t)1 << order;
    while (order < ORDERS - 1) {
        size_t buddy = page ^ ((size_t)1 << order);
        if (buddy >= mem.npages || mem.state[buddy] != FREE(order)) {
            break;
        }
        take(buddy);
        page &= buddy;
        order++;
    }
    push(page, order);
}

// The largest block that starts at `page`, is aligned to its own size and fits in `count` pages.
static unsigned order_at(size_t page, size_t count) {
    unsigned order = page == 0 ? ORDERS - 1 : __builtin_ctzl(page);
    unsigned fits = 63 - __builtin_clzl(count);
    order = order < fits ? order : fits;
    return order < ORDERS - 1 ? order : ORDERS - 1;
}

// A call for each aligned block of [page, page + count).
static void each_block(size_t page, size_t count, void (*fn)(size_t page, unsigned order)) {
    while (count > 0) {
        unsigned order = order_at(page, count);
        fn(page, order);
        page += (size_t)1 << order;
        count -= (size_t)1 << order;
    }
}

// As free_order, for a block whose neighbour the table may have no word of yet. The two cannot be
// one free block: each_block would have made them one.
static void give(size_t page, unsigned order) {
    size_t buddy = page ^ ((size_t)1 << order);
    if (buddy < mem.npages) {
        mem.state[buddy] = 0;
    }
    push(page, order);
    mem.free_pages += (size_t)1 << order;
}

static void mark_used(size_t page, unsigned order) {
    mem.state[page] = 0;
}

static void add_range(uint64_t start, uint64_t end) {
    start = ALIGN_UP(start, PAGE_SIZE);
    end = ALIGN_DOWN(end, PAGE_SIZE);
    if (start < end) {
        size_t count = (end - start) / PAGE_SIZE;
        mem.total_pages += count;
        each_block((start - mem.base) / PAGE_SIZE, count, give);
    }
}

// Give out [start, end) less the reserved ranges, which are sorted by address.
static void add_around(uint64_t start, uint64_t end, const range_t *reserved, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        uint64_t r_start = ALIGN_DOWN(reserved[i].base, PAGE_SIZE);
        uint64_t r_end = ALIGN_UP(reserved[i].base + reserved[i].size, PAGE_SIZE);
        if (r_end <= start || r_start >= end) {
            continue;
        }
        add_range(start, r_start);
        start = r_end;
    }
    add_range(start, end);
}

static unsigned reserve(range_t *reserved, unsigned n, uint64_t base, uint64_t size) {
    unsigned i = n;
    for (; i > 0 && reserved[i - 1].base > base; i--) {
        reserved[i] = reserved[i - 1];
    }
    reserved[i] = (range_t) { base, size };
    return n + 1;
}

void mem_init(void) {
    uint64_t end = 0;
    mem.base = ~UINT64_C(0);
    for (unsigned i = 0; i < platform.nram; i++) {
        range_t r = platform.ram[i];
        mem.base = r.base < mem.base ? r.base : mem.base;
        end = r.base + r.size > end ? r.base + r.size : end;
    }
    mem.base = ALIGN_DOWN(mem.base, BLOCK_2M); // alignment in the table is alignment in memory
    mem.npages = (end - mem.base) / PAGE_SIZE;
    for (unsigned i = 0; i < ORDERS; i++) {
        mem.list[i].next = mem.list[i].prev = &mem.list[i];
    }
    // The table itself goes right behind the image, or behind a tree that lies there (platform.c).
    bool tree_behind = platform.fdt == __image_end;
    mem.state = (uint8_t *)__image_end + (tree_behind ? ALIGN_UP(platform.fdt_size, PAGE_SIZE) : 0);
    uint64_t image_end = (uint64_t)mem.state + ALIGN_UP(mem.npages, PAGE_SIZE);
    range_t reserved[3 + PLATFORM_MAX_RESERVED];
    unsigned n = 0;
    n = reserve(reserved, n, (uint64_t)__image_start, image_end - (uint64_t)__image_start);
    if (platform.fdt != NULL) {
        n = reserve(reserved, n, (uint64_t)platform.fdt, platform.fdt_size);
    }
    if (platform.initrd_end > platform.initrd_start) {
        n = reserve(reserved, n, platform.initrd_start, platform.initrd_end - platform.initrd_start);
    }
    for (unsigned i = 0; i < platform.nreserved; i++) {
        n = reserve(reserved, n, platform.reserved[i].base, platform.reserved[i].size);
    }
    for (unsigned i = 0; i < platform.nram; i++) {
        range_t r = platform.ram[i];
        // The first page of each range stays out, so that blocks of two ranges never meet.
        add_around(r.base + PAGE_SIZE, r.base + r.size, reserved, n);
    }
}

static unsigned order_for(size_t pages) {
    return pages <= 1 ? 0 : 64 - __builtin_clzl(pages - 1);
}

void *page_alloc(size_t bytes) {
    size_t pages = ALIGN_UP(bytes, PAGE_SIZE) / PAGE_SIZE;
    unsigned want = order_for(pages), order = want;
    if (pages == 0 || want >= ORDERS) {
        return NULL;
    }
    uint64_t daif = spin_lock_irq(&mem.lock);
    while (order < ORDERS && mem.list[order].next == &mem.list[order]) {
        order++;
    }
    void *p = NULL;
    if (order < ORDERS) {
        p = mem.list[order].next;
        size_t page = page_of(p);
        take(page);
        mem.free_pages -= (size_t)1 << order;
        // What is behind the pages that were asked for goes straight back.
        each_block(page, pages, mark_used);
        each_block(page + pages, ((size_t)1 << order) - pages, give);
    }
    spin_unlock_irq(&mem.lock, daif);
    return p;
}

void page_free(void *p, size_t bytes) {
    if (p == NULL) {
        return;
    }
    uint64_t daif = spin_lock_irq(&mem.lock);
    each_block(page_of(p), ALIGN_UP(bytes, PAGE_SIZE) / PAGE_SIZE, free_order);
    spin_unlock_irq(&mem.lock, daif);
}

size_t page_free_bytes(void) {
    return mem.free_pages * PAGE_SIZE;
}

size_t page_total_bytes(void) {
    return mem.total_pages * PAGE_SIZE;
}

void *page_alloc_spare(size_t bytes) {
    return mem.free_pages < mem.total_pages / LEFT_TO_OTHERS ? NULL : page_alloc(bytes);
}

size_t page_largest(void) {
    for (unsigned order = ORDERS; order-- > 0;) {
        if (mem.list[order].next != &mem.list[order]) {
            return (size_t)PAGE_SIZE << order;
        }
    }
    return 0;
}

// DC ZVA writes a whole line for one instruction; DCZID_EL0.BS is log2 of its words.
void page_zero(void *p, size_t bytes) {
    size_t line = 4u << FIELD(READ_SYSREG(dczid_el0), 3, 0);
    uint64_t at = (uint64_t)p, end = at + bytes;
    for (; at < end; at += 8 * line) {
        __asm__ volatile (
            "dc zva, %0\n add %0, %0, %1\n dc zva, %0\n add %0, %0, %1\n"
            "dc zva, %0\n add %0, %0, %1\n dc zva, %0\n add %0, %0, %1\n"
            "dc zva, %0\n add %0, %0, %1\n dc zva, %0\n add %0, %0, %1\n"
            "dc zva, %0\n add %0, %0, %1\n dc zva, %0\n sub %0, %0, %2\n"
            : "+r" (at) : "r" (line), "r" (7 * line) : "memory");
    }
}

// A line at a time, which is then written out before it has to make room for others. 32 lines between two looks at the
// end: of what a guest's first touch of RAM costs, this is most.
void page_zero_clean(void *p, size_t bytes) {
    size_t line = 4u << FIELD(READ_SYSREG(dczid_el0), 3, 0), cached = 4u << FIELD(READ_SYSREG(ctr_el0), 19, 16);
    uint64_t at = (uint64_t)p, end = at + bytes;
    if (line != CACHE_LINE || cached != CACHE_LINE) {
        page_zero(p, bytes);
        cache_clean_poc(p, bytes);
        return;
    }
    while (at < end) { // CIVAC: see cache.c
        __asm__ volatile (".rept 32\n dc zva, %0\n dc civac, %0\n add %0, %0, %1\n .endr" : "+r" (at) : "I" (CACHE_LINE) : "memory");
    }
    dsb_sy();
}

uint64_t *table_alloc(void) {
    uint64_t *t = page_alloc(PAGE_SIZE);
    if (t != NULL) {
        page_zero(t, PAGE_SIZE);
    }
    return t;
}

void table_free(uint64_t *table) {
    page_free(table, PAGE_SIZE);
}
