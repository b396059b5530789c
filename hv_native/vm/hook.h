// SPDX-License-Identifier: MIT
// Hook tables.
// What is to happen at an exit: a native device, a rule run in C, or a Python handler. Hooks are
// found by key (function id, encoding, immediate) in a hash table or by address in a sorted array;
// both cost the same with one entry or a thousand.
#ifndef HV_HOOK_H
#define HV_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vcpu;
struct hook;

// A native device's access: *value is what was stored, or receives what is loaded. False: no such
// register, which ends as an external abort in the guest. So does an unaligned access, of which a device
// never hears: with its base and size multiples of 8, [offset, offset + size) is inside of it.
typedef bool (*native_mmio_t)(struct vcpu *v, struct hook *h, uint64_t offset, unsigned size, bool write, uint64_t *value);
// The same for an aligned word, which always succeeds: the short way to a device's registers. A store is the last that
// is done for its exit, and so returns what that returns: always 0, EXIT_RESUME.
typedef uint32_t (*native_load_t)(struct vcpu *v, struct hook *h, uint64_t offset);
typedef uint64_t (*native_store_t)(struct vcpu *v, struct hook *h, uint64_t offset, uint32_t value);

typedef enum {
    HOOK_NATIVE, HOOK_PYTHON,
    HOOK_TALLY,         // count it, always and never asking Python: done in the fast path
    HOOK_COUNT,         // count it, then do what would have been done
    HOOK_LOG,           // put it in the event ring, then the same
    HOOK_CONST,         // answer `value`, swallow writes
    HOOK_ANSWER,        // the same, always and never asking Python: done in the fast path
    HOOK_SHADOW,        // answer what was last written
    HOOK_KEEP,          // the same, always and never asking Python
    HOOK_NOTE,          // log it, always and never asking Python
    HOOK_FLIP,          // then what stands below, and of what is loaded these bits (`value`) are the other way round
    HOOK_DENY,          // undefined instruction, or external abort
} hook_kind_t;

typedef struct hook {
    uint64_t words;     // MMIO: that have the short way (load, store), size / 4, or 0. Loaded together with key
    uint64_t key;       // id, encoding, immediate; MMIO: first address
    uint64_t python;    // MMIO: bytes that a Python handler answers for, size or 0. Loaded together with
    void *handler;      // Python: handler_t (callback.h)
    uint64_t size;      // MMIO: bytes
    hook_kind_t kind;
    native_mmio_t native;
    native_load_t load; // both or neither: hook_short_way
    native_store_t store;
    void *context;      // the device
    uint64_t hits;
    uint64_t value;     // CONST, SHADOW
    struct hook *below; // of a rule: what is asked next when it does not decide, or NULL
    // A rule is about the exits that match these, and counts them in `hits`. Of those it fires at the
    // nth, or at all (0), but not within `every` counts of CNTPCT of the last time: then it asks
    // `handler`, or, without one, does what its kind says. One with a handler does that otherwise.
    bool match_value, match_pc;
    uint64_t match;     // the value written
    // HOOK_FLIP: match is how often, of 2^32 and less one, and last what the dice are at.
    uint64_t pc, nth, every, last;
} hook_t;

typedef struct {
    hook_t **slot;      // open addressing, a power of two of them, NULL is free
    uint32_t mask;      // slots - 1; 0 with slot == NULL: empty table
    uint32_t used;
    hook_t *hit;        // found last by hook_find_again, or hook_none; NULL: empty table
} hook_table_t;
extern hook_t hook_none; // of a key and a range that nothing has

typedef struct {
    hook_t **range;     // sorted by key, disjoint
    uint32_t count, room;
} hook_ranges_t;

// An aligned word of h goes by these, before any other check.
static inline void hook_short_way(hook_t *h, native_load_t load, native_store_t store) {
    h->load = load;
    h->store = store;
    h->words = load == NULL ? 0 : h->size / 4;
}

// Rotated like this, the offset of a word is its number, and one that is not aligned is beyond all of them.
static inline bool hook_has_word(const hook_t *h, uint64_t addr) {
    uint64_t offset = addr - h->key;
    return (offset >> 2 | offset << 62) < h->words;
}

static inline uint32_t hook_hash(uint64_t key) {
    return (uint32_t)key * 0x9E3779B1u >> 12;
}

static inline hook_t *hook_find(const hook_table_t *t, uint64_t key) {
    if (t->slot == NULL) {
        return NULL;
    }
    for (uint32_t i = hook_hash(key);; i++) {
        hook_t *h = t->slot[i & t->mask];
        if (h == NULL || h->key == key) {
            return h;
        }
    }
}

// The same where one key is asked for again and again, and the table changes only while nobody asks (vm_hold).
static inline hook_t *hook_find_again(hook_table_t *t, uint64_t key) {
    hook_t *h = t->hit;
    if (h != NULL && h->key != key) {
        h = hook_find(t, key);
        if (h != NULL) {
            t->hit = h;
        }
    }
    return h;
}

// Replaces one of the same key and returns it in *old. False: out of memory.
bool hook_add(hook_table_t *t, hook_t *h, hook_t **old);
hook_t *hook_remove(hook_table_t *t, uint64_t key);
void hook_clear(hook_table_t *t, void (*release)(hook_t *h));

hook_t *hook_range_find(const hook_ranges_t *r, uint64_t addr);
// A range that overlaps [addr, addr + size), or NULL.
hook_t *hook_range_overlap(const hook_ranges_t *r, uint64_t addr, uint64_t size);
bool hook_range_add(hook_ranges_t *r, hook_t *h);
void hook_range_remove(hook_ranges_t *r, hook_t *h);
void hook_ranges_clear(hook_ranges_t *r, void (*release)(hook_t *h));

#endif
