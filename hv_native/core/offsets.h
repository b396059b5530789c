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
#define PCPU_SCRATCH 0x18

// quick.S: handler_t, and what of MicroPython's it works on. callback.c asserts these.
#define HANDLER_FRAME 0x10
#define HANDLER_TOP 0x20
#define STATE_IP 0x8
#define STATE 0x28
#define FUN_BC_CONTEXT 0x8
#define CONTEXT_GLOBALS 0x8
#define CONTEXT_QSTRS 0x10
#define DICT_MAP 0x8
#define MAP_ALLOC 0x8
#define CELL_OBJ 0x8
#define LIST_LEN 0x10
#define TYPE_FLAGS 0x8
#define TYPE_INSTANCE_BIT 9
#define TYPE_ACCESSORS_BIT 1
#define INSTANCE_MEMBERS 0x8
#define OBJ_NONE 6
#define OBJ_FALSE 14
#define OBJ_TRUE 30
#define OBJ_TRUE_SHIFT 4
#define OBJ_QSTR 2
#define UNARY_OP_INVERT 2
#define UNARY_OP_NOT 3
#define BINARY_OP_LESS 0
#define BINARY_OP_MORE 1
#define BINARY_OP_EQUAL 2
#define BINARY_OP_LESS_EQUAL 3
#define BINARY_OP_MORE_EQUAL 4
#define BINARY_OP_NOT_EQUAL 5
#define BINARY_OP_IS 7
#define BINARY_OP_OR 22
#define BINARY_OP_XOR 23
#define BINARY_OP_AND 24
#define BINARY_OP_LSHIFT 25
#define BINARY_OP_RSHIFT 26
#define BINARY_OP_ADD 27
#define BINARY_OP_SUBTRACT 28
#define BINARY_OP_MULTIPLY 29
#define BINARY_OPS 13   // from the in-place forms to these
#define QUICK_VALUE 0
#define QUICK_NOTHING 1
#define QUICK_VM 2

// A stack is STACK_SIZE bytes, aligned so that this bit of an address in it is set and the bit of
// an address in the guard below it is clear: one test finds an overflow without a free register.
#define STACK_BIT 18
#define STACK_SIZE (1 << STACK_BIT)
// The end of the boot core's guard that lies below its stack: unmapped like the rest, but opened, page
// by page, for what must not be interrupted by an overflow (fault.c).
#define STACK_RESERVE 0x8000

#endif
