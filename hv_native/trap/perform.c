// SPDX-License-Identifier: MIT
// A guest's access to its RAM, performed in C: see perform.h.

#include <string.h>
#include "core/arch.h"
#include "core/cpu.h"
#include "core/syndrome.h"
#include "memory/pgtable.h"
#include "trap/mmio_decode.h"
#include "trap/perform.h"
#include "vcpu/a64.h"
#include "vcpu/insn.h"
#include "vcpu/vcpu.h"
#include "vm/el1_state.h"
#include "vm/fp.h"
#include "vm/ram.h"
#include "vm/rights.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

#define SCTLR_CACHED (BIT(0) | BIT(2)) // M and C
#define CHUNK 64 // bytes at once: what LD4 loads, and a line

// An access, or 64 bytes of one: at most two pages.
typedef struct {
    uint64_t va, ipa;
    uint8_t *host;
    unsigned bytes;
} part_t;

typedef struct {
    vcpu_t *v;
    const access_t *a;
    part_t part[2];
    unsigned nparts, bytes;
    bool uncached;          // the guest's caches are off: memory is what it looks at
    exit_t why;
    uint8_t old[CHUNK] __attribute__((aligned(16))), now[CHUNK] __attribute__((aligned(16)));
} job_t;

// ---- Where it is --------------------------------------------------------------------------------

// Host address of RAM, whatever others than the script have taken away of it. NULL: not RAM, or the script withholds it.
static uint8_t *host_at(vm_t *vm, uint64_t ipa, unsigned needed) {
    if (!vm_ram_own(vm, ipa)) {
        return NULL;
    }
    for (bool again = true;; again = false) {
        uint64_t daif = spin_lock_irq(&vm->lock);
        pgwalk_t w = pgtable_walk(&vm->stage2, ipa);
        spin_unlock_irq(&vm->lock, daif);
        if (w.entry & PTE_VALID) {
            bool normal = FIELD(w.entry, 5, 4) != 0; // MemAttr[3:2]
            return normal && (rights_base(w.entry) & needed) ? (uint8_t *)((w.entry & PTE_ADDR_MASK) + (ipa & (w.size - 1))) : NULL;
        }
        if (!again || !vm_ram_fault(vm, ipa, true)) {
            return NULL;
        }
    }
}

// Stage 1 does not let it: of a second page, which the guest has not come to yet.
static void inject_stage1(vcpu_t *v, uint64_t par, uint64_t va, bool write) {
    uint64_t ec = insn_at_el0(v) ? EC_DABT_LOWER : EC_DABT;
    v->regs->pc = v->exit.pc;
    vcpu_inject_sync(v, ec << 26 | ESR_IL | (write ? ISS_WNR : 0) | FIELD(par, 6, 1), va, true);
}

typedef enum { FOUND, FAULTED, NOT_RAM } found_t;

// The part of [va, va + bytes) that is on one page. known: v->exit.ipa is where its first byte is.
static found_t find_part(job_t *j, uint64_t va, unsigned bytes, bool known) {
    vcpu_t *v = j->v;
    part_t *p = &j->part[j->nparts++];
    unsigned left = PAGE_SIZE - (va & (PAGE_SIZE - 1));
    *p = (part_t) { .va = va, .ipa = v->exit.ipa, .bytes = bytes < left ? bytes : left };
    if (!known) {
        uint64_t par = vcpu_translate_va(v, va, j->a->write, j->a->el0 || insn_at_el0(v), &p->ipa, NULL);
        if (par != 0) {
            inject_stage1(v, par, va, j->a->write);
            return FAULTED;
        }
    }
    p->host = host_at(v->vm, p->ipa, j->a->write ? S2_WRITE : S2_READ);
    return p->host == NULL ? NOT_RAM : FOUND;
}

static found_t find_parts(job_t *j, uint64_t va, unsigned bytes, bool known) {
    j->nparts = 0;
    j->bytes = bytes;
    found_t found = find_part(j, va, bytes, known);
    unsigned first = j->part[0].bytes;
    return found == FOUND && first < bytes ? find_part(j, va + first, bytes - first, false) : found;
}

// ---- Bytes --------------------------------------------------------------------------------------

// Accesses as large as they can be, up to `size`: one for each register of the guest's, if it is aligned.
static void copy(void *to, const void *from, unsigned bytes, unsigned size) {
    uint64_t bits = (uint64_t)to | (uint64_t)from | bytes | size | 8;
    unsigned n = (unsigned)(bits & -bits);
    for (unsigned i = 0; i < bytes; i += n) {
        store_sized((char *)to + i, n, load_sized((const char *)from + i, n));
    }
}

