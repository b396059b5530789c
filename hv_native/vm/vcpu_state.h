// SPDX-License-Identifier: MIT
// A virtual CPU: its register file, what made it exit, and the EL1 state a world switch carries.
#ifndef HV_VCPU_STATE_H
#define HV_VCPU_STATE_H

#include "core/cpu.h"
#include "vm/el1_state.h"
#include "vm/vgic_state.h"

// Why guest_enter came back, and what the run loops make of it. 0 means: go on running the guest.
typedef enum {
    EXIT_RESUME = 0,
    EXIT_TRAP = 1,      // a synchronous exception nobody handled: see vcpu_t.exit
    EXIT_SERROR = 2,    // vectors.S knows this number
    EXIT_SAVE = 3,      // (vectors only, and it knows this one too) x19-x29 are needed: trap_saved is next
    EXIT_IRQ,           // (vectors only) an interrupt was served and something wants attention
    EXIT_EVENT,         // MicroPython has something to do: Ctrl-C, a scheduled function
    EXIT_KICK,          // asked to leave by vcpu_kick: paused, or its timeslice is over
    EXIT_IDLE,          // waits for an interrupt and none is pending
    EXIT_RAISED,        // a Python handler raised
    EXIT_STOP,          // a Python handler returned hv.STOP
    EXIT_OFF,           // PSCI SYSTEM_OFF, or CPU_OFF of the last vCPU
    EXIT_RESET,         // PSCI SYSTEM_RESET
    EXIT_CPU_OFF,       // PSCI CPU_OFF
    EXIT_MEMORY,        // its RAM cannot be had: no page for a translation table
    EXIT_PYTHON,        // on a core without Python: the boot core has to finish this exit
} exit_t;

// Where a guest's registers are while it runs: on its core's stack (vectors.S).
typedef struct {
    uint64_t x[31];
    uint64_t pc;        // ELR_EL2
    uint64_t pstate;    // SPSR_EL2
    struct vcpu *vcpu;
} guest_regs_t;

typedef struct {
    uint64_t q[64];     // q0..q31, low half first
    uint64_t fpcr, fpsr;
} fp_state_t;

// What the last exit that C or Python looked at was.
typedef struct {
    uint64_t esr, far, hpfar;
    uint64_t ipa;       // of an abort, when known
    uint64_t pc;        // of the instruction that trapped
    uint64_t value;     // of a store, an MSR
    uint8_t size;       // bytes of a memory access
    bool write;
    exit_t reason;
} exit_info_t;

typedef enum {
    VCPU_OFF,       // powered off: PSCI CPU_ON starts it
    VCPU_STOPPED,   // its VM does not run
    VCPU_READY,     // waits for a core
    VCPU_RUNNING,   // on a core
    VCPU_IDLE,      // waits for an interrupt
    VCPU_PYTHON,    // waits for the boot core to finish its exit
} vcpu_state_t;

// Breakpoints, then watchpoints: DBGBVR/BCR<n>_EL1, DBGWVR/WCR<n>_EL1. As many as a Cortex-A53 has, and others.
#define DEBUG_BREAKS 6u
#define DEBUG_WATCHES 4u
#define DEBUG_PAIRS (DEBUG_BREAKS + DEBUG_WATCHES)
typedef struct {
    uint64_t value, control;
} debug_pair_t;

// The debug registers as the guest has written them: see vcpu/debug.h.
typedef struct {
    debug_pair_t pair[DEBUG_PAIRS];
    uint32_t mdscr, mdccint, prcr;
    uint8_t claim;
    bool oslock, doublelock;
    uint64_t version;       // of what belongs in a core's registers, this vCPU's: no other number is the same
    bool changed;           // and that is old
    bool inactive;          // the guest's own step waits for an ERET to where it counts
    bool done;              // the hypervisor's step was one of the guest's too
    bool blind;             // its breakpoints and watchpoints are off for a step
    bool passing;           // the hypervisor's are, for no other purpose
    bool hit;               // the exit is of one of the hypervisor's
} debug_t;

// The performance monitors as the guest has them, and what of it is in the core's: see vcpu/pmu.h.
#define PMU_COUNTERS 6u
typedef struct {
    uint64_t cycles, host_pmcr;
    uint32_t count[PMU_COUNTERS], type[PMU_COUNTERS];
    uint32_t filter, pmcr, enabled, interrupts, overflow;
    uint32_t loaded;        // counters that are live
    uint8_t user, selected;
    bool line;
} pmu_t;

