// SPDX-License-Identifier: MIT
// Fuzzing: a vCPU is run from one snapshot again and again, each time with another input.
//
// A round: back to the snapshot, an input made of those that have led to something new, into the guest's memory or
// registers with it, and run until a place where rounds end, a fault, or a limit. What a round does follows from the seed,
// its number and what was found before, so that the same seed finds the same.
#ifndef HV_FUZZ_H
#define HV_FUZZ_H

#include "hold/mutate.h"
#include "insight/breaks.h"
#include "hold/snapshot.h"
#include "irq/timer.h"
#include "vm/vcpu_state.h"

#define FUZZ_MAX 32768u     // bytes of an input
#define FUZZ_STOPS 64u
#define FUZZ_WORDS 256u
#define FUZZ_FRAMES 8u
#define FUZZ_NO_REGISTER 31u

// FUZZ_FAULT: of a place in the guest's vectors; what is told of it is where it was taken.
typedef enum { FUZZ_OK, FUZZ_CRASH, FUZZ_HANG, FUZZ_FAULT } verdict_t;
typedef enum { HANG_NONE, HANG_INSTRUCTIONS, HANG_TIME, HANG_IDLE } hang_t;

// How a round ended.
typedef struct {
    verdict_t verdict;
    exit_t why;
    hang_t hang;
    int stop;           // which of f->stop, or -1
    uint64_t pc, esr, far, key;
    uint32_t frames;
    uint64_t frame[FUZZ_FRAMES];    // who called, innermost first
} fuzz_end_t;

typedef struct {
    uint64_t round;     // that made it; 0: it was given
    uint64_t times;     // of a crash or hang: how often
    uint32_t size, parent;
    uint32_t walked;    // of mutate_walk, so many have been made of it
    bool fresh;         // given, and to be run as it is
    bool dead;          // and what came of that is no good beginning for others
    const fuzz_end_t *end;  // of a crash or hang
    uint8_t data[];
} fuzz_input_t;

typedef struct {
    fuzz_input_t **at;
    uint32_t count, room;
} fuzz_list_t;

// A part of guest memory, by pages.
typedef struct {
    uint64_t ipa;
    uint8_t *host;
    uint32_t bytes;
} fuzz_span_t;

typedef struct {
    fuzz_span_t *span;
    uint32_t spans, bytes;
} fuzz_place_t;

// A basic block whose execution is new once.
typedef struct {
    uint64_t va;
    brk_t *brk;     // NULL: where rounds begin
} fuzz_block_t;

#define FUZZ_BLOCKS 65536u
#define FUZZ_STEP_MAP 0x4000u
#define FUZZ_STARTS 8192u

typedef struct fuzz {
    vm_t *vm;
    vcpu_t *v;
    snapshot_t *s;
    uint64_t seed, quota, used;     // bytes
    uint32_t max;
    uint64_t ticks, instructions;   // limits of a round; 0: none
    uint64_t hvcs;

    uint8_t *input;
    uint32_t size, parent;
    bool as_is;         // it is a given one, which is run as it is
    bool walks;         // it is the next one of mutate_walk's
    fuzz_place_t put, map;
    uint8_t address_register, length_register;
    uint8_t *seen;      // of the map: what is new no more; and behind that, what is not of a hang
    struct {
        uint64_t va;
        uint64_t sp;    // 0: any
        verdict_t verdict;
    } stop[FUZZ_STOPS];
    unsigned stops;
    fuzz_block_t *block;    // by one-shot breakpoints
    uint32_t blocks, room, covered;
    uint64_t covered_before;
    bool steps;         // by single steps: edges in map, where they led to in start
    uint64_t *start;
    uint32_t starts;
    uint64_t stepped, at;   // so many in this round; where the last one began
    bytes_t word[FUZZ_WORDS];
    unsigned words;

    fuzz_list_t corpus, crashes, hangs;
    uint32_t cursor;    // before this one of the corpus none is fresh
    uint64_t rounds, found, new_crashes;
    uint32_t since;     // rounds since all pages were protected anew
    void *arena;        // its pieces, each with the next one in its first word
    uint32_t arena_used;

    bool inside;        // a round has begun and has not ended
    bool full;          // there was no memory to keep what was found
    exit_t left;        // why fuzz_run returned
    fuzz_end_t end;
    uint64_t goal, goal_crashes;    // until f->rounds is this, or f->new_crashes that
    uint64_t until;     // and CNTPCT this: others are to have their turn
    int counter;        // of the core's, for instructions; -1: it has none
    uint32_t began_count;
    uint64_t began, away;
    timer_t tick;
} fuzz_t;

// Boot core; the VM does not run, and is at s. One for each VM. NULL: no memory.
fuzz_t *fuzz_new(vm_t *vm, vcpu_t *v, snapshot_t *s, uint32_t max, uint64_t quota);
void fuzz_free(vm_t *vm);
fuzz_t *fuzz_of(const vm_t *vm);

// What is at va for v, in pages that are there. False: it is not all RAM, or no memory.
bool fuzz_place(fuzz_t *f, fuzz_place_t *p, uint64_t va, uint32_t bytes);
bool fuzz_cover_map(fuzz_t *f, uint64_t va, uint32_t bytes);
// n one-shot breakpoints are to come; one of them. False: no memory, or it is not RAM.
bool fuzz_cover_blocks(fuzz_t *f, uint32_t n);
bool fuzz_cover_block(fuzz_t *f, uint64_t va);
bool fuzz_cover_steps(fuzz_t *f);
// False: no memory within the quota.
fuzz_input_t *fuzz_add(fuzz_t *f, fuzz_list_t *list, const uint8_t *data, uint32_t size);
void *fuzz_alloc(fuzz_t *f, size_t bytes);

// For boot_core_alone: rounds, until the goal, or f->left says what else. Of EXIT_EVENT and EXIT_RESUME it may be called again.
exit_t fuzz_run(vcpu_t *v);

// The parts of a round, for a script that has its hand in it. Back, and an input; then fuzz_one, for boot_core_alone,
// until f->inside is false or f->left is neither of those; then what came of it. is_new: it goes to the corpus.
void fuzz_begin(fuzz_t *f);
void fuzz_put(fuzz_t *f);
exit_t fuzz_one(vcpu_t *v);
bool fuzz_is_new(fuzz_t *f);
void fuzz_judge(fuzz_t *f, bool is_new);
void fuzz_back(fuzz_t *f);   // the VM is where rounds begin

#endif
