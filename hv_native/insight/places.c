// SPDX-License-Identifier: MIT
// Planting, and what others than the guest's own fetches see of it: see breaks.h.

#include "core/arch.h"
#include "insight/places.h"
#include "memory/native.h"
#include "vcpu/a64.h"
#include "vcpu/debug.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/shared.h"
#include "vm/vm.h"

uint64_t (*places_fast)(vcpu_t *v, guest_regs_t *r, breaks_t *b);

// ---- In memory ----------------------------------------------------------------------------------

void place_write(vm_t *vm, const place_t *p, uint32_t word) {
    volatile uint32_t *at = p->at;
    (void)vm;
    if (*at != word) {
        *at = word;
        cache_written((const void *)at, 4);
    }
}

// ERET, MRS and MSR of DAIF: what a step has masked is not simply put back behind these (step.c).
static bool moves_masks(uint32_t word) {
    return word == 0xD69F03E0 || (word & 0xFFDFFFE0) == 0xD51B4220 || (word & 0xFFFFF01F) == 0xD503401F;
}

// What the fast path can do, where x19 to x29 are still the guest's.
static void decide(place_t *p) {
    const brk_t *b = p->first;
    uint32_t word = p->original;
    bool move = (word & 0xFFE0FFE0) == 0xAA0003E0 && (word & 31) != 31 && (word >> 16 & 31) != 31; // MOV Xd, Xm
    bool at_hand = move && FIELD(word, 4, 0) - 19u > 10 && FIELD(word, 20, 16) - 19u > 10;
    bool plain = b != NULL && b->next == NULL && b->on && !b->once && !b->match_sp && !b->match_space && b->cpu < 0 && b->from <= 1 && !b->el0;
    bool quick = plain && p->inside == 0 && p->begins == 0 && b->action != BREAK_LOG && b->action != BREAK_STOP;
    bool stack = (word & 0xFFC003FF) == 0xD10003FF; // SUB SP, SP, #n
    p->how = word == NOP ? BY_NOP : at_hand ? BY_MOVE : stack ? BY_SP : p->core && !moves_masks(word) ? BY_CORE : BY_OTHER;
    if (plain && b->action == BREAK_COVER && !p->bare && p->inside == 0 && p->begins == 0) {
        p->how = BY_COVER;
        quick = true;
    }
    p->plain = quick && p->how != BY_OTHER ? p->first : NULL;
    p->count = p->plain != NULL && p->how == BY_NOP && b->action == BREAK_COUNT ? &p->first->hits : NULL;
    p->function = p->plain != NULL && p->how != BY_CORE && b->action == BREAK_PYTHON ? b->handler : NULL;
}

void place_by_core(place_t *p) {
    if (!p->core) {
        p->core = true;
        decide(p);
    }
}

// Called for each place in [ipa, ipa + size).
typedef void (*each_t)(vm_t *vm, place_t *p, void *arg);

static void each_place(vm_t *vm, uint64_t ipa, uint64_t size, each_t f, void *arg) {
    const hook_table_t *t = &vm->breaks->table;
    uint64_t first = ALIGN_DOWN(ipa, 4), length = ALIGN_UP(ipa + size, 4) - first;
    if (t->slot == NULL) {
        return;
    }
    for (uint64_t at = 0; at < length && length / 4 <= t->mask; at += 4) {
        place_t *p = place_at(vm, first + at);
        if (p != NULL) {
            f(vm, p, arg);
        }
    }
    for (uint32_t i = 0; i <= t->mask && length / 4 > t->mask; i++) {
        if (t->slot[i] != NULL && t->slot[i]->key - first < length) {
            f(vm, (place_t *)t->slot[i], arg);
        }
    }
}

static void open_place(vm_t *vm, place_t *p, void *arg) {
    (void)arg;
    place_write(vm, p, p->original);
}

static void close_place(vm_t *vm, place_t *p, void *arg) {
    (void)arg;
    const uint32_t *at = vm_ram(vm, p->hook.key, 4);
    if (at != NULL && p->bare) {
        p->original = *at;
    } else if (at != NULL && *at != p->planted) {
        p->original = *at;
        p->core = false;
        decide(p);
        place_write(vm, p, p->planted);
    }
}

typedef struct {
    uint64_t ipa, size;
    uint8_t *copy;
} shown_t;

static void show_place(vm_t *vm, place_t *p, void *arg) {
    const shown_t *s = arg;
    (void)vm;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t at = p->hook.key + i - s->ipa;
        if (at < s->size) {
            s->copy[at] = (uint8_t)(p->original >> 8 * i);
        }
    }
}

void breaks_open(vm_t *vm, uint64_t ipa, uint64_t size) {
    if (vm->breaks != NULL) {
        each_place(vm, ipa, size, open_place, NULL);
    }
}

void breaks_close(vm_t *vm, uint64_t ipa, uint64_t size) {
    if (vm->breaks != NULL) {
        each_place(vm, ipa, size, close_place, NULL);
    }
}

