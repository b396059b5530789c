// SPDX-License-Identifier: MIT
// Instead of py/gc.c's: what a collection marks and frees. py/gc.c puts all the children of a block on a stack of 64 and,
// when those are more, looks through the whole heap again for what it has left out: one list of a hundred items is
// enough. Here the stack has what is still to be looked through of each block, so that it is as deep as objects are
// nested, and it grows. Blocks are freed 32 at a time.

#include "py/runtime.h"
#include "shared/runtime/gchelper.h"
#include "shared/runtime/softtimer.h"
#include "hv_native/memory/lent.h"
#include "hv_native/memory/mem.h"
#include "hv_native/trap/el2_fault.h"
#include "frozen.h"
#include "gc_alloc.h"
#include "gc_table.h"

#define FEW 256
#define BLOCKS_PER_FTB 8

typedef struct {
    void **at, **end;
} rest_t;

static rest_t few[FEW], *stack = few;
static size_t room = FEW;
static bool lost; // something that had no room there
static bool (*wanted)(void); // of a collection in idle time: whether there is something else to do; or NULL
static bool given_up; // because there is
#define LOOKS_AFTER 2048u // objects
static unsigned look_in;
static uintptr_t heap_low, heap_span; // from the first area's begin to the last one's end

// ---- Marking ------------------------------------------------------------------------------------

static bool make_room(void) {
    rest_t *more = page_alloc(2 * room * sizeof(rest_t));
    if (more == NULL) {
        lost = true;
        return false;
    }
    memcpy(more, stack, room * sizeof(rest_t));
    if (stack != few) {
        page_free(stack, room * sizeof(rest_t));
    }
    stack = more;
    room *= 2;
    return true;
}

static void give_room(void) {
    if (stack != few) {
        page_free(stack, room * sizeof(rest_t));
        stack = few;
        room = FEW;
    }
}

// Most words are no addresses of the heap.
static inline void **first_address(void **at, void **end, uintptr_t from, uintptr_t size) {
    #define MAY_BE(i) ((uintptr_t)at[i] - from < size)
    for (; at + 4 <= end; at += 4) {
        if (MAY_BE(0)) {
            return at;
        }
        if (MAY_BE(1)) {
            return at + 1;
        }
        if (MAY_BE(2)) {
            return at + 2;
        }
        if (MAY_BE(3)) {
            return at + 3;
        }
    }
    while (at < end && !MAY_BE(0)) {
        at++;
    }
#undef MAY_BE
    return at;
}

static bool look(void) {
    look_in = LOOKS_AFTER;
    given_up = wanted();
    return given_up;
}

// What mark() looks at all the time.
typedef struct {
    byte *table;
    uintptr_t pool, size;
} where_t;

static where_t where(const area_t *area) {
    uintptr_t pool = (uintptr_t)area->gc_pool_start;
    return (where_t) { area->gc_alloc_table_start, pool, (uintptr_t)area->gc_pool_end - pool };
}

// In what is long: eight words by one branch.
static void **skip_plain(void **at, void **end, uintptr_t from, uintptr_t size) {
    #define OTHER(i) ((uintptr_t)at[i] - from >= size)
    while (at + 8 <= end && (OTHER(0) & OTHER(1) & OTHER(2) & OTHER(3) & OTHER(4) & OTHER(5) & OTHER(6) & OTHER(7))) {
        at += 8;
    }
#undef OTHER
    return at;
}

// The object at this offset, if there is one that is not marked yet, is. What kind the block behind it is, above those two
// bits; 0: there is none.
static inline unsigned mark_one(byte *table, uintptr_t offset) {
    size_t block = offset / BLOCK;
    byte *entry = table + block / BLOCKS_PER_ATB;
    unsigned shift = block % BLOCKS_PER_ATB * 2;
    uint16_t kinds;
    memcpy(&kinds, entry, sizeof(kinds)); // its own and the next one's
    if (offset % BLOCK != 0 || (kinds >> shift & 3) != HEAD_KIND) {
        return 0;
    }
    *entry = (byte)(kinds | TAIL_KIND << shift);
    return kinds >> shift & 15;
}

#define MARK mark
#define LOOK
#include "gc_mark.h"

// The same, until there is something else to do.
#undef MARK
#undef LOOK
#define MARK mark_idly
#define LOOK if (--look_in == 0 && look()) return
#include "gc_mark.h"

// For who looks through stacks, registers and timers.
void gc_collect_root(void **ptrs, size_t len) {
    if (wanted == NULL) {
        mark(ptrs, ptrs + len);
    } else if (!given_up) {
        mark_idly(ptrs, ptrs + len);
    }
}

// Without room for what remained of some, the children of whatever is marked are marked, until none is new.
static void mark_lost(void) {
    while (lost) {
        lost = false;
        for (area_t *area = &MP_STATE_MEM(area); area != NULL; area = area->next) {
            for (size_t at = 0; at < area->gc_alloc_table_byte_len; at += sizeof(uint64_t)) {
                uint64_t word = table_word(area, at);
                for (uint64_t marks = word & word >> 1 & HEADS; marks != 0; marks &= marks - 1) {
                    size_t block = at * BLOCKS_PER_ATB + (size_t)__builtin_ctzll(marks) / 2;
                    size_t n = 1 + blocks_alike(area->gc_alloc_table_start, block + 1, TAIL_KIND, SIZE_MAX);
                    void **children = (void **)(area->gc_pool_start + block * BLOCK);
                    mark(children, children + n * (BLOCK / sizeof(void *)));
                }
            }
        }
    }
}

