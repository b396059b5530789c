// SPDX-License-Identifier: MIT
// The heap: gc_alloc.c.
#ifndef PORT_GC_ALLOC_H
#define PORT_GC_ALLOC_H

#include <stdbool.h>
#include "py/mpstate.h"

// Instead of gc_init().
void gc_heap_init(void *start, void *end);
// After a collection: what is free is looked for from the beginning.
void gc_alloc_restart(void);
// A line at the prompt begins: a little of what it allocates does not have it wait for a collection.
void gc_line_begins(void);
// Half of what was free after the last collection has been given out: the next one is better made before it is needed.
bool gc_half_is_used(void);
// gc_collect.c: a collection that is given up as soon as `something` says that there is something else to do.
void gc_idle(bool (*something)(void));
// An object of a type and up to two words.
mp_obj_t gc_new_number(const mp_obj_type_t *type, uint64_t first, uint64_t second);
// The area behind this one is empty: out of the heap, and to the page allocator.
void gc_give_back(mp_state_mem_area_t *before);

#endif