void breaks_show(vm_t *vm, uint64_t ipa, uint64_t size, void *copy) {
    if (vm->breaks != NULL) {
        each_place(vm, ipa, size, show_place, &(shown_t) { ipa, size, copy });
    }
}

static void on_load(vm_t *vm, uint64_t ipa, unsigned size, uint8_t *data) {
    breaks_show(vm, ipa, size, data);
}

static void on_store(vm_t *vm, uint64_t ipa, uint64_t size, bool after) {
    if (after) {
        breaks_close(vm, ipa, size);
    } else {
        breaks_open(vm, ipa, size);
    }
}

// ---- Planting -----------------------------------------------------------------------------------

static void count_place(vm_t *vm, place_t *p, void *arg) {
    (void)vm;
    (void)p;
    ++*(unsigned *)arg;
}

static void drop_place(vm_t *vm, place_t *p) {
    if (p->first == NULL && p->inside == 0) {
        uint64_t page = ALIGN_DOWN(p->hook.key, PAGE_SIZE);
        unsigned left = 0;
        place_write(vm, p, p->original);
        hook_remove(&vm->breaks->table, p->hook.key);
        native_free(p, sizeof(place_t));
        each_place(vm, page, PAGE_SIZE, count_place, &left);
        if (left == 0) {
            rights_give(vm, RIGHTS_BREAK, page, PAGE_SIZE);
        }
    }
}

// There is another breakpoint where there was one for coverage.
static bool unbare(vm_t *vm, place_t *p, unsigned taken) {
    if (taken & S2_READ) {
        p->bare = false;
        place_write(vm, p, p->planted);
    }
    return rights_take(vm, RIGHTS_BREAK, ALIGN_DOWN(p->hook.key, PAGE_SIZE), PAGE_SIZE, taken);
}

static place_t *make_place(vm_t *vm, uint64_t ipa, bool el0, unsigned taken) {
    place_t *p = place_at(vm, ipa);
    uint32_t *at = vm_ram(vm, ipa, 4);
    if (p != NULL || at == NULL) {
        return p == NULL || unbare(vm, p, taken) ? p : NULL;
    }
    p = native_alloc(sizeof(place_t));
    if (p == NULL) {
        return NULL;
    }
    hook_t *old;
    p->hook.key = ipa;
    p->at = at;
    p->planted = el0 ? BRK(BREAK_IMM) : HVC(BREAK_IMM);
    cache_clean_poc(at, 4);
    p->original = *at;
    if (!hook_add(&vm->breaks->table, &p->hook, &old)) {
        native_free(p, sizeof(place_t));
        return NULL;
    }
    // Executed as it is, read and written as it was.
    if (!rights_take(vm, RIGHTS_BREAK, ALIGN_DOWN(ipa, PAGE_SIZE), PAGE_SIZE, taken)) {
        drop_place(vm, p);
        return NULL;
    }
    if (vm->forks != NULL) { // which must not execute it
        uint64_t daif = spin_lock_irq(&vm->lock);
        shared_revoke(vm, ipa);
        spin_unlock_irq(&vm->lock, daif);
    }
    place_write(vm, p, p->planted);
    vm->breaks->entry.fast = places_fast;
    return p;
}

static uint32_t original_at(vm_t *vm, uint64_t ipa) {
    const place_t *p = place_at(vm, ipa);
    const uint32_t *at = p == NULL ? vm_ram(vm, ipa, 4) : &p->original;
    return at == NULL ? 0 : *at;
}

// Between a load-exclusive and its store an exit is the end of the attempt: of a loop that tries until it succeeds there
// would be none. So what begins it is planted too, and the sequence is done by software from there.
static uint64_t sequence_of(vm_t *vm, uint64_t ipa) {
    uint64_t page = ALIGN_DOWN(ipa, PAGE_SIZE);
    for (uint64_t at = ipa; at > page && ipa - at < 4 * SEQUENCE;) {
        at -= 4;
        uint32_t word = original_at(vm, at);
        if (a64_is_load_exclusive(word)) {
            return at;
        }
        if (a64_is_store_exclusive(word)) {
            break;
        }
    }
    return 0;
}

static bool tie_sequence(vm_t *vm, place_t *p, bool el0) {
    uint64_t begins = p->begins != 0 ? 0 : sequence_of(vm, p->hook.key);
    if (begins == 0) {
        return true;
    }
    place_t *start = make_place(vm, begins, el0, S2_READ | S2_WRITE);
    if (start == NULL) {
        return false;
    }
    p->begins = begins;
    start->inside++;
    decide(start);
    return true;
}

// ---- In debug registers -------------------------------------------------------------------------

#define BREAK_WORD UINT64_C(0x1E0)  // DBGBCR.BAS: all four bytes
#define BREAK_EL0 UINT64_C(4)       // PMC
#define BREAK_ANY UINT64_C(6)

static int pair_of(const vm_t *vm, const brk_t *b) {
    for (int i = 0; i < (int)DEBUG_BREAKS; i++) {
        const place_t *p = vm->breaks->pair[i];
        if (p != NULL && p->hook.key == b->ipa && p->first->el0 == b->el0) {
            return i;
        }
    }
    return -1;
}