// What the guest would read.
static void read_memory(job_t *j) {
    uint8_t *to = j->old;
    for (part_t *p = j->part; p < j->part + j->nparts; to += p->bytes, p++) {
        if (j->uncached) {
            cache_clean_poc(p->host, p->bytes);
        }
        copy(to, p->host, p->bytes, j->a->size);
        for (unsigned owner = 0; owner < RIGHTS_OWNERS; owner++) {
            if (rights_hooks[owner].load != NULL) {
                rights_hooks[owner].load(j->v->vm, p->ipa, p->bytes, to);
            }
        }
    }
    dmb_ish(); // loads with acquire too
}

static void before_write(job_t *j) {
    for (part_t *p = j->part; p < j->part + j->nparts; p++) {
        rights_store(j->v->vm, p->ipa, p->bytes, false, BY_SCRIPT);
    }
    dmb_ish(); // stores with release too
}

static void after_write(job_t *j) {
    for (part_t *p = j->part; p < j->part + j->nparts; p++) {
        if (j->uncached) {
            cache_clean_poc(p->host, p->bytes);
        }
        rights_store(j->v->vm, p->ipa, p->bytes, true, BY_SCRIPT);
    }
}

static void write_memory(job_t *j) {
    before_write(j);
    const uint8_t *from = j->now;
    for (part_t *p = j->part; p < j->part + j->nparts; from += p->bytes, p++) {
        copy(p->host, from, p->bytes, j->a->size);
    }
    after_write(j);
}

static bool agree(job_t *j, const part_t *p, unsigned bytes, unsigned at, bool write) {
    for (unsigned owner = 0; owner < RIGHTS_OWNERS; owner++) {
        exit_t why = EXIT_RESUME;
        if (rights_hooks[owner].access != NULL
            && !rights_hooks[owner].access(j->v, p->va, p->ipa, bytes, write, j->old + at, j->now + at, &why)) {
            j->why = why;
            return false;
        }
        j->why = why == EXIT_RESUME ? j->why : why;
    }
    return true;
}

// Two pages of which one is behind the other are one access.
static bool in_one(const job_t *j) {
    return j->nparts == 1 || j->part[0].ipa + j->part[0].bytes == j->part[1].ipa;
}

// What owners say. False: not now.
static bool agreed(job_t *j, bool write) {
    const part_t *p = j->part;
    if (in_one(j)) {
        return agree(j, p, j->bytes, 0, write);
    }
    return agree(j, p, p->bytes, 0, write) && agree(j, p + 1, p[1].bytes, p->bytes, write);
}

// It has been made: exclusives and atomics only if nobody came in between.
static void made(job_t *j, bool write) {
    unsigned n = in_one(j) ? 1 : 2;
    for (part_t *p = j->part; p < j->part + n; p++) {
        for (unsigned owner = 0; owner < RIGHTS_OWNERS; owner++) {
            if (rights_hooks[owner].made != NULL && rights_hooks[owner].made(j->v, p->ipa, n == 1 ? j->bytes : p->bytes, write)) {
                j->why = EXIT_STOP;
            }
        }
    }
}

// Compare and swap, with acquire and release: the guest's may have had either.
#define CAS(name, type, x, load, store) \
    static bool name(void *at, const void *old_in, const void *now_in) { \
        type old = *(const type *)old_in, now = *(const type *)now_in, seen; \
        uint32_t failed; \
        __asm__ volatile ("1: " load " %" x "0, [%2]\n cmp %" x "0, %" x "3\n b.ne 2f\n " store " %w1, %" x "4, [%2]\n cbnz %w1, 1b\n" \
    "2: cset %w1, ne" : "=&r" (seen), "=&r" (failed) : "r" (at), "r" (old), "r" (now) : "memory", "cc"); \
        return failed == 0; \
    }
CAS(cas1, uint8_t, "w", "ldaxrb", "stlxrb")
CAS(cas2, uint16_t, "w", "ldaxrh", "stlxrh")
CAS(cas4, uint32_t, "w", "ldaxr", "stlxr")
CAS(cas8, uint64_t, "x", "ldaxr", "stlxr")

