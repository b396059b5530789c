// SPDX-License-Identifier: MIT
// Pages that Python may look into. A memoryview holds an address and nothing else, and C that calls Python may
// hold one too: so pages whose owner is gone stay until nothing of that kind points at them any more.
#ifndef HV_LENT_H
#define HV_LENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct lent {
    struct lent *next;  // of those without an owner
    uint8_t *at;
    size_t bytes;
    bool shown;         // an address in it has been handed out
    bool seen;          // and somebody still has it
    bool old;           // a collection has been made for its sake
    bool taken;         // from under who uses it: its owner did not end as garbage
} lent_t;

// As page_alloc; the caller is its owner. NULL: no memory.
lent_t *lent_alloc(size_t bytes);
lent_t *lent_window(size_t bytes);  // one whose pages come by and by (window.h)
// It has no owner any more. Also inside a collection, and with interrupts masked.
void lent_free(lent_t *m);
// What nobody can reach any more goes back to the page allocator; called after each collection.
void lent_sweep(void);
// The same, with a collection first if views that are garbage could be what is in the way.
void lent_reclaim(void);
// The GC heap is gone, and with it all views.
void lent_end(void);

#endif
