// SPDX-License-Identifier: MIT
// What a VM's exits were: records in a ring for each core, or counts by a key.
//
// A traced vCPU takes its exits through vectors of its own (vectors.S), where trace_exit looks first: one that is not traced
// pays nothing. A ring is written by its core alone, so there is no lock; who reads it looks afterwards at what has been
// written over meanwhile.
#ifndef HV_TRACE_H
#define HV_TRACE_H

#include "vm/hook.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

#define TRACE_FILTERS 16            // registers and ranges
#define TRACE_KEYS 1024u            // counted, a core; what comes after counts as others

typedef enum {
    TRACE_EXIT, TRACE_IRQ, TRACE_SVC, TRACE_HVC, TRACE_PSCI, TRACE_SYSREG, TRACE_MMIO, TRACE_FAULT, TRACE_ENTER, TRACE_LEAVE,
    TRACE_SWITCH, TRACE_PYTHON, TRACE_KINDS,
} trace_kind_t;

// 32 bytes. value: x0 of a call (the function), x8 of an SVC, what an MSR writes, the IPA of an abort, the INTID of an
// interrupt. Of a switch of processes: pc and value are the next one's name, esr its number.
typedef struct {
    uint64_t time, pc, value;
    uint32_t esr;
    uint32_t what;                      // from the lowest byte up: kind, vCPU, core
} trace_record_t;

typedef struct {
    uint64_t first, end;                // of IPAs, or of a register's key
    bool sysreg;
} trace_filter_t;

typedef struct {
    uint64_t key, n;
} trace_count_t;

typedef struct {
    union {
        trace_record_t *record;         // or
        trace_count_t *count;           // by TRACE_KEYS places
    };
    uint64_t mask;                      // records - 1
    volatile uint64_t written;
    uint64_t read, lost, others, unused[2];     // 64 bytes: found by a shift
} trace_ring_t;

typedef struct trace {
    struct trace *next;
    uint32_t kinds;                     // a bit a trace_kind_t
    uint32_t plain, plain_counts;       // of these, those that are put down, or counted, without another look
    unsigned nfilters;
    trace_filter_t filter[TRACE_FILTERS];
    bool counts, frozen;
    uint8_t key;                        // of a count: 0 to 30 x, TRACE_KEY_*
    uint64_t records;                   // a ring's, a power of two
    trace_ring_t ring[PLATFORM_MAX_CPUS];
} trace_t;

enum { TRACE_KEY_PC = 32, TRACE_KEY_VALUE, TRACE_KEY_CPU };

// The VM is held. False: no memory. trace_remove: it is no more.
bool trace_add(vm_t *vm, trace_t *t);
void trace_remove(vm_t *vm, trace_t *t);
void trace_free(vm_t *vm);              // all of them
void trace_freeze(vm_t *vm, trace_t *t, bool frozen);
// What stands at a place that is planted for it (insight/breaks.c): a guest's vector of EL0's exceptions, of which SVCs are
// told; or where its kernel switches to a task, whose number and name are that far into its struct.
void trace_svc(vcpu_t *v, const guest_regs_t *r);
void trace_switch(vcpu_t *v, uint64_t task, unsigned number, unsigned name);

// Who is asked first about such an exit (value: x0 of a call, the IPA of an abort), or NULL: rules over a device before it.
hook_t *trace_hook(const vm_t *vm, uint32_t esr, uint64_t value);

// How many of that core's records have been written over, unread and not counted as lost yet.
uint64_t trace_overwritten(const trace_t *t, unsigned core);
// The oldest record of that core's which has not been read. False: there is none.
bool trace_next(trace_t *t, unsigned core, trace_record_t *record);

#endif
