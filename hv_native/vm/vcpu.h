// SPDX-License-Identifier: MIT
// A virtual CPU: its register file, what made it exit, and the EL1 state a world switch carries.
#ifndef HV_VCPU_H
#define HV_VCPU_H

#include "arch.h"
#include "el1_state.h"
#include "offsets.h"
#include "vgic_state.h"

// Exception classes, ESR_EL2 bits [31:26] (DDI 0487 D13.2.37).
enum {
    EC_UNKNOWN = 0x00, EC_WFX = 0x01, EC_CP15 = 0x03, EC_CP15_64 = 0x04, EC_CP14 = 0x05, EC_LDC = 0x06, EC_FP = 0x07,
    EC_VMRS = 0x08, EC_PAC = 0x09, EC_CP14_64 = 0x0C, EC_ILLEGAL = 0x0E, EC_SVC64 = 0x15, EC_HVC64 = 0x16,
    EC_SMC64 = 0x17, EC_SYSREG = 0x18, EC_SVE = 0x19, EC_SME = 0x1D, EC_IABT_LOWER = 0x20, EC_IABT = 0x21, EC_PC_ALIGN = 0x22,
    EC_DABT_LOWER = 0x24, EC_DABT = 0x25, EC_SP_ALIGN = 0x26, EC_FP_A32 = 0x28,
    EC_FP_A64 = 0x2C, EC_SERROR = 0x2F, EC_BREAKPOINT_LOWER = 0x30,
    EC_STEP_LOWER = 0x32, EC_WATCHPOINT_LOWER = 0x34, EC_BKPT32 = 0x38, EC_VECTOR32 = 0x3A, EC_BRK64 = 0x3C,
};
#define ESR_EC(esr) ((unsigned)FIELD(esr, 31, 26))
#define ESR_IL BIT(25)

// PSTATE as SPSR_EL2 holds it.
#define PSTATE_EL1H UINT64_C(0x5)
#define PSTATE_EL1T UINT64_C(0x4)
#define PSTATE_A32 BIT(4)
#define PSTATE_E BIT(9)         // big-endian, in AArch32
#define PSTATE_BTYPE (UINT64_C(3) << 10)
#define PSTATE_SS BIT(21)
#define PSTATE_NZCV (UINT64_C(0xF) << 28)
#define PSTATE_DAIF UINT64_C(0x3C0)
#define MDSCR_TDCC BIT(12)      // of MDSCR_EL1: EL0 has no debugger's channel
#define SCTLR_EE BIT(25)        // of SCTLR_EL1: EL1 is big-endian, EL0 is
#define SCTLR_E0E BIT(24)

// What ERET from EL2 may load: EL0t, EL1t, EL1h, or EL0 in AArch32. Of anything else the result is an
// illegal return: it stays in EL2 (DDI 0487 D1.10.3).
static inline bool pstate_is_legal(uint64_t pstate) {
    unsigned m = pstate & 0x1F;
    return m == 0 || m == PSTATE_EL1T || m == PSTATE_EL1H || m == PSTATE_A32;
}

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

typedef struct vcpu {
    guest_regs_t parked;    // the registers while it does not run
    guest_regs_t *regs;     // &parked, or on a stack
    struct vm *vm;
    unsigned id;
    volatile vcpu_state_t state;
    struct pcpu *on;        // the core it is loaded on, or NULL
    int pin;                // the core it must run on, or -1: set by a script
    int home;               // the same, for the time of a run in the foreground
    struct vcpu *next;      // in one of the scheduler's queues
    bool queued;            // in the one of READY vCPUs
    uint64_t slice_end;     // CNTPCT until which nobody else has a claim to its core
    volatile bool on_pending;   // PSCI CPU_ON has been called and it has not run yet
    volatile bool kicked;   // leave the guest at the next opportunity
    uint64_t sp_el2;        // the hypervisor's stack pointer while the guest ran
    bool moved;             // a handler set the PC or injected an exception: do not advance it
    bool serror;            // a virtual SError is pending (HCR_EL2.VSE)
    bool skip;              // the last handler returned hv.SKIP
    uint64_t step_ipa;      // el1trap.c has put the original instruction there, for one step; or 0
    uint16_t step_word;
    void *asked;            // the handler (handler_t) whose frame this exit has begun in: see callback.h
    uint16_t vmid;
    uint64_t mdscr;         // MDSCR_EL1 as the guest sees it: the real one is the debugger's
    uint64_t vmpidr;
    exit_info_t exit;
    struct hook *mmio_hit;  // the range of the last MMIO exit
    void *object;           // the Python object, given to handlers
    uint64_t el1[EL1_COUNT];
    uint64_t counts[64];    // exits by exception class
    uint64_t irq_exits;
    vgic_cpu_t vgic;
    vtimer_t vtimer;
    fp_state_t fp __attribute__((aligned(16)));
} vcpu_t;

// Reset values a kernel may rely on (DDI 0487 D1.9.1, D13.2): EL1h, all masked, MMU off. What the GIC keeps
// for it stays (vgic_reset_vcpu): others may have set that up before they start it, and sent it SGIs.
void vcpu_reset(vcpu_t *v, uint64_t pc, uint64_t x0);

// Make v the one whose system registers are live on this core. Interrupts masked.
void vcpu_load(vcpu_t *v);
// Save what is live, so that memory is current and another core may load it. This core only.
void vcpu_put(vcpu_t *v);

// Run until something ends it. Interrupts masked on entry and exit.
exit_t vcpu_run(vcpu_t *v);

uint64_t guest_enter(vcpu_t *v);    // vectors.S

// EL1 register by its index in el1_state.h, live or saved; v is not running.
uint64_t vcpu_el1_get(vcpu_t *v, unsigned index);
void vcpu_el1_set(vcpu_t *v, unsigned index, uint64_t value);

// Stage 1 of this vCPU and stage 2 of its VM (pa NULL: stage 1 only): 0, or the PAR_EL1 of the fault
// (its S bit, 9, says that it was stage 2's). v is stopped, or its exit is being handled here.
uint64_t vcpu_translate_va(vcpu_t *v, uint64_t va, bool write, bool el0, uint64_t *ipa, uint64_t *pa);

// Deliver an exception to the guest's EL1 as hardware would (DDI 0487 D1.10.2).
void vcpu_inject_sync(vcpu_t *v, uint64_t esr, uint64_t far, bool far_valid);
void vcpu_inject_undefined(vcpu_t *v);
void vcpu_inject_same(vcpu_t *v);   // the exception in v->exit, as if EL1 had got it instead of EL2
void vcpu_inject_serror(vcpu_t *v);
void vcpu_inject_abort(vcpu_t *v, bool instruction, uint64_t far);

// What EL2 itself runs with, between guests. boot/start.S sets the same. VM (bit 0) stays on: what a core does of
// EL1&0's translation meanwhile, as by a speculative AT (erratum 1530924), is bound to stage 2 all the same.
#define HCR_HOST UINT64_C(0x80000039)
#define HCR_VSE BIT(8)
#define HCR_TID3 BIT(18)
#define HCR_TEA BIT(37)
#define CPTR_HOST UINT64_C(0x33FF)
#define CPTR_TFP BIT(10)
#define MDCR_HOST UINT64_C(6)
#define MDCR_TDE BIT(8)

static inline uint64_t reg_get(const guest_regs_t *r, unsigned n) {
    return n == 31 ? 0 : r->x[n]; // 31 is XZR in a syndrome
}

static inline void reg_set(guest_regs_t *r, unsigned n, uint64_t v) {
    if (n != 31) {
        r->x[n] = v;
    }
}

#endif
