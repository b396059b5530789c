// SPDX-License-Identifier: MIT
// The heap: gc_alloc.c.
#ifndef PORT_GC_ALLOC_H
#define PORT_GC_ALLOC_H

#include <stddef.h>

// Instead of gc_init().
void gc_heap_init(void *start, void *end);
// After a collection: what is free is looked for from the beginning.
void gc_alloc_restart(void);

#endif
