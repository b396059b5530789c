// SPDX-License-Identifier: MIT
// Tables of hooks: see hook.h.

#include <string.h>
#include "memory/native.h"
#include "vm/hook.h"

// ---- By key -------------------------------------------------------------------------------------

static void table_put(hook_t **slot, uint32_t mask, hook_t *h) {
    uint32_t i = hook_hash(h->key);
    while (slot[i & mask] != NULL) {
        i++;
    }
    slot[i & mask] = h;
}

static size_t table_bytes(const hook_table_t *t) {
    return t->slot == NULL ? 0 : (t->mask + (size_t)1) * sizeof(hook_t *);
}

// Into a table of another size, which takes the old one's place in one store: a core that looks
// something up meanwhile sees the one or the other.
static bool table_resize(hook_table_t *t, uint32_t slots) {
    hook_t **slot = native_alloc(slots * sizeof(hook_t *)), **old = t->slot;
    if (slot == NULL) {
        return false;
    }
    size_t bytes = table_bytes(t);
    for (uint32_t i = 0; old != NULL && i <= t->mask; i++) {
        if (old[i] != NULL) {
            table_put(slot, slots - 1, old[i]);
        }
    }
    t->slot = slot;
    t->mask = slots - 1;
    native_free(old, bytes);
    return true;
}

hook_t hook_none = { .key = UINT64_MAX };

bool hook_add(hook_table_t *t, hook_t *h, hook_t **old) {
    *old = NULL;
    t->hit = t->slot == NULL ? NULL : &hook_none;
    if (t->slot != NULL) {
        for (uint32_t i = hook_hash(h->key); t->slot[i & t->mask] != NULL; i++) {
            if (t->slot[i & t->mask]->key == h->key) {
                *old = t->slot[i & t->mask];
                t->slot[i & t->mask] = h;
                return true;
            }
        }
    }
    // At most half full, so that a search ends soon and always finds a free slot.
    if (t->slot == NULL || (t->used + 1) * 2 > t->mask + 1) {
        if (!table_resize(t, t->slot == NULL ? 8 : (t->mask + 1) * 2)) {
            return false;
        }
    }
    table_put(t->slot, t->mask, h);
    t->used++;
    t->hit = &hook_none;
    return true;
}

hook_t *hook_remove(hook_table_t *t, uint64_t key) {
    hook_t *h = hook_find(t, key);
    if (h == NULL) {
        return NULL;
    }
    t->hit = &hook_none;
    uint32_t i = hook_hash(key);
    while (t->slot[i & t->mask] != h) {
        i++;
    }
    t->slot[i & t->mask] = NULL;
    t->used--;
    // What stood behind it may have been pushed on by it: put each of those in anew.
    for (i++; t->slot[i & t->mask] != NULL; i++) {
        hook_t *moved = t->slot[i & t->mask];
        t->slot[i & t->mask] = NULL;
        table_put(t->slot, t->mask, moved);
    }
    return h;
}

void hook_clear(hook_table_t *t, void (*release)(hook_t *h)) {
    for (uint32_t i = 0; t->slot != NULL && i <= t->mask; i++) {
        if (t->slot[i] != NULL) {
            release(t->slot[i]);
        }
    }
    native_free(t->slot, table_bytes(t));
    *t = (hook_table_t) { NULL, 0, 0, NULL };
}

// ---- By address ---------------------------------------------------------------------------------

// Index of the first range that ends behind addr.
static uint32_t first_after(const hook_ranges_t *r, uint64_t addr) {
    uint32_t low = 0, high = r->count;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (r->range[mid]->key + r->range[mid]->size - 1 < addr) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

hook_t *hook_range_find(const hook_ranges_t *r, uint64_t addr) {
    uint32_t i = first_after(r, addr);
    return i < r->count && r->range[i]->key <= addr ? r->range[i] : NULL;
}

hook_t *hook_range_overlap(const hook_ranges_t *r, uint64_t addr, uint64_t size) {
    uint32_t i = first_after(r, addr);
    return i < r->count && r->range[i]->key <= addr + size - 1 ? r->range[i] : NULL;
}

bool hook_range_add(hook_ranges_t *r, hook_t *h) {
    if (r->count == r->room) {
        uint32_t room = r->room == 0 ? 8 : r->room * 2;
        hook_t **range = native_alloc(room * sizeof(hook_t *));
        if (range == NULL) {
            return false;
        }
        if (r->range != NULL) {
            memcpy(range, r->range, r->count * sizeof(hook_t *));
        }
        native_free(r->range, r->room * sizeof(hook_t *));
        r->range = range;
        r->room = room;
    }
    uint32_t i = first_after(r, h->key);
    memmove(&r->range[i + 1], &r->range[i], (r->count - i) * sizeof(hook_t *));
    r->range[i] = h;
    r->count++;
    return true;
}

void hook_range_remove(hook_ranges_t *r, hook_t *h) {
    uint32_t i = first_after(r, h->key);
    if (i < r->count && r->range[i] == h) {
        r->count--;
        memmove(&r->range[i], &r->range[i + 1], (r->count - i) * sizeof(hook_t *));
    }
}

void hook_ranges_clear(hook_ranges_t *r, void (*release)(hook_t *h)) {
    for (uint32_t i = 0; i < r->count; i++) {
        release(r->range[i]);
    }
    native_free(r->range, r->room * sizeof(hook_t *));
    *r = (hook_ranges_t) { NULL, 0, 0 };
}
