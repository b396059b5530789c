// SPDX-License-Identifier: MIT
// Inputs made from inputs: see mutate.c. What comes of a seed is always the same.
#ifndef HV_MUTATE_H
#define HV_MUTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const uint8_t *at;
    uint32_t size;
} bytes_t;

// What a mutation may draw on besides what it changes: an input to be spliced with, and words of the format.
typedef struct {
    bytes_t other;
    const bytes_t *word;
    uint32_t words;
} mutate_from_t;

// xorshift64* (Marsaglia 2003, Vigna 2016).
typedef struct {
    uint64_t state;
} random_t;

random_t random_of(uint64_t seed, uint64_t round);
uint32_t random_below(random_t *r, uint32_t n);     // n: not 0

// A few mutations of the `size` bytes at data, where there is room for `max`. How many it has then.
uint32_t mutate(random_t *r, uint8_t *data, uint32_t size, uint32_t max, const mutate_from_t *from);

// One change of many, by number, of which all are made of an input sooner or later: each byte with each bit flipped, one more
// and less, and what a length, a flag or a sign may be there. False: there is no such one.
bool mutate_walk(uint8_t *data, uint32_t size, uint32_t number);

#endif
