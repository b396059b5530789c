// SPDX-License-Identifier: MIT
// The heap: gc_alloc.c.
#ifndef PORT_GC_ALLOC_H
#define PORT_GC_ALLOC_H

#include "py/mpstate.h"

// Instead of gc_init().
void gc_heap_init(void *start, void *end);
// After a collection: what is free is looked for from the beginning.
void gc_alloc_restart(void);
// The area behind this one is empty: out of the heap, and to the page allocator.
void gc_give_back(mp_state_mem_area_t *before);

#endif