static place_t *make_pair(vm_t *vm, const brk_t *b) {
    int i = pair_of(vm, b);
    if (i >= 0) {
        return vm->breaks->pair[i];
    }
    place_t *p = native_alloc(sizeof(place_t));
    i = p == NULL ? -1 : debug_take(vm, DEBUG_BREAK, b->ipa, BREAK_WORD | (b->el0 ? BREAK_EL0 : BREAK_ANY));
    if (i < 0) {
        native_free(p, sizeof(place_t));
        return NULL;
    }
    p->hook.key = b->ipa;
    return vm->breaks->pair[i] = p;
}

static void drop_pair(vm_t *vm, int i) {
    place_t *p = vm->breaks->pair[i];
    vm->breaks->pair[i] = NULL;
    debug_give(vm, DEBUG_BREAK, i);
    native_free(p, sizeof(place_t));
}

// ---- Adding and removing ------------------------------------------------------------------------

static place_t *make_planted(vm_t *vm, const brk_t *b) {
    bool cover = b->action == BREAK_COVER; // once only: a loop of exclusives succeeds the next time
    place_t *p = make_place(vm, b->ipa, b->el0, cover ? S2_WRITE : S2_READ | S2_WRITE);
    if (p != NULL && !cover && !tie_sequence(vm, p, b->el0)) {
        drop_place(vm, p);
        return NULL;
    }
    return p;
}

static uint64_t nothing_planted(vcpu_t *v, guest_regs_t *r, breaks_t *breaks) {
    (void)v, (void)r, (void)breaks;
    return EXIT_TRAP;
}

// The guest's own BRKs take the way by EL2 only as long as there are ours at EL0.
static void count_el0(vm_t *vm, const brk_t *b, int more) {
    vm->breaks->el0 += b->el0 && !b->hard ? (unsigned)more : 0;
    if (vm->debug_el2 == (vm->breaks->el0 != 0)) {
        return;
    }
    vm->debug_el2 = !vm->debug_el2;
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        debug_changed(vm->vcpu[i]);
    }
}

bool break_add(vm_t *vm, brk_t *b) {
    if (vm->breaks == NULL) {
        rights_hooks[RIGHTS_BREAK].load = on_load;
        rights_hooks[RIGHTS_BREAK].store = on_store;
        vm->breaks = native_alloc(sizeof(breaks_t));
        if (vm->breaks == NULL) {
            return false;
        }
        vm->breaks->entry.fast = nothing_planted;
    }
    place_t *p = b->hard ? make_pair(vm, b) : make_planted(vm, b);
    if (p == NULL) {
        return false;
    }
    b->next = p->first;
    p->first = b;
    count_el0(vm, b, 1);
    decide(p);
    return true;
}

void break_changed(vm_t *vm, brk_t *b) {
    place_t *p = b->hard ? NULL : place_at(vm, b->ipa);
    if (p != NULL) {
        decide(p);
    }
}

static void untie(vm_t *vm, place_t *p) {
    place_t *start = p->begins == 0 ? NULL : place_at(vm, p->begins);
    p->begins = 0;
    if (start != NULL) {
        start->inside--;
        decide(start);
        drop_place(vm, start);
    }
    drop_place(vm, p);
}

// b->next stays: who goes through the list at this moment goes on.
void break_remove(vm_t *vm, brk_t *b, bool in_handler) {
    int pair = b->hard ? pair_of(vm, b) : -1;
    place_t *p = b->hard ? vm->breaks->pair[pair] : place_at(vm, b->ipa);
    brk_t **at = &p->first;
    while (*at != b) {
        at = &(*at)->next;
    }
    *at = b->next;
    b->on = false;
    decide(p);
    count_el0(vm, b, -1);
    if (p->first == NULL && b->hard) {
        drop_pair(vm, pair);
    } else if (p->first == NULL) {
        untie(vm, p);
    }
    if (in_handler) {
        b->gone = true;
        b->ipa = (uint64_t)vm->breaks->graves;
        vm->breaks->graves = b;
    } else {
        native_free(b, sizeof(brk_t));
    }
}

void breaks_bury(vm_t *vm) {
    while (vm->breaks != NULL && vm->breaks->graves != NULL) {
        brk_t *b = vm->breaks->graves;
        vm->breaks->graves = (brk_t *)b->ipa;
        native_free(b, sizeof(brk_t));
    }
}

static void free_place(hook_t *h) {
    place_t *p = (place_t *)h;
    while (p->first != NULL) {
        brk_t *b = p->first;
        p->first = b->next;
        native_free(b, sizeof(brk_t));
    }
    native_free(p, sizeof(place_t));
}

void places_free(vm_t *vm) {
    if (vm->breaks != NULL) {
        breaks_bury(vm);
        for (unsigned i = 0; i < DEBUG_BREAKS; i++) {
            if (vm->breaks->pair[i] != NULL) {
                free_place(&vm->breaks->pair[i]->hook);
            }
        }
        hook_clear(&vm->breaks->table, free_place);
        native_free(vm->breaks, sizeof(breaks_t));
        vm->breaks = NULL;
    }
}