// ---- Freeing ------------------------------------------------------------------------------------

static void finalise(area_t *area, size_t block) {
    mp_obj_base_t *obj = (mp_obj_base_t *)(area->gc_pool_start + block * BLOCK);
    mp_obj_t method[2] = { MP_OBJ_NULL };
    if (obj->type != NULL) {
        mp_load_method_maybe(MP_OBJ_FROM_PTR(obj), MP_QSTR___del__, method);
    }
    if (method[0] != MP_OBJ_NULL) {
        mp_sched_lock();
        mp_call_function_1_protected(method[0], method[1]);
        mp_sched_unlock();
    }
    area->gc_finaliser_table_start[block / BLOCKS_PER_FTB] &= ~(1u << block % BLOCKS_PER_FTB);
}

static void finalise_all(void) {
    for (area_t *area = &MP_STATE_MEM(area); area != NULL; area = area->next) {
        for (size_t at = 0; at <= area->gc_last_used_block / BLOCKS_PER_FTB; at += sizeof(uint64_t)) {
            uint64_t word;
            memcpy(&word, area->gc_finaliser_table_start + at, sizeof(word));
            for (; word != 0; word &= word - 1) {
                size_t block = at * BLOCKS_PER_FTB + (size_t)__builtin_ctzll(word);
                if (block_kind(area, block) == HEAD_KIND) {
                    finalise(area, block);
                }
            }
        }
    }
}

// Heads that are not marked become free with their tails, marked ones are heads again. A word in which none becomes
// free needs no more than that; else a 1 is added to each run of tails (11 here) that has to go, which clears it. Whether anything is left.
static bool sweep_area(area_t *area) {
    size_t last = 0;
    uint64_t any = 0;
    uint64_t goes_on = 0; // to the next word: 1, the tails of what is freed
    for (size_t at = 0; at <= area->gc_last_used_block / BLOCKS_PER_ATB; at += sizeof(uint64_t)) {
        uint64_t word = table_word(area, at);
        uint64_t low = word & HEADS, high = word >> 1 & HEADS, dead = low & ~high, tails = high & ~low, left = tails;
        if ((dead | goes_on) != 0) {
            left &= 3 * tails + ((dead << 2 | goes_on) & tails);
            goes_on = (dead | (tails & ~left)) >> 62;
        }
        left = (low & high) | left << 1;
        any |= left;
        if (left != word) {
            table_set_word(area, at, left);
        }
        if (left != 0) {
            last = at * BLOCKS_PER_ATB + (63 - (size_t)__builtin_clzll(left)) / 2;
        }
    }
    area->gc_last_used_block = last;
    return any != 0;
}

static void finish(void) {
    MP_STATE_MEM(gc_alloc_amount) = 0;
    finalise_all();
    sweep_area(&MP_STATE_MEM(area));
    for (area_t *area = &MP_STATE_MEM(area); area->next != NULL;) {
        if (sweep_area(area->next)) {
            area = area->next;
        } else {
            gc_give_back(area);
        }
    }
    gc_alloc_restart();
    MP_STATE_THREAD(gc_lock_depth) &= ~GC_COLLECT_FLAG;
}

static void begin(void) {
    MP_STATE_THREAD(gc_lock_depth) |= GC_COLLECT_FLAG;
    heap_low = UINTPTR_MAX;
    uintptr_t high = 0;
    for (area_t *area = &MP_STATE_MEM(area); area != NULL; area = area->next) {
        heap_low = MIN(heap_low, (uintptr_t)area->gc_pool_start);
        high = MAX(high, (uintptr_t)area->gc_pool_end);
    }
    heap_span = high - heap_low;
}

// What is marked is a head again.
static void unmark(void) {
    for (area_t *area = &MP_STATE_MEM(area); area != NULL; area = area->next) {
        for (size_t at = 0; at <= area->gc_last_used_block / BLOCKS_PER_ATB; at += sizeof(uint64_t)) {
            uint64_t word = table_word(area, at);
            table_set_word(area, at, word & ~((word & word >> 1 & HEADS) << 1));
        }
    }
    MP_STATE_THREAD(gc_lock_depth) &= ~GC_COLLECT_FLAG;
}

// Never left in the middle: not even by the overflow of a stack that was deep already.
static void collect(void) {
    uintptr_t floor = unwind_floor;
    unwind_floor = (uintptr_t)__builtin_frame_address(0);
    begin();
    gc_collect_root((void **)&mp_state_ctx.thread.dict_locals, ((uintptr_t)&mp_state_ctx.vm.qstr_last_chunk - (uintptr_t)&mp_state_ctx.thread.dict_locals) / sizeof(void *));
    gc_helper_collect_regs_and_stack();
    soft_timer_gc_mark_all();
    frozen_class_mark();
    if (!given_up) {
        mark_lost();
    }
    give_room();
    if (given_up) {
        lost = false;
        unmark();
    } else {
        finish();
        lent_sweep();
    }
    unwind_floor = floor;
}

void gc_collect(void) {
    wanted = NULL;
    given_up = false;
    collect();
}

void gc_idle(bool (*something)(void)) {
    if (MP_STATE_MEM(gc_auto_collect_enabled) && MP_STATE_THREAD(gc_lock_depth) == 0) {
        wanted = something;
        look_in = LOOKS_AFTER;
        given_up = false;
        collect();
        wanted = NULL;
    }
}

void gc_sweep_all(void) {
    MP_STATE_THREAD(gc_lock_depth) |= GC_COLLECT_FLAG;
    finish();
}
