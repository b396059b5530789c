// SPDX-License-Identifier: MIT
// Mutations: see mutate.h. Bits, bytes, sums and known hard values in 8 to 64 bits of either byte order, blocks that are
// repeated, moved, inserted or left out, words of a dictionary, and the beginning of one input with the end of another.

#include <string.h>
#include "core/arch.h"
#include "hold/mutate.h"

#define MOST_AT_ONCE 5      // 2 ^ (this - 1) mutations at most
#define SUM_BITS 6

// ---- Random numbers -----------------------------------------------------------------------------

static uint64_t next(random_t *r) {
    uint64_t x = r->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    r->state = x;
    return x * UINT64_C(0x2545F4914F6CDD1D);
}

// Numbers that are alike are to be far apart: splitmix64's finalizer.
static uint64_t spread(uint64_t z) {
    z += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

random_t random_of(uint64_t seed, uint64_t round) {
    uint64_t state = spread(spread(seed) + round);
    return (random_t) { state == 0 ? 1 : state };
}

uint32_t random_below(random_t *r, uint32_t n) {
    return (uint32_t)((next(r) >> 32) * n >> 32);
}

// The smaller of two: most often a little.
static uint32_t few(random_t *r, uint32_t n) {
    uint32_t a = random_below(r, n), b = random_below(r, n);
    return a < b ? a : b;
}

// ---- Pieces -------------------------------------------------------------------------------------

typedef struct {
    random_t *r;
    uint8_t *data;
    uint32_t size, max;
    const mutate_from_t *from;
} work_t;

// Where blocks are concerned short ones do more, and a long one does sometimes.
static uint32_t block_of(random_t *r, uint32_t most) {
    static const uint8_t sizes[] = { 4, 16, 32, 255 };
    uint32_t limit = sizes[random_below(r, sizeof(sizes))];
    return most == 0 ? 0 : 1 + random_below(r, most < limit ? most : limit);
}

// Room for n bytes at `at`; as many as there are.
static uint32_t open_gap(work_t *w, uint32_t at, uint32_t n) {
    n = w->max - w->size < n ? w->max - w->size : n;
    memmove(w->data + at + n, w->data + at, w->size - at);
    w->size += n;
    return n;
}

static uint64_t load(const uint8_t *at, unsigned n, bool big) {
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++) {
        v |= (uint64_t)at[big ? n - 1 - i : i] << 8 * i;
    }
    return v;
}

static void store(uint8_t *at, unsigned n, bool big, uint64_t v) {
    for (unsigned i = 0; i < n; i++) {
        at[big ? n - 1 - i : i] = (uint8_t)(v >> 8 * i);
    }
}

// A number in it: of how many bytes, where, in which order. False: there is no room for one.
static bool pick_number(work_t *w, unsigned *n, uint8_t **at, bool *big) {
    *n = 1u << few(w->r, 4);
    if (*n > w->size) {
        return false;
    }
    *at = w->data + random_below(w->r, w->size - *n + 1);
    *big = random_below(w->r, 2);
    return true;
}

// ---- Mutations ----------------------------------------------------------------------------------

