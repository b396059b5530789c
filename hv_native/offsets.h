// SPDX-License-Identifier: MIT
// Offsets the assembly in vectors.S uses; vcpu.c and fault.c assert each of them against the C types.
#ifndef HV_OFFSETS_H
#define HV_OFFSETS_H

// guest_regs_t: the guest's registers, on the hypervisor's stack while the guest runs.
#define REGS_X(n) ((n) * 8)
#define REGS_PC 0xF8
#define REGS_PSTATE 0x100
#define REGS_VCPU 0x108
#define REGS_SIZE 0x110

// vcpu_t
#define VCPU_PARKED 0x0
#define VCPU_REGS 0x110

// el2_frame_t: what an exception taken at EL2 itself saves.
#define FRAME_X(n) ((n) * 8)
#define FRAME_SP 0xF8
#define FRAME_ELR 0x100
#define FRAME_SPSR 0x108
#define FRAME_ESR 0x110
#define FRAME_FAR 0x118
#define FRAME_SIZE 0x120

// pcpu_t (boot/start.S knows the first two as well)
#define PCPU_STACK_TOP 0x0
#define PCPU_MPIDR 0x8
#define PCPU_FAULT_STACK 0x10

// A stack is STACK_SIZE bytes, aligned so that this bit of an address in it is set and the bit of
// an address in the guard below it is clear: one test finds an overflow without a free register.
#define STACK_BIT 18
#define STACK_SIZE (1 << STACK_BIT)

#endif
