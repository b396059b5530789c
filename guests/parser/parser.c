// SPDX-License-Identifier: MIT
// Something to fuzz: a parser of records with three mistakes in it, each behind a check or two. Whoever runs it puts `size`
// bytes into `input` where parse() begins.
//
// A file is "EL", then records: a letter, how many bytes follow, and those bytes.

#include "smp.h"

#define INPUT_MAX 1024u

uint8_t input[INPUT_MAX];
volatile uint64_t size;
volatile int64_t result;
static uint64_t words[16];

typedef struct {
    const uint8_t *at, *end;
    uint64_t sum;
} reader_t;

static void copy(uint8_t *to, const uint8_t *from, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        ((volatile uint8_t *)to)[i] = from[i];
    }
}

// Up to 32 bytes. A mistake: of one that begins with an asterisk, whatever there is.
__attribute__((noinline)) int name(reader_t *r, const uint8_t *data, unsigned n) {
    uint8_t text[32];
    if (n > sizeof(text) && data[0] != '*') {
        return -1;
    }
    copy(text, data, n);
    for (unsigned i = 0; i < n && i < sizeof(text); i++) {
        r->sum += text[i];
    }
    return 0;
}

// One of 16 words. A mistake: a number of two bytes is not compared with that.
__attribute__((noinline)) int word(reader_t *r, const uint8_t *data, unsigned n) {
    if (n == 1 && data[0] < 16) {
        r->sum += words[data[0]];
        return 0;
    }
    if (n == 2) {
        uint64_t index = (uint64_t)data[0] << 32 | (uint64_t)data[1] << 24;
        r->sum += *(volatile uint64_t *)((uint64_t)words + index);
        return 0;
    }
    return -1;
}

// Back by so many bytes, at most to the first record. A mistake: nobody counts how often.
__attribute__((noinline)) int back(reader_t *r, const uint8_t *data, unsigned n) {
    if (n != 1 || data[0] == 0 || r->at - data[0] < input + 2) {
        return -1;
    }
    r->at -= data[0];
    return 0;
}

__attribute__((noinline)) int record(reader_t *r) {
    uint8_t kind = r->at[0], n = r->at[1];
    const uint8_t *data = r->at + 2;
    if (data + n > r->end) {
        return -1;
    }
    r->at = data + n;
    switch (kind) {
        case 'n':
            return n == 0 ? -1 : name(r, data, n);
        case 'w':
            return word(r, data, n);
        case 'b':
            return back(r, data, n);
        case 'z':
            return n == 0 ? 1 : -1;
        default:
            return 0;
    }
}

__attribute__((noinline)) int64_t parse(const uint8_t *data, uint64_t n) {
    reader_t r = { data, data + n, 0 };
    if (n < 2 || data[0] != 'E' || data[1] != 'L') {
        return -1;
    }
    r.at += 2;
    while (r.end - r.at >= 2) {
        int got = record(&r);
        if (got != 0) {
            return got < 0 ? -1 : (int64_t)r.sum;
        }
    }
    return (int64_t)r.sum;
}

void guest_main(uint64_t x0) {
    (void)x0;
    mmu_on();
    for (;;) {
        result = parse(input, size);
    }
}
