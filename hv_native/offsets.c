// SPDX-License-Identifier: MIT
// Assembly offsets.
// What assembly knows of C's types and constants. The compiler writes it down as offsets.h: this file is
// compiled to assembly, never linked, and its lines that begin with "offsets:" become #defines
// (ports/aarch64/Makefile). So no number stands in two places.

#include "py/bc0.h"
#include "py/objfun.h"
#include "py/objarray.h"
#include "py/objint.h"
#include "py/objlist.h"
#include "py/objstr.h"
#include "py/objtuple.h"
#include "py/objtype.h"
#include "py/runtime.h"
#include "core/cpu.h"
#include "core/psci_ids.h"
#include "core/syndrome.h"
#include "trap/callback.h"
#include "trap/el2_fault.h"
#include "trap/quick.h"
#include "trap/words.h"
#include "vcpu/psci.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

#define VALUE(name, value) __asm__ volatile ("\noffsets: " #name " %c0" : : "i" ((int64_t)(value)))
#define OFFSET(name, type, member) VALUE(name, offsetof(type, member))
#define SAME(name) __asm__ volatile ("\noffsets: " #name " %c0" : : "i" ((int64_t)(name)))

void offsets(void);

void offsets(void) {
    // boot/start.S
    SAME(HCR_HOST);
    SAME(CPTR_HOST);
    SAME(SCTLR_EL2_OFF);
    OFFSET(PCPU_STACK_TOP, pcpu_t, stack_top);
    OFFSET(PCPU_MPIDR, pcpu_t, mpidr);
    OFFSET(PCPU_FAULT_STACK, pcpu_t, fault_stack);
    OFFSET(PCPU_SCRATCH, pcpu_t, scratch);

    // vcpu/enter.S, trap/vectors.S
    OFFSET(REGS_X0, guest_regs_t, x);
    OFFSET(REGS_PC, guest_regs_t, pc);
    OFFSET(REGS_VCPU, guest_regs_t, vcpu);
    VALUE(REGS_SIZE, sizeof(guest_regs_t));
    OFFSET(VCPU_PARKED, vcpu_t, parked);
    OFFSET(VCPU_REGS, vcpu_t, regs);
    SAME(EXIT_SERROR);
    SAME(EXIT_SAVE);
    OFFSET(FRAME_X0, el2_frame_t, x);
    OFFSET(FRAME_SP, el2_frame_t, sp);
    OFFSET(FRAME_ELR, el2_frame_t, elr);
    OFFSET(FRAME_ESR, el2_frame_t, esr);
    VALUE(FRAME_SIZE, sizeof(el2_frame_t));
    SAME(STACK_BIT);

    // trap/short_psci.S
    VALUE(PSCI_VERSION, (int64_t)PSCI_VERSION);
    SAME(PSCI_1_1);
    VALUE(PSCI_AFFINITY_INFO, (int64_t)PSCI_AFFINITY_INFO);
    VALUE(PSCI_FEATURES, (int64_t)PSCI_FEATURES);
    VALUE(PSCI_CALL_64, PSCI_CALL_64);
    VALUE(PSCI_OR_SMCCC, ~(uint32_t)(PSCI_CALL_64 | (PSCI_VERSION ^ SMCCC_VERSION) | 31));
    VALUE(PSCI_PLACES, PSCI_PLACES);
    VALUE(VM_CLASS_HVC, offsetof(vm_t, classes) + EC_HVC64 * sizeof(void *));
    OFFSET(VM_FALLBACK, vm_t, fallback);
    OFFSET(VM_NVCPUS, vm_t, nvcpus);
    OFFSET(VM_VCPU, vm_t, vcpu);
    VALUE(ON_PENDING_BIT, (offsetof(vcpu_t, on_pending) - offsetof(vcpu_t, state)) * 8);
    OFFSET(VCPU_STATE, vcpu_t, state);

    // trap/quick.S: handlers, and what of MicroPython's they work on
    SAME(QUICK_VALUE);
    SAME(QUICK_NOTHING);
    SAME(QUICK_SKIP);
    VALUE(TYPE_SIZE, sizeof(mp_obj_full_type_t));
    VALUE(BOXES_SIZE, sizeof(quick_boxes.box));
    OFFSET(BOXES, quick_boxes_t, box);
    SAME(QUICK_BUDGET);
    OFFSET(PCPU_PYTHON, pcpu_t, python);
    OFFSET(VCPU_ASKED, vcpu_t, asked);
    SAME(QUICK_LOOK_THROUGH);
    OFFSET(TYPE_LOCALS_DICT, mp_obj_type_t, slot_index_locals_dict);
    OFFSET(TYPE_SLOTS, mp_obj_full_type_t, slots);
    SAME(QUICK_CALL_BYTES);
    VALUE(LINK_SIZE, sizeof(quick_link_t));
    OFFSET(STATE_SIZE, mp_code_state_t, n_state);
    VALUE(ACTION_SKIP_OFFSET, ACTION_SKIP * sizeof(mp_obj_base_t));
    VALUE(QSTR_X, MP_QSTR_x);
    OFFSET(PCPU_LOADED, pcpu_t, loaded);
    VALUE(QSTR_EXIT, MP_QSTR_exit);
    VALUE(QSTR_ESR, MP_QSTR_esr);
    OFFSET(PCPU_RUNNING, pcpu_t, running);
    OFFSET(VCPU_OBJECT, vcpu_t, object);
    OFFSET(CONTEXT_OBJECTS, mp_module_context_t, constants.obj_table);
    OFFSET(MODULE_GLOBALS, mp_obj_module_t, globals);
    OFFSET(TUPLE_LEN, mp_obj_tuple_t, len);
    OFFSET(TUPLE_ITEMS, mp_obj_tuple_t, items);
    VALUE(ARRAY_TYPECODE, sizeof(mp_obj_base_t)); // of which the first byte is the type code
    OFFSET(INT_MPZ, mp_obj_int_t, mpz);
    SAME(QUICK_VM);
    OFFSET(HANDLER_UNBOUND, handler_t, unbound);
    VALUE(MAP_CACHE, offsetof(mp_state_ctx_t, vm.map_lookup_cache));
    OFFSET(HANDLER_FRAME, handler_t, frame);
    OFFSET(HANDLER_TOP, handler_t, top);
    OFFSET(HANDLER_NARGS, handler_t, nargs);
    OFFSET(HANDLER_FIXED, handler_t, fixed);
    VALUE(ESR_SSE, 21);
    VALUE(ESR_SAS, 22);
    VALUE(ESR_SRT, 16);
    VALUE(ESR_WNR, 6);
    SAME(QUICK_UNDONE);
    OFFSET(HANDLER_CODE, handler_t, code);
    OFFSET(VCPU_OBJECT, vcpu_t, object);
    SAME(EXIT_TRAP);
    SAME(NATIVE_ROUNDS);
    OFFSET(STATE_IP, mp_code_state_t, ip);
    OFFSET(STATE, mp_code_state_t, state);
    OFFSET(FUN_BC_CONTEXT, mp_obj_fun_bc_t, context);
    OFFSET(CONTEXT_GLOBALS, mp_module_context_t, module.globals);
    OFFSET(CONTEXT_QSTRS, mp_module_context_t, constants.qstr_table);
    OFFSET(DICT_MAP, mp_obj_dict_t, map);
    OFFSET(MAP_ALLOC, mp_map_t, alloc);
    VALUE(MAP_CACHE_BITS, __builtin_ctz(MICROPY_OPT_MAP_LOOKUP_CACHE_SIZE));
    OFFSET(CELL_OBJ, mp_obj_cell_t, obj);
    OFFSET(LIST_LEN, mp_obj_list_t, len);
    OFFSET(TYPE_FLAGS, mp_obj_type_t, flags);
    VALUE(TYPE_INSTANCE_BIT, __builtin_ctz(MP_TYPE_FLAG_INSTANCE_TYPE));
    VALUE(TYPE_ACCESSORS_BIT, __builtin_ctz(MP_TYPE_FLAG_HAS_SPECIAL_ACCESSORS));
    OFFSET(INSTANCE_MEMBERS, mp_obj_instance_t, members);
    VALUE(OBJ_NONE, (uintptr_t)mp_const_none);
    VALUE(OBJ_FALSE, (uintptr_t)mp_const_false);
    VALUE(OBJ_TRUE, (uintptr_t)mp_const_true);
    VALUE(OBJ_TRUE_SHIFT, __builtin_ctzl((uintptr_t)mp_const_true - (uintptr_t)mp_const_false));
    VALUE(OBJ_QSTR, (uintptr_t)MP_OBJ_NEW_QSTR(0));
    VALUE(UNARY_OP_POSITIVE, MP_UNARY_OP_POSITIVE);
    VALUE(UNARY_OP_NEGATIVE, MP_UNARY_OP_NEGATIVE);
    VALUE(UNARY_OP_INVERT, MP_UNARY_OP_INVERT);
    VALUE(UNARY_OP_NOT, MP_UNARY_OP_NOT);
    VALUE(BINARY_OP_LESS, MP_BINARY_OP_LESS);
    VALUE(BINARY_OP_MORE, MP_BINARY_OP_MORE);
    VALUE(BINARY_OP_EQUAL, MP_BINARY_OP_EQUAL);
    VALUE(BINARY_OP_LESS_EQUAL, MP_BINARY_OP_LESS_EQUAL);
    VALUE(BINARY_OP_MORE_EQUAL, MP_BINARY_OP_MORE_EQUAL);
    VALUE(BINARY_OP_NOT_EQUAL, MP_BINARY_OP_NOT_EQUAL);
    VALUE(BINARY_OP_IN, MP_BINARY_OP_IN);
    VALUE(BINARY_OP_IS, MP_BINARY_OP_IS);
    VALUE(BINARY_OP_OR, MP_BINARY_OP_OR);
    VALUE(BINARY_OP_XOR, MP_BINARY_OP_XOR);
    VALUE(BINARY_OP_AND, MP_BINARY_OP_AND);
    VALUE(BINARY_OP_LSHIFT, MP_BINARY_OP_LSHIFT);
    VALUE(BINARY_OP_RSHIFT, MP_BINARY_OP_RSHIFT);
    VALUE(BINARY_OP_ADD, MP_BINARY_OP_ADD);
    VALUE(BINARY_OP_SUBTRACT, MP_BINARY_OP_SUBTRACT);
    VALUE(BINARY_OP_MULTIPLY, MP_BINARY_OP_MULTIPLY);
    VALUE(BINARY_OP_FLOOR_DIVIDE, MP_BINARY_OP_FLOOR_DIVIDE);
    VALUE(BINARY_OP_MODULO, MP_BINARY_OP_MODULO);
    VALUE(BINARY_OPS, MP_BINARY_OP_OR - MP_BINARY_OP_INPLACE_OR); // from the in-place forms to these
}

