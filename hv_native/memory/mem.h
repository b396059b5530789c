// SPDX-License-Identifier: MIT
// The page allocator: all RAM that is not the image, the device tree or an initrd. Guest RAM, page
// tables, the GC heap and the RAM disk come from here; nothing here is on the GC heap.
#ifndef HV_MEM_H
#define HV_MEM_H

#include <stddef.h>
#include <stdint.h>

void mem_init(void);

// A whole number of 4 KB pages, contiguous, not zeroed, or NULL. Aligned to its size rounded up to
// a power of two, 2 MB at most: so that what is big enough for a block entry can have one.
void *page_alloc(size_t bytes);
// The same bytes that were asked for.
void page_free(void *p, size_t bytes);

// For what others come before, as pages that snapshots keep: NULL also when a sixteenth of the machine's memory is not free.
void *page_alloc_spare(size_t bytes);

size_t page_free_bytes(void);
size_t page_total_bytes(void);
size_t page_largest(void); // the largest single allocation that would succeed now

void page_zero(void *p, size_t bytes); // page-aligned; caches are on
void page_zero_clean(void *p, size_t bytes);   // and clean to the point of coherency; the same units
// A translation table's page, zeroed, or NULL; and back: pgtable_t's new_table and free_table.
uint64_t *table_alloc(void);
void table_free(uint64_t *table);

#endif