typedef struct vcpu {
    guest_regs_t parked;    // the registers while it does not run
    guest_regs_t *regs;     // &parked, or on a stack
    struct vm *vm;
    volatile vcpu_state_t state;    // the two are read in one by short_psci.S
    volatile bool on_pending;   // PSCI CPU_ON has been called and it has not run yet
    unsigned id;
    struct pcpu *on;        // the core it is loaded on, or NULL
    int pin;                // the core it must run on, or -1: set by a script
    int affinity;           // the same, for the time of a run in the foreground
    struct vcpu *next;      // in one of the scheduler's queues
    bool queued;            // in the one of READY vCPUs
    uint64_t slice_end;     // CNTPCT until which nobody else has a claim to its core
    uint64_t run_end;       // and until which it has it, whoever waits
    volatile bool kicked;   // leave the guest at the next opportunity
    volatile bool debugged; // debug registers or counters are in use: debug_enter and debug_leave are to be called
    uint64_t sp_el2;        // the hypervisor's stack pointer while the guest ran
    bool moved;             // a handler set the PC or injected an exception: do not advance it
    bool off;               // it has gone back, in a handler of its own, to when it was off: it is when it leaves
    bool serror;            // a virtual SError is pending (HCR_EL2.VSE)
    bool skip;              // the last handler returned hv.SKIP
    bool stepping;          // it is to execute one instruction (vcpu/step.h): whose, and from where
    struct {
        uint64_t pc, pstate;
        uint32_t word;
        uint32_t over;      // what of vm->taken_mask is off meanwhile
        bool taken;         // EL1 has been given an exception: that was the step, also where the PC is as before
        bool quick;         // it has begun in the fast path, and v has not left the guest since
    } step;
    struct {                // LDXR by software (vcpu/a64.c): what it has read, where; at NULL: none
        void *at;
        uint64_t value, second; // of a pair of 8 bytes each, size 16
        uint8_t size;
    } exclusive;
    struct {                // breakpoints (insight/breaks.c)
        bool seen;          // the one at `pc` has been, and the instruction there is still to be done
        uint64_t pc, sp;
        uint64_t ipa;       // what stood there has been put back, for one step; or 0
        void *place;        // its place_t, while step.quick
        bool held;          // with the other vCPUs held
        bool alone;         // it runs for steps only: it leaves behind them
        bool done, asked;   // the last one was, and its function was asked
        uint64_t from, steps;   // where the last one began, and how many are to come after it
        void *handler;      // asked behind each (handler_t), or NULL
        uint64_t page;      // of RAM, where the last one but one was, and where that is
        const char *host;
    } brk;
    uint64_t step_ipa;      // el1trap.c has put the original instruction there, for one step; or 0
    uint16_t step_word;
    void *asked;            // the handler (handler_t) whose frame this exit has begun in: see callback.h
    uint16_t vmid;
    uint64_t vmpidr;
    exit_info_t exit;
    struct hook *mmio_hit;  // the range of the last MMIO exit, or hook_none, which is none
    uint64_t flip;          // bits of what is loaded there that are to be wrong: HOOK_FLIP
    void *object;           // the Python object, given to handlers
    struct {                // the page of a watch that it was last on (trap/watch.c)
        uint64_t key;       // its IPA, and the right
        char *host;
        uint32_t changes;   // of stage 2, when that was so
        uint32_t tries;     // how often the load-exclusive at `load` has led to no store (trap/perform.c)
        uint64_t load;
    } watched;
    struct {                // the page that software was last on for it (vcpu/a64.c), in the same way
        uint64_t key;
        char *host;
        uint32_t changes;
    } reached;
    uint64_t el1[EL1_COUNT];
    uint64_t counts[64];    // exits by exception class
    uint64_t irq_exits;
    vgic_cpu_t vgic;
    vtimer_t vtimer;
    debug_t debug;
    pmu_t pmu;
    fp_state_t fp __attribute__((aligned(16)));
} vcpu_t;

static inline uint64_t reg_get(const guest_regs_t *r, unsigned n) {
    return n == 31 ? 0 : r->x[n]; // 31 is XZR in a syndrome
}

static inline void reg_set(guest_regs_t *r, unsigned n, uint64_t v) {
    if (n != 31) {
        r->x[n] = v;
    }
}

#endif