// What the assembly takes for granted of the order of things: neighbours that one LDP or STP takes.
_Static_assert(offsetof(guest_regs_t, pstate) == offsetof(guest_regs_t, pc) + 8 && sizeof(guest_regs_t) % 16 == 0, "vectors.S");
_Static_assert(offsetof(el2_frame_t, spsr) == offsetof(el2_frame_t, elr) + 8 && offsetof(el2_frame_t, far) == offsetof(el2_frame_t, esr) + 8, "vectors.S");
_Static_assert(offsetof(vcpu_t, state) % 8 == 0 && offsetof(vcpu_t, on_pending) == offsetof(vcpu_t, state) + 4 && VCPU_OFF == 0, "short_psci.S");
_Static_assert(offsetof(handler_t, nfixed) == offsetof(handler_t, nargs) + 1 && ISS_SSE == BIT(21) && ISS_SAS == UINT64_C(3) << 22 && ISS_WNR == BIT(6), "quick.S");
_Static_assert(offsetof(handler_t, entry) == offsetof(handler_t, frame) + 8 && offsetof(handler_t, context) == offsetof(handler_t, top) + 8 && offsetof(quick_boxes_t, handler) == offsetof(quick_boxes_t, esr) + 8, "quick.S");
_Static_assert(offsetof(mp_code_state_t, fun_bc) == 0 && offsetof(mp_code_state_t, sp) == offsetof(mp_code_state_t, ip) + 8, "quick.S");
_Static_assert(offsetof(mp_map_t, table) == offsetof(mp_map_t, alloc) + 8 && sizeof(mp_map_elem_t) == 16 && offsetof(mp_map_elem_t, value) == 8, "quick.S");
_Static_assert(offsetof(mp_obj_list_t, items) == offsetof(mp_obj_list_t, len) + 8, "quick.S");
_Static_assert(offsetof(mp_obj_array_t, len) == offsetof(mp_obj_list_t, len) && offsetof(mp_obj_array_t, items) == offsetof(mp_obj_list_t, items), "quick.S");
_Static_assert(offsetof(mp_obj_str_t, len) == offsetof(mp_obj_list_t, len) && offsetof(mp_obj_str_t, data) == offsetof(mp_obj_list_t, items), "quick.S");
_Static_assert(MPZ_DIG_SIZE == 16 && offsetof(mpz_t, len) == 8 && offsetof(mpz_t, dig) == 16, "quick.S");
_Static_assert(offsetof(guest_regs_t, x) == 0 && sizeof(quick_box_t) == 16 && offsetof(quick_boxes_t, box) == 48 && offsetof(quick_boxes_t, end) == 40 && offsetof(quick_boxes_t, link) == 16, "quick.S");
_Static_assert(MICROPY_OBJ_REPR == MICROPY_OBJ_REPR_A && sizeof(qstr_short_t) == 2 && (uintptr_t)MP_OBJ_NEW_QSTR(1) - (uintptr_t)MP_OBJ_NEW_QSTR(0) == 8, "quick.S");
_Static_assert(MP_BINARY_OP_MULTIPLY - MP_BINARY_OP_INPLACE_MULTIPLY == MP_BINARY_OP_OR - MP_BINARY_OP_INPLACE_OR, "quick.S");
