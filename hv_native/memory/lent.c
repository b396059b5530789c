// SPDX-License-Identifier: MIT
// Pages that Python may look into: see lent.h.

#include "py/gc.h"
#include "py/objarray.h"
#include "py/mpstate.h"
#include "core/arch.h"
#include "memory/lent.h"
#include "memory/mem.h"
#include "memory/native.h"
#include "memory/window.h"

static lent_t *orphans;

static lent_t *lent_new(size_t bytes, void *(*alloc)(size_t bytes)) {
    lent_t *m = native_alloc(sizeof(lent_t));
    if (m == NULL) {
        return NULL;
    }
    m->bytes = bytes;
    m->at = alloc(bytes);
    if (m->at == NULL) {
        native_free(m, sizeof(lent_t));
        return NULL;
    }
    return m;
}

lent_t *lent_alloc(size_t bytes) {
    return lent_new(bytes, page_alloc);
}

lent_t *lent_window(size_t bytes) {
    return lent_new(bytes, window_open);
}

static void lent_release(lent_t *m) {
    if (window_is(m->at)) {
        window_close(m->at, m->bytes);
    } else {
        page_free(m->at, m->bytes);
    }
    native_free(m, sizeof(lent_t));
}

void lent_free(lent_t *m) {
    if (m != NULL && m->shown) {
        m->taken = !(MP_STATE_THREAD(gc_lock_depth) & GC_COLLECT_FLAG);
        m->next = orphans;
        orphans = m;
    } else if (m != NULL) {
        lent_release(m);
    }
}

// ---- Who still has an address in one ------------------------------------------------------------

static void look(uint64_t address, bool on_stack) {
    for (lent_t *m = orphans; m != NULL; m = m->next) {
        m->seen |= address - (uint64_t)m->at < m->bytes && (m->taken || !on_stack);
    }
}

// The GC's table has two bits for each block, 1 of them for the head of an object (py/gc.c: AT_HEAD), those
// of the first block lowest. Views are told by their type; slices of a view have the base of the whole.
_Static_assert(sizeof(mp_obj_array_t) == MICROPY_BYTES_PER_GC_BLOCK, "look_in_area");
static void look_in_area(const mp_state_mem_area_t *area) {
    const uint64_t lows = UINT64_C(0x5555555555555555);
    const uint8_t *table = area->gc_alloc_table_start;
    const char *pool = (const char *)area->gc_pool_start;
    size_t bytes = area->gc_alloc_table_byte_len;
    for (size_t at = 0; at < bytes; at += 8, pool += 32 * MICROPY_BYTES_PER_GC_BLOCK) {
        uint64_t bits = 0;
        __builtin_memcpy(&bits, table + at, bytes - at < 8 ? bytes - at : 8);
        for (uint64_t heads = bits & ~(bits >> 1) & lows; heads != 0; heads &= heads - 1) {
            const mp_obj_array_t *o = (const void *)(pool + __builtin_ctzl(heads) / 2 * MICROPY_BYTES_PER_GC_BLOCK);
            if (o->base.type == &mp_type_memoryview || o->base.type == &mp_type_bytearray) {
                look((uint64_t)o->items, false);
            }
        }
    }
}

static void look_in_heap(void) {
    for (const mp_state_mem_area_t *area = &MP_STATE_MEM(area); area != NULL; area = area->next) {
        look_in_area(area);
    }
}

// What C functions that wait for Python's answer know: it is on the stack, or in a register that a call preserves, as
// long as nothing here has used that: so this comes first, and begins with its own frame, where it has put what it needs.
// That counts where a VM was closed meanwhile: what is garbage was no argument of theirs.
static NOINLINE void look_on_stack(void) {
    uint64_t saved[10];
    const uint64_t *at;
    __asm__ volatile ("stp x19, x20, [%1]\n stp x21, x22, [%1, #16]\n stp x23, x24, [%1, #32]\n"
        "stp x25, x26, [%1, #48]\n stp x27, x28, [%1, #64]\n mov %0, sp" : "=&r" (at) : "r" (saved) : "memory");
    for (const uint64_t *top = (const uint64_t *)MP_STATE_THREAD(stack_top); at < top; at++) {
        look(*at, true);
    }
}

void lent_sweep(void) {
    if (orphans == NULL) {
        return;
    }
    for (lent_t *m = orphans; m != NULL; m = m->next) {
        m->seen = false;
    }
    look_on_stack();
    look_in_heap();
    for (lent_t **at = &orphans; *at != NULL;) {
        lent_t *m = *at;
        if (m->seen) {
            at = &m->next;
        } else {
            *at = m->next;
            lent_release(m);
        }
    }
}

void lent_reclaim(void) {
    lent_sweep();
    bool new = false;
    for (lent_t *m = orphans; m != NULL; m = m->next) {
        new |= !m->old;
        m->old = true;
    }
    if (new) {
        gc_collect(); // which sweeps again
    }
}

void lent_end(void) {
    while (orphans != NULL) {
        lent_t *m = orphans;
        orphans = m->next;
        lent_release(m);
    }
}
