// SPDX-License-Identifier: MIT
// Instead of py/gc.c's: objects are found, freed and made longer by whole words of the table.
// py/gc.c remembers before which place no block is free, for objects of one block. A search of more starts
// there too, and passes all that was allocated since the last collection: each costs more than the one
// before. Here such a place is remembered for each size up to 16 blocks. The search still finds the first
// free run that is long enough, so memory is filled as before; only runs known to be too short are left out.
// Nearly always that run is among the 32 blocks from there on, and is found in one word of the table.

#include "py/runtime.h"
#include "hv_native/core/platform.h"
#include "hv_native/memory/mem.h"
#include "gc_alloc.h"
#include "gc_table.h"
#include "lookup.h"
#include "native/exec.h"

#define MOST 16 // blocks
#define GROWS_BY (64u << 10) // a multiple of it
#define STEP_MAX ((size_t)32 << 20) // the smaller an area is, the sooner it is empty again
#define LINE (1u << 20) // what one at the prompt may allocate first
#define LEAST 1024u // blocks: before so many are given out nothing is counted
#define ZONE ((1u << 20) / BLOCK / BLOCKS_PER_ATB) // see gc_alloc_code()

// Indices into the allocation table, as gc_last_free_atb_index is one: no n free blocks of the area begin before
// starts[n]; that of 1 is gc_last_free_atb_index. Nor does a run of `big`, which is more than MOST, before big_start.
typedef struct {
    area_t *area;
    size_t starts[MOST + 1];
    size_t highest; // of those
    size_t big, big_start;
    size_t bytes; // of memory, for an area that was added: this, and then area_t, are at its beginning
} hints_t;

static size_t line_began; // MP_STATE_MEM(gc_alloc_amount) then
static bool put_off; // the collection that was due
static size_t was_free; // blocks, after the last one; 0: not counted yet

static hints_t first = { .area = &MP_STATE_MEM(area) };
static hints_t *here = &first; // where something was found last

static hints_t *hints_of(area_t *area) {
    return area == first.area ? &first : (hints_t *)area - 1;
}

void gc_alloc_restart(void) {
    was_free = 0;
    for (area_t *area = &MP_STATE_MEM(area); area != NULL; area = area->next) {
        hints_t *h = hints_of(area);
        memset(h->starts, 0, sizeof(h->starts));
        h->highest = h->big = h->big_start = 0;
        area->gc_last_free_atb_index = 0;
    }
    here = &first;
    lookup_restart();
    qstr_find_restart();
    line_began = 0;
    put_off = false;
}

void gc_line_begins(void) {
    line_began = MP_STATE_MEM(gc_alloc_amount);
}

// Whole words of the table, and of that of finalisers.
static void trim(area_t *area) {
    area->gc_alloc_table_byte_len &= ~(size_t)15;
    area->gc_pool_end = area->gc_pool_start + area->gc_alloc_table_byte_len * BLOCKS_PER_ATB * BLOCK;
}

void gc_heap_init(void *start, void *end) {
    gc_init(start, end);
    trim(&MP_STATE_MEM(area));
    gc_alloc_restart();
}

// ---- Growth -------------------------------------------------------------------------------------

// What may be added at once: all areas together have half of RAM at most.
static size_t may_add(void) {
    size_t have = 0, most = platform.ram_size / 2;
    for (area_t *area = &MP_STATE_MEM(area); area != NULL; area = area->next) {
        have += (size_t)(area->gc_pool_end - area->gc_alloc_table_start);
    }
    return have < most ? MIN(most - have, page_largest()) & ~(size_t)(GROWS_BY - 1) : 0;
}

