// SPDX-License-Identifier: MIT
// A virtual machine: its IPA space, its vCPUs, what its exits do, and the EL2 registers it runs with.
#ifndef HV_VM_H
#define HV_VM_H

#include "core/arch.h"
#include "memory/pgtable.h"
#include "vm/hook.h"
#include "vm/vcpu_state.h"
#include "vm/vgic_state.h"

#define VM_MAX_CPUS 8
#define VM_MAX_RAM 4
#define VM_MAX_VIRTIO 32 // slots

// Guest RAM. It is zeroed and mapped when it is first touched, a granule at a time.
#define RAM_GRANULE 0x10000u
typedef struct {
    uint64_t ipa, size;     // bytes, multiples of 2 MB or of 64 KB
    uint8_t *host;
    struct lent *lent;      // the memory there: Python may have views of it (lent.h)
    uint32_t *present;      // one bit a granule: zeroed, and mapped unless a script unmapped it
    size_t present_bytes;
    struct flash *flash;    // it is one's array: 0xFF at first, read-only to the guest (flash.h); or NULL
    volatile bool hidden;   // of a flash: not to be mapped, a device answers
    struct shared *shared;  // of a fork: its pages lie anywhere, and some are not its own (shared.h); or NULL
} ram_t;

// The EL2 registers that are a VM's own, loaded at each entry: see policy.h for what they must hold.
typedef enum { EL2_HCR, EL2_CPTR, EL2_MDCR, EL2_CNTHCTL, EL2_VTCR, EL2_HSTR, EL2_COUNT } el2_reg_t;

typedef struct vm {
    char name[24];
    pgtable_t stage2;
    uint16_t vmid;
    unsigned nvcpus, nram;
    vcpu_t *vcpu[VM_MAX_CPUS];
    ram_t ram[VM_MAX_RAM];
    uint64_t el2[EL2_COUNT];
    uint64_t cntvoff;       // CNTPCT less this is the guest's CNTVCT
    bool stop_time;         // its virtual counter stands still while it is stopped
    bool stopped;           // since stopped_at
    uint64_t stopped_at;
    vgic_t vgic;
    hook_table_t hvc, smc, sysreg, imm;     // by SMCCC id (HVC, SMC), by encoding, by HVC immediate
    hook_ranges_t mmio;
    hook_ranges_t rules;    // those over MMIO; the ranges may be parts of devices', or of several
    hook_t *classes[64];    // exception classes a script asked for
    hook_t *fallback;      // the default handler
    spinlock_t lock;
    debug_pair_t taken[DEBUG_PAIRS];    // breakpoints and watchpoints that the hypervisor has taken (vcpu/debug.h)
    uint32_t taken_mask;    // which
    bool debug_el2;         // debug exceptions come to EL2: there are breakpoints at EL0 (debug_changed tells the vCPUs)
    struct pl011 *console;
    struct pl031 *rtc;
    struct watches *watches;    // NULL until a script watches something
    uint32_t hard_watches;  // of these in debug registers: of their pages no right is taken
    uint64_t *rights;       // what is taken away from pages (rights.h); NULL: nothing ever was
    struct breaks *breaks;  // NULL until a script plants a breakpoint
    struct trace *trace;    // NULL: its exits are not traced (trap/trace.h)
    uint64_t traced;        // exception classes that a trace wants
    bool traced_irq;        // interrupts too
    struct el1trap *el1;    // NULL until a script asks for the guest's own exceptions
    bool exec_xor_write;    // a page of RAM can be written or executed, not both: el1trap.c
    struct virtio *virtio[VM_MAX_VIRTIO];
    unsigned nvirtio;       // slots up to the last one with a device
    void *object;           // the Python object
    volatile bool running;  // started, and its end not yet taken note of
    volatile bool stopping; // its vCPUs are to leave their cores
    uint64_t zeroed;        // granules of RAM that a reset has gone through so far
    unsigned starts;        // how often it was started
    unsigned held;          // vm_hold: none of its vCPUs is to run
    bool foreground;        // the boot core waits for its end
    vcpu_t *volatile ended_by;  // whose exit ended it; NULL: a stop was asked for
    uint64_t cntpoff;       // CNTPCT less this is what the guest reads: 0, until it has gone back in time
    struct hold *hold;      // its snapshots (hold/pages.h), or NULL
    vcpu_t *volatile ran[PLATFORM_MAX_CPUS];    // which of its vCPUs has left something in that core's TLB, last (vcpu/vcpu.c)
    struct replay *replay;  // its time goes by its instructions (hold/replay.h), or NULL
    struct replay *record;  // the same, also while that is off
    struct source *source;  // of a fork: what its RAM was at first (shared.h), or NULL
    struct source *forks;   // those that were made of its snapshots
    bool forked;            // it is made to be a fork
    bool closed;            // it is only there for its forks any more
    struct vm *next;
} vm_t;

extern vm_t *vms;

#endif
