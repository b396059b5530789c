// SPDX-License-Identifier: MIT
// Small blocks of native memory, outside the GC heap.

#include <string.h>
#include "core/arch.h"
#include "memory/mem.h"
#include "memory/native.h"

// Small blocks come from pages by size class; a page never goes back, a block goes to its free list.
// Hooks are few and alike, so nothing is gained by more.
#define CLASSES 8 // 32 bytes .. 4 KB

typedef struct free_item {
    struct free_item *next;
} free_item_t;

static free_item_t *free_items[CLASSES];

static unsigned class_of(size_t bytes) {
    return bytes <= 32 ? 0 : 59 - __builtin_clzl(bytes - 1);
}

void *native_alloc(size_t bytes) {
    unsigned c = class_of(bytes);
    if (c >= CLASSES - 1) {
        void *p = page_alloc(bytes);
        if (p != NULL) {
            memset(p, 0, bytes);
        }
        return p;
    }
    if (free_items[c] == NULL) {
        size_t size = (size_t)32 << c;
        char *page = page_alloc(PAGE_SIZE);
        if (page == NULL) {
            return NULL;
        }
        for (size_t at = 0; at + size <= PAGE_SIZE; at += size) {
            free_item_t *item = (free_item_t *)(page + at);
            item->next = free_items[c];
            free_items[c] = item;
        }
    }
    free_item_t *item = free_items[c];
    free_items[c] = item->next;
    memset(item, 0, (size_t)32 << c);
    return item;
}

void native_free(void *p, size_t bytes) {
    unsigned c = class_of(bytes);
    if (p == NULL) {
        return;
    }
    if (c >= CLASSES - 1) {
        page_free(p, bytes);
        return;
    }
    free_item_t *item = p;
    item->next = free_items[c];
    free_items[c] = item;
}
