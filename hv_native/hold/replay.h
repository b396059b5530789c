// SPDX-License-Identifier: MIT
// Record and replay of a VM: its time goes by its instructions, and what comes from outside is logged.
//
// Each instruction is a step (MDSCR_EL1.SS, DDI 0487 D2.12), and they are counted: `count` says how many turns are over
// since the beginning; to take an interrupt is one too, and so is to sleep until a deadline. CNTVCT, CNTPCT and the timers
// go on by a count each TURNS_A_TICK turns, and by what a sleep takes, so that a deadline is reached, and its interrupt taken, at the same turn each
// time. All else that the guest can tell follows from the snapshot that it began with, but for what is put in from outside:
// that is in the log, with the count of the turn that it was in front of. So is what virtio devices have done, which are not
// asked while it is fed again: what they wrote, and that a request is over. The PL031 goes by the same time, and the PMU's
// cycles and instructions are turns.
//
// Several vCPUs have their shifts one after another, on the boot core. A shift is over after so many turns, or when its vCPU
// waits, and who is next follows from what they are then: that needs no log.
#ifndef HV_REPLAY_H
#define HV_REPLAY_H

#include "irq/timer.h"
#include "vcpu/vcpu.h"
#include "vm/state.h"
#include "vm/vm.h"

#define TURNS_A_TICK 16u    // as QEMU has it with -icount shift=0, at 62.5 MHz
#define TURNS_A_SHIFT 1000u

typedef enum {
    INPUT_CONSOLE, INPUT_LINE, INPUT_PPI, INPUT_PULSE,
    INPUT_WRITE, INPUT_USED, INPUT_CONFIG, INPUT_BROKEN, // of virtio devices
    INPUT_SLEPT,            // v has been woken so much later
    INPUT_KINDS
} input_kind_t;
typedef struct {
    uint64_t count;
    uint32_t kind, what;    // a character; an INTID; a slot, and of USED queue << 8 and head << 16
    uint64_t value;         // a level; typed by a person; of WRITE the IPA, of USED how much was written; counts of CNTVCT
    uint64_t data, bytes;   // where in replay_t.data
} input_t;

typedef struct replay {
    const replay_calls_t *calls;    // first: vcpu/vcpu.h
    uint64_t count;
    uint64_t next;          // at this count there is something to be done
    uint64_t synced;        // vm->stopped_at is right for this one
    uint64_t stop;          // v leaves there, by EXIT_STOP
    uint64_t length;        // the log is of so many turns, unless it is live: then it grows
    uint64_t pc;            // where the turn began
    uint64_t pstate, el1[4];// as they were in front of a step of nothing
    uint64_t page;          // of RAM, where the last instruction was
    const char *host;
    size_t at;              // the next of the log
    device_stream_t log;    // input_t, in order
    device_stream_t data;   // theirs
    uint64_t counted;       // up to this one the PMU has them
    bool live;
    bool ahead;             // v is between two turns, with PSTATE.SS clear
    bool unfinished;        // it has left in the middle of one, which is being finished elsewhere
    bool trapped;           // the exit is of the instruction, which has not been stepped, unless the PC has moved
    uint32_t asleep;        // a bit for each vCPU: in WFI
    uint64_t slept_at;      // CNTPCT: since then all have been, live; 0: they are not
    timer_t wake;           // when that is over
    vcpu_t *v;              // whose shift it is; the others are pinned to no core
    uint64_t shift_end;     // at this count, unless nobody else is there
    struct {                // the last one's end, for what comes from outside at the same count comes before it
        uint64_t count, shift_end;
        vcpu_t *v;
        uint32_t asleep;
    } before;
    bool stopped_time;      // vm->stop_time as it was
    int pin[VM_MAX_CPUS];   // and theirs
    uint8_t inexact;        // REPLAY_*: what there was that cannot be had again
} replay_t;
enum { REPLAY_AARCH32 = 1, REPLAY_SKIPPED = 2 };

// Boot core, the VM does not run. From here on it is counted; false: no memory. Again: the same log, where it was.
bool replay_begin(vm_t *vm);
void replay_end(vm_t *vm);      // its time is the world's again; the log stays
void replay_free(vm_t *vm);

// Something from outside, not of a handler of its own: it is noted, and done, with no turn between the two, for a slice may
// come at any interrupt (vcpu/share.h). Also of a VM that is not recorded. False: the log has its own.
bool replay_input(vm_t *vm, input_kind_t kind, unsigned what, uint64_t value);
bool replay_input_data(vm_t *vm, input_kind_t kind, unsigned what, uint64_t value, const void *data, size_t bytes);
// What has been done already, between these two.
static inline uint64_t replay_still(const vm_t *vm) {
    return UNLIKELY(vm->replay != NULL) ? irq_save() : 0;
}
static inline void replay_go_on(const vm_t *vm, uint64_t daif) {
    if (UNLIKELY(vm->replay != NULL)) {
        irq_restore(daif);
    }
}
void replay_noted(vm_t *vm, input_kind_t kind, unsigned what, uint64_t value);
void replay_wrote(vm_t *vm, const void *at, size_t bytes);  // a virtio device, to RAM
bool replay_lets_in(const vm_t *vm);
// One that is read from a file, of which nothing is believed; and into the log. False: there is no memory.
bool replay_is_input(const vm_t *vm, const input_t *e);
bool replay_put(replay_t *p, input_t e, const void *data);
uint64_t replay_count(const vm_t *vm);
void replay_do(vm_t *vm, input_kind_t kind, unsigned what, uint64_t value); // not noted
size_t replay_inputs(const replay_t *p);

// As boot_core_alone has it: until p->stop. EXIT_RESUME: MicroPython wants a look.
exit_t replay_run(vcpu_t *v);
exit_t replay_step(vcpu_t *v);  // one turn, as break_step; v is whose shift it is

// Of a snapshot, behind all else.
void replay_save(vm_t *vm, device_stream_t *s);
void replay_load(vm_t *vm, device_stream_t *s);

#endif
