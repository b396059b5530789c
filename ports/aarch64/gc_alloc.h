// SPDX-License-Identifier: MIT
// Where the search for free memory starts: see gc_alloc.c.
#ifndef PORT_GC_ALLOC_H
#define PORT_GC_ALLOC_H

// After a collection, or with a new heap: from the beginning.
void gc_alloc_restart(void);

#endif