static void flip_bit(work_t *w) {
    if (w->size != 0) {
        uint32_t bit = random_below(w->r, w->size * 8);
        w->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void set_byte(work_t *w) {
    if (w->size != 0) {
        w->data[random_below(w->r, w->size)] = (uint8_t)random_below(w->r, 256);
    }
}

static void sum(work_t *w) {
    unsigned n;
    uint8_t *at;
    bool big;
    if (pick_number(w, &n, &at, &big)) {
        int64_t by = 1 + (int64_t)random_below(w->r, 1u << few(w->r, SUM_BITS));
        store(at, n, big, load(at, n, big) + (uint64_t)(random_below(w->r, 2) ? by : -by));
    }
}

// Where signs, sizes and powers of two end: 0 and 1, 2^k, and one less or more than that; the same below 0.
static void hard_value(work_t *w) {
    unsigned n;
    uint8_t *at;
    bool big;
    if (pick_number(w, &n, &at, &big)) {
        uint64_t v = (UINT64_C(1) << random_below(w->r, 8 * n)) + random_below(w->r, 3) - 1;
        store(at, n, big, random_below(w->r, 3) == 0 ? -v : v);
    }
}

static void insert(work_t *w, const uint8_t *from, uint32_t n) {
    uint32_t at = random_below(w->r, w->size + 1);
    n = open_gap(w, at, n);
    memcpy(w->data + at, from, n);
}

static void overwrite(work_t *w, const uint8_t *from, uint32_t n) {
    if (n <= w->size) {
        memmove(w->data + random_below(w->r, w->size - n + 1), from, n);
    }
}

static void insert_block(work_t *w) {
    uint32_t n = block_of(w->r, w->max - w->size), at = random_below(w->r, w->size + 1);
    uint8_t fill = (uint8_t)random_below(w->r, 256);
    n = open_gap(w, at, n);
    memset(w->data + at, w->size != n && random_below(w->r, 2) ? w->data[at == 0 ? w->size - 1 : at - 1] : fill, n);
}

static void repeat_block(work_t *w) {
    uint8_t copy[255];
    uint32_t n = block_of(w->r, w->size < sizeof(copy) ? w->size : sizeof(copy));
    if (n != 0) {
        memcpy(copy, w->data + random_below(w->r, w->size - n + 1), n);
        if (random_below(w->r, 2)) {
            insert(w, copy, n);
        } else {
            overwrite(w, copy, n);
        }
    }
}

static void delete_block(work_t *w) {
    uint32_t n = block_of(w->r, w->size == 0 ? 0 : w->size - 1);
    if (n != 0) {
        uint32_t at = random_below(w->r, w->size - n + 1);
        memmove(w->data + at, w->data + at + n, w->size - at - n);
        w->size -= n;
    }
}

static void dictionary(work_t *w) {
    if (w->from->words == 0) {
        set_byte(w);
        return;
    }
    bytes_t word = w->from->word[random_below(w->r, w->from->words)];
    if (random_below(w->r, 2)) {
        insert(w, word.at, word.size);
    } else {
        overwrite(w, word.at, word.size);
    }
}

// Up to here this one, from there on the other.
static void splice(work_t *w) {
    const bytes_t *other = &w->from->other;
    if (other->size < 2 || w->size < 2) {
        sum(w);
        return;
    }
    uint32_t here = 1 + random_below(w->r, w->size - 1), there = random_below(w->r, other->size);
    uint32_t n = other->size - there;
    n = w->max - here < n ? w->max - here : n;
    memcpy(w->data + here, other->at + there, n);
    w->size = here + n;
}

static void from_other(work_t *w) {
    const bytes_t *other = &w->from->other;
    uint32_t n = block_of(w->r, other->size);
    if (n == 0) {
        flip_bit(w);
        return;
    }
    const uint8_t *at = other->at + random_below(w->r, other->size - n + 1);
    if (random_below(w->r, 2)) {
        insert(w, at, n);
    } else {
        overwrite(w, at, n);
    }
}

uint32_t mutate(random_t *r, uint8_t *data, uint32_t size, uint32_t max, const mutate_from_t *from) {
    static void(*const ways[])(work_t * w) = {
        flip_bit, flip_bit, set_byte, set_byte, sum, sum, hard_value, hard_value, insert_block, repeat_block, delete_block, delete_block,
        dictionary, dictionary, from_other, splice,
    };
    work_t w = { r, data, size, max, from };
    for (uint32_t n = 1u << few(r, MOST_AT_ONCE); n != 0; n--) {
        ways[random_below(r, ARRAY_LEN(ways))](&w);
    }
    return w.size;
}

#define WALK_WAYS 16u
#define WALK_MOST 256u  // bytes

bool mutate_walk(uint8_t *data, uint32_t size, uint32_t number) {
    uint32_t at = number / WALK_WAYS, way = number % WALK_WAYS;
    if (at >= size || at >= WALK_MOST) {
        return false;
    }
    const uint8_t is = data[at], now[] = { is + 1, is - 1, 0, 0xFF, 0x7F, 0x80, (uint8_t)(size - at - 1), (uint8_t)(size - at) };
    data[at] = way < 8 ? is ^ (uint8_t)(1u << way) : now[way - 8];
    return true;
}