static bool cas16(void *at, const void *old_in, const void *now_in) {
    const uint64_t *old = old_in, *now = now_in;
    uint64_t low, high;
    uint32_t failed;
    __asm__ volatile ("1: ldaxp %0, %1, [%3]\n cmp %0, %4\n ccmp %1, %5, #0, eq\n b.ne 2f\n stlxp %w2, %6, %7, [%3]\n cbnz %w2, 1b\n"
        "2: cset %w2, ne" : "=&r" (low), "=&r" (high), "=&r" (failed)
        : "r" (at), "r" (old[0]), "r" (old[1]), "r" (now[0]), "r" (now[1]) : "memory", "cc");
    return failed == 0;
}

// now in place of old, if that is still there. False: it is not. An aligned one, so on one page.
static bool swap_memory(job_t *j) {
    void *at = j->part[0].host;
    before_write(j);
    bool done;
    switch (j->bytes) {
        case 1:
            done = cas1(at, j->old, j->now);
            break;
        case 2:
            done = cas2(at, j->old, j->now);
            break;
        case 4:
            done = cas4(at, j->old, j->now);
            break;
        case 8:
            done = cas8(at, j->old, j->now);
            break;
        default:
            done = cas16(at, j->old, j->now);
            break;
    }
    after_write(j);
    return done;
}

// ---- Registers ----------------------------------------------------------------------------------

static void turn_around(uint8_t *at, unsigned n) {
    for (unsigned i = 0; i < n / 2; i++) {
        uint8_t t = at[i];
        at[i] = at[n - 1 - i];
        at[n - 1 - i] = t;
    }
}

// The bytes of a vector register: in memory, and nowhere else.
static uint8_t *vector_of(job_t *j, unsigned n) {
    vcpu_t *v = j->v;
    if (this_pcpu()->fp_owner == v) {
        fp_save(v);
        if (this_pcpu()->running == v) {
            WRITE_SYSREG(cptr_el2, v->vm->el2[EL2_CPTR] | CPTR_TFP);
            isb();
        }
    }
    return (uint8_t *)&v->fp.q[2 * (n % 32)];
}

// One register, to or from `at`. What is not loaded of a register becomes 0.
static void move_register(job_t *j, unsigned n, uint8_t *at) {
    const access_t *a = j->a;
    guest_regs_t *r = j->v->regs;
    uint64_t value = 0;
    bool swap = insn_big_endian(j->v);
    if (a->write) {
        value = reg_get(r, n);
        memcpy(at, a->vector ? vector_of(j, n) : (uint8_t *)&value, a->size);
    }
    if (swap) {
        turn_around(at, a->size);
    }
    if (!a->write && a->vector) {
        memset(vector_of(j, n), 0, 16);
        memcpy(vector_of(j, n), at, a->size);
    } else if (!a->write) {
        memcpy(&value, at, a->size);
        unsigned shift = 64 - a->size * 8;
        value = a->sign ? (uint64_t)((int64_t)(value << shift) >> shift) : value;
        reg_set(r, n, a->wide ? value : (uint32_t)value);
    }
}

static void move_element(job_t *j, unsigned n, unsigned lane, uint8_t *at) {
    uint8_t *in = vector_of(j, n) + lane * j->a->size;
    bool swap = insn_big_endian(j->v);
    if (j->a->write) {
        memcpy(at, in, j->a->size);
    }
    if (swap) {
        turn_around(at, j->a->size);
    }
    if (!j->a->write) {
        memcpy(in, at, j->a->size);
    }
}

// One element of all lanes, from the same bytes.
static void replicate(job_t *j, unsigned n, uint8_t *at) {
    unsigned lanes = (j->a->q ? 16 : 8) / j->a->size;
    for (unsigned lane = 0; lane < lanes; lane++) {
        uint8_t bytes[8];
        memcpy(bytes, at, j->a->size);
        move_element(j, n, lane, bytes);
    }
}

static void upper_half_zero(job_t *j, unsigned n) {
    if (!j->a->q && !j->a->write) {
        memset(vector_of(j, n) + 8, 0, 8);
    }
}

static void move_structure(job_t *j, uint8_t *at) {
    const access_t *a = j->a;
    unsigned lanes = (a->q ? 16 : 8) / a->size;
    for (unsigned t = 0; t < a->times; t++) {
        for (unsigned lane = 0; lane < lanes; lane++) {
            for (unsigned n = 0; n < a->count; n++, at += a->size) {
                move_element(j, a->rt + t + n, lane, at);
            }
        }
        for (unsigned n = 0; n < a->count; n++) {
            upper_half_zero(j, a->rt + t + n);
        }
    }
}

