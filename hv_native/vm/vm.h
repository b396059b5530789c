// SPDX-License-Identifier: MIT
// A virtual machine: its IPA space, its vCPUs, what its exits do, and the EL2 registers it runs with.
#ifndef HV_VM_H
#define HV_VM_H

#include "arch.h"
#include "cpu.h"
#include "hook.h"
#include "pgtable.h"
#include "vcpu.h"

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
    hook_t *otherwise;      // the default handler
    spinlock_t lock;
    struct pl011 *console;
    struct pl031 *rtc;
    struct el1trap *el1;    // NULL until a script asks for the guest's own exceptions
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
    struct vm *next;
} vm_t;

// sched.c; boot core: between these no vCPU of the VM is in the guest or in C on another core, so that
// what those look up without a lock (hooks, stage 2) can be changed. They nest.
void vm_hold(vm_t *vm);
void vm_release(vm_t *vm);

extern vm_t *vms;

// NULL when there is no memory or no VMID left. cpus: 1..VM_MAX_CPUS.
vm_t *vm_create(const char *name, unsigned cpus);
void vm_destroy(vm_t *vm);              // no vCPU of it may be running
bool vm_add_ram(vm_t *vm, uint64_t ipa, uint64_t size);

// Host address of guest RAM [ipa, ipa + size), zeroed and contiguous, or NULL when it is not all RAM.
void *vm_ram(vm_t *vm, uint64_t ipa, uint64_t size);
// The same in two steps, for what is long: where it is, and, of a part of that, that it is there.
void *vm_ram_place(vm_t *vm, uint64_t ipa, uint64_t size);
bool vm_ram_touch(vm_t *vm, const void *place, uint64_t size);
// Somebody may keep the address of RAM at ipa: see lent.h.
void vm_show_ram(vm_t *vm, uint64_t ipa);
// A stage-2 fault in RAM that was not touched before: true when it is there now.
bool vm_ram_fault(vm_t *vm, uint64_t ipa);
bool vm_ram_missing(vm_t *vm, uint64_t ipa);    // after that: whether it was for want of memory
// The part of that which there is time for in a turn of the boot core (sched.h). True: all of it.
bool vm_ram_zero_some(vm_t *vm);
void vm_ram_zero(vm_t *vm);             // all of it, as before it was touched; no vCPU runs

// stage2.c. What a script maps, protects or unmaps stays as it said: such entries carry a mark (also
// the invalid ones), and the VM's RAM fills in only what has none.
bool stage2_init(vm_t *vm);
void stage2_free(vm_t *vm);
void stage2_use(vm_t *vm);              // VTTBR_EL2 and VTCR_EL2 of this core
void stage2_init_core(void);
// No VM's tables any more on this core.
static inline void stage2_leave(const struct pcpu *p) {
    WRITE_SYSREG(vttbr_el2, p->no_stage2);
    isb();
}
#define S2_READ 1u
#define S2_WRITE 2u
#define S2_EXEC 4u
#define S2_DEVICE 8u
#define S2_NC 16u
#define S2_SCRIPT 32u                   // set the mark
#define S2_PTE_SOFTWARE (UINT64_C(15) << 55)    // bits the architecture leaves to software
#define S2_PTE_SCRIPT BIT(55)           // the mark
// False: no page left for a table. The VM's lock is held, or it is still being made.
bool stage2_map(vm_t *vm, uint64_t ipa, uint64_t pa, uint64_t size, unsigned flags);
bool stage2_fill(vm_t *vm, uint64_t ipa, uint64_t pa, uint64_t size, unsigned flags);
bool stage2_unmap(vm_t *vm, uint64_t ipa, uint64_t size, bool for_good);
// Access rights only. Without S2_SCRIPT, of what no script has said anything about.
bool stage2_protect(vm_t *vm, uint64_t ipa, uint64_t size, unsigned flags);

#endif