static size_t used_blocks(const area_t *area) {
    size_t used = 0;
    for (size_t at = 0; at <= area->gc_last_used_block / BLOCKS_PER_ATB; at += sizeof(uint64_t)) {
        uint64_t word = table_word(area, at);
        word = (word | word >> 1) & HEADS;
        word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
        word = (word + (word >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
        used += word * UINT64_C(0x0101010101010101) >> 56;
    }
    return used;
}

static gc_info_t now(void) {
    gc_info_t info = { 0 };
    for (area_t *area = &MP_STATE_MEM(area); area != NULL; area = area->next) {
        info.total += (size_t)(area->gc_pool_end - area->gc_pool_start);
        info.used += used_blocks(area) * BLOCK;
    }
    info.free = info.total - info.used;
    return info;
}

bool gc_half_is_used(void) {
    size_t given = MP_STATE_MEM(gc_alloc_amount);
    if (given < LEAST) {
        return false;
    }
    if (was_free == 0) {
        was_free = now().free / BLOCK + given;
    }
    return given > was_free / 2;
}

// For gc.mem_free() and gc.mem_alloc(): free is what is to be had without letting go of anything, in one piece more.
// micropython.mem_info() asks py/gc.c.
void gc_info(gc_info_t *info) {
    *info = now();
    info->free += may_add() / 66 * 65; // the tables take 3 / 256 of it
}

// The heap is made so much larger, or by what an object of so many bytes needs.
static bool grow_by(size_t more, size_t n_bytes) {
    size_t most = may_add(), need = n_bytes + n_bytes / 65 + GROWS_BY;
    if (n_bytes > most || need > most) {
        return false;
    }
    size_t bytes = MIN(most, MAX(more, need)) & ~(size_t)(GROWS_BY - 1);
    bytes += bytes < need ? GROWS_BY : 0;
    hints_t *h = bytes <= most ? page_alloc(bytes) : NULL;
    if (h == NULL || !exec_add(h, bytes)) {
        page_free(h, bytes);
        return false;
    }
    *h = (hints_t) { .area = (area_t *)(h + 1), .bytes = bytes };
    gc_add(h->area, (char *)h + bytes);
    trim(h->area);
    was_free = 0;
    return true;
}

// Made twice as large, 32 MB larger at most.
static bool grow(size_t n_bytes) {
    return grow_by(MIN(now().total, STEP_MAX), n_bytes);
}

// A heap that is full of what lives takes long to look through, and who has typed a line waits. The next time that it is full, or
// in idle time (gc_idle), it is done.
static bool grow_for_line(size_t n_bytes) {
    bool little = MP_STATE_MEM(gc_alloc_amount) - line_began < LINE / BLOCK && n_bytes < LINE / 2;
    put_off = !put_off && little && grow_by(LINE, n_bytes);
    return put_off;
}

// Live objects fill more than three quarters of it: the next collection would come soon, and give little.
static bool is_crowded(void) {
    gc_info_t info = now();
    return info.free < info.total / 4;
}

void gc_give_back(area_t *before) {
    hints_t *h = hints_of(before->next);
    before->next = before->next->next;
    exec_remove(h, h->bytes);
    page_free(h, h->bytes);
}

// ---- Looking for free blocks --------------------------------------------------------------------

// From where on in the table n blocks may be found.
static inline size_t start_for(const hints_t *h, size_t n) {
    size_t start = h->area->gc_last_free_atb_index;
    if (n > MOST && n >= h->big) {
        start = MAX(start, h->big_start);
    }
    return n > 1 ? MAX(start, MAX(h->starts[MIN(n, MOST)], h->starts[2])) : start; // where two are not free, more are not
}

// In a word: the blocks where n begin that are free, of those that are (a bit of HEADS each). n: up to 32.
static inline uint64_t runs(uint64_t free, size_t n) {
    for (size_t have = 1, more; have < n; have += more) {
        more = MIN(have, n - have);
        free &= free >> 2 * more; // where so many are free behind each other; behind the word none is
    }
    return free;
}

static inline uint64_t free_of(uint64_t word) {
    return ~(word | word >> 1) & HEADS;
}

// The first of n free blocks from table index `at` on; SIZE_MAX: there are none.
static size_t find(const area_t *area, size_t at, size_t n) {
    size_t before = 0; // so many right before the word are free
    for (at &= ~(sizeof(uint64_t) - 1); at < area->gc_alloc_table_byte_len; at += sizeof(uint64_t)) {
        uint64_t word = table_word(area, at);
        size_t first = at * BLOCKS_PER_ATB;
        if (word == 0) {
            before += WORD;
            if (before >= n) {
                return first + WORD - before;
            }
            continue;
        }
        uint64_t free = free_of(word), used = free ^ HEADS;
        if (before + (size_t)__builtin_ctzll(used) / 2 >= n) {
            return first - before;
        }
        uint64_t found = n < WORD ? runs(free, n) : 0;
        if (found != 0) {
            return first + (size_t)__builtin_ctzll(found) / 2;
        }
        before = (size_t)__builtin_clzll(used) / 2;
    }
    return SIZE_MAX;
}

// A free block becomes of that kind, or whatever it is becomes free.
static inline void set_block(byte *table, size_t block, unsigned kind) {
    byte *entry = table + block / BLOCKS_PER_ATB;
    unsigned shift = block % BLOCKS_PER_ATB * 2;
    *entry = (byte)(kind == FREE_KIND ? *entry & ~(3u << shift) : *entry | kind << shift);
}

static inline void set_blocks(area_t *area, size_t block, size_t n, unsigned kind) {
    byte *table = area->gc_alloc_table_start;
    for (; n > 0 && (block % BLOCKS_PER_ATB != 0 || n < BLOCKS_PER_ATB); block++, n--) {
        set_block(table, block, kind);
    }
    memset(table + block / BLOCKS_PER_ATB, (int)(kind * (byte)HEADS), n / BLOCKS_PER_ATB);
    for (block += n & ~3u, n &= 3; n > 0; block++, n--) {
        set_block(table, block, kind);
    }
}

static __attribute__((noinline)) void set_tails(area_t *area, size_t block, size_t n) {
    set_blocks(area, block, n, TAIL_KIND);
}

static __attribute__((noinline)) void set_free(area_t *area, size_t block, size_t n) {
    set_blocks(area, block, n, FREE_KIND);
}

// What is found is told to who looks next, and in the table's other half.
static inline void took(hints_t *h, size_t first, size_t n, unsigned int alloc_flags) {
    area_t *area = h->area;
    area->gc_last_used_block = MAX(area->gc_last_used_block, first + n - 1);
    if (n == 1) {
        area->gc_last_free_atb_index = (first + 1) / BLOCKS_PER_ATB;
    } else if (n <= MOST) {
        h->starts[n] = first / BLOCKS_PER_ATB;
        h->highest = MAX(h->highest, h->starts[n]);
    } else if (h->big == 0 || n <= h->big) {
        h->big = n;
        h->big_start = first / BLOCKS_PER_ATB;
    }
    MP_STATE_MEM(gc_alloc_amount) += n;
    if (alloc_flags & GC_ALLOC_FLAG_HAS_FINALISER) {
        area->gc_finaliser_table_start[first / 8] |= 1u << first % 8;
    }
}

static void *take(hints_t *h, size_t n, unsigned int alloc_flags) {
    area_t *area = h->area;
    size_t block = find(area, start_for(h, n), n);
    if (block == SIZE_MAX) {
        size_t end = area->gc_alloc_table_byte_len; // until something is freed
        if (n == 1) {
            area->gc_last_free_atb_index = end;
        } else if (n <= MOST) {
            h->starts[n] = h->highest = end;
        } else if (h->big == 0 || n <= h->big) {
            h->big = n;
            h->big_start = end;
        }
        return NULL;
    }
    STACK_IS_THERE();
    set_block(area->gc_alloc_table_start, block, HEAD_KIND);
    set_tails(area, block + 1, n - 1);
    took(h, block, n, alloc_flags);
    here = n <= MOST ? h : here; // what is small stays together, so that other areas may become empty
    return memset(area->gc_pool_start + block * BLOCK, 0, n * BLOCK);
}

static __attribute__((noinline)) void *search(size_t n_bytes, unsigned int alloc_flags) {
    size_t n = n_bytes / BLOCK + (n_bytes % BLOCK != 0);
    bool collected = !MP_STATE_MEM(gc_auto_collect_enabled);
    if (n == 0 || MP_STATE_THREAD(gc_lock_depth) != 0) {
        return NULL;
    }
    if (!collected && MP_STATE_MEM(gc_alloc_amount) >= MP_STATE_MEM(gc_alloc_threshold)) {
        gc_collect();
        collected = true;
    }
    for (;;) {
        for (area_t *area = &MP_STATE_MEM(area); area != NULL; area = area->next) {
            void *ptr = take(hints_of(area), n, alloc_flags);
            if (ptr != NULL) {
                return ptr;
            }
        }
        if (!collected && grow_for_line(n_bytes)) {
            continue;
        }
        if (!collected) {
            gc_collect();
        }
        if ((collected || is_crowded()) && !grow(n_bytes) && collected) {
            return NULL;
        }
        collected = true;
    }
}

// Nearly always there is a run of n free blocks in the first word of the table that is looked at: where the last one was
// found.
static __attribute__((noinline)) void *some(size_t n_bytes, unsigned int alloc_flags) {
    hints_t *h = here;
    area_t *area = h->area;
    size_t n = (n_bytes + BLOCK - 1) / BLOCK;
    uint64_t word, free;
    if (n - 1 >= WORD - 1 || MP_STATE_THREAD(gc_lock_depth) != 0 || MP_STATE_MEM(gc_alloc_amount) >= MP_STATE_MEM(gc_alloc_threshold)) {
        return search(n_bytes, alloc_flags);
    }
    size_t start = start_for(h, n);
    for (;; start += n == 1 ? sizeof(word) : sizeof(word) / 2) { // a run of up to 16 is in one of them
        if (start + sizeof(word) > area->gc_alloc_table_byte_len) {
            return search(n_bytes, alloc_flags);
        }
        word = table_word(area, start);
        free = runs(free_of(word), n);
        if (free != 0) {
            break;
        }
        if (n > MOST) {
            return search(n_bytes, alloc_flags);
        }
    }
    size_t shift = (size_t)__builtin_ctzll(free);
    table_set_word(area, start, word | (UINT64_C(1) | (TAILS & ~UINT64_C(3) & ~(~UINT64_C(0) << 2 * n))) << shift);
    size_t first = start * BLOCKS_PER_ATB + shift / 2;
    took(h, first, n, alloc_flags);
    uint64_t *ptr = (uint64_t *)(area->gc_pool_start + first * BLOCK);
    size_t i = 0;
    do {
        ptr[i] = ptr[i + 1] = ptr[i + 2] = ptr[i + 3] = 0;
    } while ((i += 4) < n * 4);
    return ptr;
}

// One block is the commonest: a number, a small tuple. NULL: it is not in the first word that is looked at. What is in it
// is old.
static inline uint64_t *one(unsigned int alloc_flags) {
    hints_t *h = here;
    area_t *area = h->area;
    size_t start = area->gc_last_free_atb_index;
    bool may = MP_STATE_THREAD(gc_lock_depth) == 0 && MP_STATE_MEM(gc_alloc_amount) < MP_STATE_MEM(gc_alloc_threshold);
    if (may && start + sizeof(uint64_t) <= area->gc_alloc_table_byte_len) {
        uint64_t word = table_word(area, start), free = free_of(word);
        if (free != 0) {
            table_set_word(area, start, word | (free & -free));
            size_t block = start * BLOCKS_PER_ATB + (size_t)__builtin_ctzll(free) / 2;
            took(h, block, 1, alloc_flags);
            return (uint64_t *)(area->gc_pool_start + block * BLOCK);
        }
    }
    return NULL;
}

static inline uint64_t *one_empty(unsigned int alloc_flags) {
    uint64_t *ptr = one(alloc_flags);
    if (ptr != NULL) {
        ptr[0] = ptr[1] = ptr[2] = ptr[3] = 0;
    }
    return ptr;
}

void *gc_alloc(size_t n_bytes, unsigned int alloc_flags) {
    uint64_t *ptr = n_bytes - 1 < BLOCK ? one_empty(alloc_flags) : NULL;
    return ptr != NULL ? ptr : some(n_bytes, alloc_flags);
}

void *__real_m_malloc(size_t n_bytes);
void *__wrap_m_malloc(size_t n_bytes);

static inline void count(size_t n_bytes) {
    MP_STATE_MEM(total_bytes_allocated) += n_bytes;
    size_t current = MP_STATE_MEM(current_bytes_allocated) += n_bytes;
    if (current > MP_STATE_MEM(peak_bytes_allocated)) {
        MP_STATE_MEM(peak_bytes_allocated) = current;
    }
}

// Nearly everything is allocated by this one.
void *__wrap_m_malloc(size_t n_bytes) {
    uint64_t *ptr = n_bytes - 1 < BLOCK ? one_empty(0) : NULL;
    if (ptr == NULL) {
        return __real_m_malloc(n_bytes);
    }
    count(n_bytes);
    return ptr;
}

static inline mp_obj_t number(uint64_t *ptr, const mp_obj_type_t *type, uint64_t first, uint64_t second) {
    ptr[0] = (uintptr_t)type;
    ptr[1] = first;
    ptr[2] = second;
    ptr[3] = 0;
    return MP_OBJ_FROM_PTR(ptr);
}

#define NUMBER_BYTES (3 * sizeof(uint64_t))
static __attribute__((noinline)) mp_obj_t number_elsewhere(const mp_obj_type_t *type, uint64_t first, uint64_t second) {
    return number(__real_m_malloc(NUMBER_BYTES), type, first, second);
}

mp_obj_t gc_new_number(const mp_obj_type_t *type, uint64_t first, uint64_t second) {
    uint64_t *ptr = one(0);
    if (ptr == NULL) {
        return number_elsewhere(type, first, second);
    }
    count(NUMBER_BYTES);
    return number(ptr, type, first, second);
}

// Blocks from there on become free.
static void freed_at(area_t *area, size_t block) {
    hints_t *h = hints_of(area);
    size_t index = block / BLOCKS_PER_ATB;
    area->gc_last_free_atb_index = MIN(area->gc_last_free_atb_index, index);
    index -= MIN(index, MOST / BLOCKS_PER_ATB); // a free run that was too short may end right before it
    if (index < h->highest) {
        for (unsigned n = 2; n <= MOST; n++) {
            h->starts[n] = MIN(h->starts[n], index);
        }
        h->highest = index;
    }
    h->big_start = MIN(h->big_start, index - MIN(index, h->big / BLOCKS_PER_ATB));
}

// Not while the heap is locked; but in a collection, where finalisers may.
void gc_free(void *ptr) {
    if (ptr == NULL || (MP_STATE_THREAD(gc_lock_depth) & ~GC_COLLECT_FLAG)) {
        return;
    }
    area_t *area = area_of(ptr);
    size_t block = block_of(area, ptr), n = 1;
    if (block_kind(area, block + 1) == TAIL_KIND) {
        n += blocks_alike(area->gc_alloc_table_start, block + 1, TAIL_KIND, SIZE_MAX);
    }
    STACK_IS_THERE();
    area->gc_finaliser_table_start[block / 8] &= ~(1u << block % 8);
    freed_at(area, block);
    set_free(area, block, n);
}

// In its place: shorter, or longer by what is free behind it.
static bool resize(area_t *area, size_t block, size_t old, size_t new) {
    if (new <= old) {
        STACK_IS_THERE();
        set_free(area, block + new, old - new);
        if (new < old) {
            freed_at(area, block + new);
        }
        return true;
    }
    if (block + new > area->gc_alloc_table_byte_len * BLOCKS_PER_ATB
        || blocks_alike(area->gc_alloc_table_start, block + old, FREE_KIND, new - old) < new - old) {
        return false;
    }
    STACK_IS_THERE();
    set_tails(area, block + old, new - old);
    area->gc_last_used_block = MAX(area->gc_last_used_block, block + new - 1);
    memset(area->gc_pool_start + (block + old) * BLOCK, 0, (new - old) * BLOCK);
    return true;
}

void *gc_realloc(void *ptr, size_t n_bytes, bool allow_move) {
    if (ptr == NULL) {
        return gc_alloc(n_bytes, 0);
    }
    if (n_bytes == 0) {
        gc_free(ptr);
        return NULL;
    }
    if (MP_STATE_THREAD(gc_lock_depth) != 0) {
        return NULL;
    }
    area_t *area = area_of(ptr);
    size_t block = block_of(area, ptr), old = 1 + blocks_alike(area->gc_alloc_table_start, block + 1, TAIL_KIND, SIZE_MAX);
    size_t new = n_bytes / BLOCK + (n_bytes % BLOCK != 0);
    if (resize(area, block, old, new)) {
        return ptr;
    }
    bool finaliser = area->gc_finaliser_table_start[block / 8] >> block % 8 & 1;
    void *moved = allow_move ? gc_alloc(n_bytes, finaliser ? GC_ALLOC_FLAG_HAS_FINALISER : 0) : NULL;
    if (moved != NULL) {
        memcpy(moved, ptr, old * BLOCK);
        gc_free(ptr);
    }
    return moved;
}

// Code is looked for room from ZONE on, if collections leave it to us: data that is written beside code costs QEMU,
// which keeps translations by page, a hundred times as much host time.
void *gc_alloc_code(size_t n_bytes) {
    area_t *area = first.area;
    hints_t was = first;
    size_t index = area->gc_last_free_atb_index;
    area->gc_last_free_atb_index = MAX(index, ZONE);
    here = &first;
    void *p = m_malloc_maybe(n_bytes);
    if (area->gc_last_free_atb_index >= ZONE) { // no collection came between
        area->gc_last_free_atb_index = index;
        first = was;
    }
    return p == NULL ? m_malloc(n_bytes) : p;
}