// All registers of the access, to or from these bytes.
static void move_registers(job_t *j, uint8_t *at) {
    const access_t *a = j->a;
    switch (a->kind) {
        case ACCESS_STRUCTURE:
            move_structure(j, at);
            break;
        case ACCESS_LANE:
            for (unsigned n = 0; n < a->count; n++, at += a->size) {
                if (a->lane != ALL_LANES) {
                    move_element(j, a->rt + n, a->lane, at);
                } else {
                    replicate(j, a->rt + n, at);
                    upper_half_zero(j, a->rt + n);
                }
            }
            break;
        case ACCESS_ZERO:
            memset(at, 0, j->bytes);
            break;
        default:
            move_register(j, a->rt, at);
            if (a->rt2 != NO_REGISTER) {
                move_register(j, a->rt2, at + a->size);
            }
            break;
    }
}

// ---- Exclusives and atomics ---------------------------------------------------------------------

// The load was the guest's own, where only writing is withheld: nobody knows what it got. This store fails, as any may,
// and from now on the loads of this page come here too.
static void take_loads(const job_t *j) {
    vm_t *vm = j->v->vm;
    uint64_t ipa = ALIGN_DOWN(j->part[0].ipa, PAGE_SIZE), daif = spin_lock_irq(&vm->lock);
    unsigned owners = rights_takers(vm, ipa, S2_READ) == 0 ? rights_takers(vm, ipa, S2_WRITE) : 0;
    if (owners != 0) {
        rights_owner_t first = (rights_owner_t)__builtin_ctz(owners);
        rights_set(vm, first, ipa, PAGE_SIZE, rights_taken(vm, first, ipa) | S2_READ);
    }
    spin_unlock_irq(&vm->lock, daif);
}

// Stores if memory still has what the load before it (`had`) gave.
static bool store_exclusive(job_t *j, const job_t *had) {
    bool done = false;
    if (had != NULL && had->part[0].ipa == j->part[0].ipa && had->bytes == j->bytes) {
        memcpy(j->old, had->old, j->bytes);
        move_registers(j, j->now);
        if (!agreed(j, true)) {
            return false;
        }
        done = swap_memory(j);
        if (done) {
            made(j, true);
        }
    } else {
        take_loads(j);
    }
    reg_set(j->v->regs, j->a->rs, !done);
    return true;
}

static uint64_t atomic_value(const access_t *a, uint64_t was, uint64_t with) {
    unsigned shift = 64 - 8 * a->size;
    int64_t s = (int64_t)(was << shift), t = (int64_t)(with << shift);
    switch (a->op) {
        case 0:
            return was + with;
        case 1:
            return was & ~with;
        case 2:
            return was ^ with;
        case 3:
            return was | with;
        case 4:
            return s > t ? was : with;
        case 5:
            return s < t ? was : with;
        case 6:
            return (uint64_t)s > (uint64_t)t ? was : with;
        case 7:
            return (uint64_t)s < (uint64_t)t ? was : with;
        default:
            return with; // SWP
    }
}

// Read, compute, and swap, until nobody has come in between.
static bool atomic(job_t *j) {
    access_t load = *j->a;
    load.write = false;
    guest_regs_t *r = j->v->regs;
    bool swap = insn_big_endian(j->v);
    do {
        uint64_t was = 0, with = reg_get(r, load.rs);
        read_memory(j);
        memcpy(&was, j->old, load.size);
        was = swap ? insn_swap(was, load.size) : was;
        with = atomic_value(&load, was, with);
        with = swap ? insn_swap(with, load.size) : with;
        memcpy(j->now, &with, load.size);
        if (!agreed(j, true)) {
            return false;
        }
    } while (!swap_memory(j));
    made(j, true);
    j->a = &load;
    move_registers(j, j->old);
    return true;
}

static bool compare_and_swap(job_t *j) {
    access_t other = *j->a;
    const access_t *a = j->a;
    other.rt = other.rs;
    other.rt2 = other.rt2 == NO_REGISTER ? NO_REGISTER : other.rs + 1;
    bool equal;
    do {
        uint8_t want[16];
        read_memory(j);
        j->a = &other;
        move_registers(j, want);
        j->a = a;
        equal = memcmp(want, j->old, j->bytes) == 0;
        memcpy(j->now, j->old, j->bytes);
        if (equal) {
            move_registers(j, j->now);
        }
        if (!agreed(j, equal)) {
            return false;
        }
    } while (equal && !swap_memory(j));
    made(j, equal);
    other.write = false;
    j->a = &other;
    move_registers(j, j->old);
    return true;
}

// ---- All of it ----------------------------------------------------------------------------------

// False: an owner says that it is not to be done now.
static bool plain(job_t *j) {
    read_memory(j);
    if (j->a->write) {
        move_registers(j, j->now);
    } else {
        memcpy(j->now, j->old, j->bytes);
    }
    if (!agreed(j, j->a->write)) {
        return false;
    }
    if (j->a->write) {
        write_memory(j);
    } else {
        move_registers(j, j->now);
    }
    made(j, j->a->write);
    return true;
}

// Who withholds these rights of a page gives them up, for good: what the guest does there cannot be followed.
static void give_up(vm_t *vm, uint64_t ipa, unsigned rights) {
    uint64_t page = ALIGN_DOWN(ipa, PAGE_SIZE);
    for (unsigned owner = 0; owner < RIGHTS_OWNERS; owner++) {
        uint64_t daif = spin_lock_irq(&vm->lock);
        unsigned taken = rights_taken(vm, owner, page);
        if (owner == RIGHTS_DIRTY && (taken & rights)) { // what is there is kept first, and that gives them back
            spin_unlock_irq(&vm->lock, daif);
            rights_hooks[owner].store(vm, page, PAGE_SIZE, false);
            continue;
        }
        if ((taken & rights) && owner != RIGHTS_EL1TRAP) {
            rights_set(vm, owner, page, PAGE_SIZE, taken & ~rights);
        }
        spin_unlock_irq(&vm->lock, daif);
        if ((taken & rights) && rights_hooks[owner].gave_up != NULL) {
            rights_hooks[owner].gave_up(vm, page, rights);
        }
    }
}

// What is between a load- and a store-exclusive is done here, for each exit ends the exclusive access of a machine: the
// store that follows would fail for ever. v is behind the load. False: the store has to wait.
#define AHEAD 64 // instructions

#define TRIES 1000

// Whether what cannot be done here may lead to the store after all. WFE, CLREX and barriers do not; nor should another
// access (DDI 0487 B2.9.5), which is most often what comes when nothing is to be stored: unless it is so again and again.
static bool goes_on(vcpu_t *v, bool access, uint32_t word) {
    if ((word & 0xFFFFF000) == 0xD5032000 || (word & 0xFFFFF000) == 0xD5033000) {
        return false;
    }
    v->watched.tries = v->watched.load == v->exit.pc ? v->watched.tries + 1 : 0;
    v->watched.load = v->exit.pc;
    return !access || v->watched.tries == TRIES;
}

static bool run_to_store(job_t *had) {
    vcpu_t *v = had->v;
    for (unsigned n = 0; n < AHEAD; n++) {
        uint64_t word;
        access_t a;
        if (!insn_fetch(v, v->regs->pc, 4, &word)) {
            return true; // it will fault by itself
        }
        bool known = decode_word(v, v->regs->pc, (uint32_t)word, &a);
        if (!known || a.kind != ACCESS_EXCLUSIVE) {
            if (!a64_run(v, (uint32_t)word)) {
                if (goes_on(v, known, (uint32_t)word)) {
                    give_up(v->vm, had->part[0].ipa, S2_READ | S2_WRITE);
                }
                return true;
            }
        } else if (a.write) {
            job_t j = { .v = v, .a = &a, .uncached = had->uncached };
            uint64_t load = v->exit.pc;
            if (find_parts(&j, a.va, a.bytes, false) != FOUND) {
                return true;
            }
            v->exit.pc = v->regs->pc;
            bool done = store_exclusive(&j, had), again = j.why == EXIT_PYTHON || j.why == EXIT_RAISED;
            if (done) {
                insn_complete(v);
            }
            v->watched.load = 0;
            v->exit.pc = again ? load : v->exit.pc;
            had->why = j.why == EXIT_RESUME ? had->why : j.why;
            return !again;
        } else {
            return true; // another load: this one was for nothing
        }
    }
    return true;
}

// All of it or nothing, so that it can be done again from its beginning when the store has to wait for Python.
static bool load_exclusive(job_t *j) {
    guest_regs_t before = *j->v->regs;
    if (!plain(j)) {
        return false;
    }
    insn_complete(j->v);
    if (run_to_store(j)) {
        return true;
    }
    *j->v->regs = before;
    return false;
}

static bool do_access(job_t *j) {
    switch (j->a->kind) {
        case ACCESS_EXCLUSIVE:
            return j->a->write ? store_exclusive(j, NULL) : load_exclusive(j);
        case ACCESS_ATOMIC:
            return atomic(j);
        case ACCESS_COMPARE:
            return compare_and_swap(j);
        default:
            return plain(j);
    }
}

static void complete(vcpu_t *v, const access_t *a) {
    if (a->kind == ACCESS_EXCLUSIVE && !a->write) {
        return; // it has gone on from there
    }
    if (a->write_back) {
        decode_write_back(v, a);
    }
    insn_complete(v);
}

// The syndrome says all there is to know, unless it may have begun on the page before.
static bool describe(vcpu_t *v, bool iss, access_t *a) {
    uint64_t esr = v->exit.esr, word;
    unsigned at = v->exit.far & (PAGE_SIZE - 1), size = 1u << FIELD(esr, 23, 22);
    bool a32 = v->regs->pstate & PSTATE_A32;
    if (iss && (esr & ISS_ISV) && (at >= 8 || a32)) {
        *a = (access_t) {
            .size = (uint8_t)size, .bytes = (uint8_t)size, .write = (esr & ISS_WNR) != 0, .sign = (esr & ISS_SSE) != 0,
            .wide = (esr & ISS_SF) != 0, .rt = FIELD(esr, 20, 16), .rt2 = NO_REGISTER, .va = v->exit.far,
        };
        return true;
    }
    return !a32 && insn_fetch(v, v->exit.pc, 4, &word) && decode_word(v, v->exit.pc, (uint32_t)word, a);
}

// Of a line, whatever DC or IC it was.
static bool maintain(vcpu_t *v) {
    uint8_t *host = host_at(v->vm, v->exit.ipa, S2_READ | S2_WRITE | S2_EXEC);
    if (host != NULL) {
        cache_written(host, 1);
        insn_complete(v);
    }
    return host != NULL;
}

bool perform(vcpu_t *v, bool iss, exit_t *why) {
    access_t a;
    if (iss && (v->exit.esr & ISS_CM)) {
        return maintain(v);
    }
    if (!describe(v, iss, &a)) {
        return false;
    }
    job_t j = { .v = v, .a = &a, .uncached = (vcpu_el1_get(v, EL1_SCTLR_EL1) & SCTLR_CACHED) != SCTLR_CACHED };
    v->regs->pc = v->exit.pc;
    for (unsigned done = 0, n; done < a.bytes; done += n) {
        n = a.bytes - done < CHUNK ? a.bytes - done : CHUNK;
        found_t found = find_parts(&j, a.va + done, n, iss && ((a.va + done) ^ v->exit.far) << 8 == 0);
        if (found == NOT_RAM) {
            return false;
        }
        if (found == FAULTED || !do_access(&j)) {
            *why = j.why;
            return true;
        }
    }
    complete(v, &a);
    *why = j.why;
    return true;
}

// ---- Whose right it is --------------------------------------------------------------------------

// Who withholds `needed` at ipa. False: nobody but the script.
static bool takers_at(vm_t *vm, uint64_t ipa, unsigned needed, unsigned *owners) {
    uint64_t daif = spin_lock_irq(&vm->lock);
    uint64_t entry = pgtable_walk(&vm->stage2, ipa).entry;
    *owners = rights_takers(vm, ipa, needed);
    spin_unlock_irq(&vm->lock, daif);
    return !(entry & PTE_VALID) || (rights_base(entry) & needed) != 0; // gone meanwhile: it may try again
}

bool withheld(vcpu_t *v, unsigned needed, bool walk, exit_t *why) {
    vm_t *vm = v->vm;
    uint64_t ipa = v->exit.ipa;
    unsigned owners, keep = 0;
    if (vm->rights == NULL || !takers_at(vm, ipa, needed, &owners)) {
        return false;
    }
    *why = EXIT_RESUME;
    if (walk) {
        bool read = owners != 0;
        give_up(vm, ipa, read ? S2_READ : S2_WRITE); // the MMU itself has to read its tables; or to note an access there
        return true;
    }
    for (unsigned owner = 0; owner < RIGHTS_OWNERS; owner++) {
        if (owners >> owner & 1) {
            keep += rights_hooks[owner].fault == NULL || !rights_hooks[owner].fault(v, ipa, needed, why);
        }
    }
    return keep == 0 || *why != EXIT_RESUME || perform(v, true, why);
}
