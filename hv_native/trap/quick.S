// SPDX-License-Identifier: MIT
// Short interpreter for the beginning of Python handlers.
// The interpreter of quick.h. Each instruction here is completed, or left to MicroPython's VM by `leave`
// before it has changed anything; what they mean is said by py/vm.c, and offsets.c has the numbers and
// offsets from the compiler. Nearly no case calls a C function, so that there is nothing to save on the way in and out;
// calls and names that are not where they were last do (to_c, quick_calls.c).
//
// Local variables lie downwards from the top of the frame, the stack upwards from its bottom, as the VM has
// them, but for the top of the stack, which is kept in a register.
//
// A case begins with ip behind its opcode, and so does `leave`. Where a name or a comparison has its short way, ip or sp_ is
// further by then and is put back for the longer one.
//
// A small int n is the object 2 n + 1, which much arithmetic can be done with as it is. A number from 2^62 up to 2^64 - 1
// is a box (quick_box_t): such are on the stack and in local variables only, and before the VM goes on, callback.c puts
// MicroPython's own ints in their place.

#include "py/bc0.h"
#include "trap/quick.inc"

.macro push from
    str     top, [sp_, #8]!
    mov     top, \from
.endm

.macro pop
    ldr     top, [sp_], #-8
.endm

.macro case label
\label:
.endm

// The operands of a binary operation, taken off the stack, into x12 and top, if both are small ints.
.macro both_small otherwise
    ldr     x12, [sp_], #-8
    and     x13, x12, top
    tbz     x13, #0, \otherwise
.endm

// w13 = the operand, of up to 14 bits, and x14 = behind it. Uses x15.
.macro operand
    ldrb    w13, [ip]
    add     x14, ip, #1
    tbz     w13, #7, 99f
    ldrb    w15, [x14], #1
    tbnz    w15, #7, leave
    and     w13, w13, #0x7F
    orr     w13, w15, w13, lsl #7
99:
.endm

// x13 = the name that is the operand. Uses x15.
.macro qstr
    ldr     x15, [ctx, #CONTEXT_QSTRS]
    ldrh    w13, [x15, x13, lsl #1]
    lsl     x13, x13, #3
    add     x13, x13, #OBJ_QSTR
.endm

// x16, x17 = how long the table of a map is and where: x17 = the element of the name that is the operand, if that is short
// and the name is where py/map.c has found it last. Otherwise on at \otherwise, with ip behind the operand's first byte. Uses x0,
// x13 to x15.
.macro named otherwise
    ldrb    w14, [ip], #1
    ldr     x15, [ctx, #CONTEXT_QSTRS]
    tbnz    w14, #7, \otherwise
    ldrh    w13, [x15, x14, lsl #1]
    adr     x0, mp_state_ctx+MAP_CACHE
    ubfiz   x14, x13, #1, #MAP_CACHE_BITS - 1
    ldrb    w14, [x0, x14]
    cmp     x14, x16
    b.hs    \otherwise
    add     x17, x17, x14, lsl #4
    ldr     x0, [x17]
    sub     x0, x0, #OBJ_QSTR
    cmp     x0, x13, lsl #3
    b.ne    \otherwise
.endm

// What goes where the VM would find it is no box.
.macro no_box from
    sub     x13, \from, boxes
    cmp     x13, #BOXES_SIZE
    b.lo    leave
.endm

.macro result from
    mov     top, \from
    next
.endm

// ---- Which case for which opcode ----------------------------------------------------------------

.macro opcode code, label, count=1
    .rept   \code - (. - quick_cases) / 8
    .quad   leave
    .endr
    .rept   \count
    .quad   \label
    .endr
.endm

// One case each, of so many bytes, which follow each other.
.macro opcodes code, label, count, bytes
    opcode  \code, \label, 0
    .set    which, 0
    .rept   \count
    .quad   \label + which * \bytes
    .set    which, which + 1
    .endr
.endm

#define UNARY(name) MP_BC_UNARY_OP_MULTI + UNARY_OP_##name
#define BINARY(name) MP_BC_BINARY_OP_MULTI + BINARY_OP_##name
#define INPLACE(name) MP_BC_BINARY_OP_MULTI + BINARY_OP_##name - BINARY_OPS

    .section .data.rel.ro.quick_cases, "aw"
    .balign 64
    .global quick_cases
quick_cases:
    opcode  MP_BC_LOAD_CONST_STRING, load_string
    opcode  MP_BC_LOAD_GLOBAL, load_global
    opcode  MP_BC_LOAD_ATTR, load_attr
    opcode  MP_BC_LOAD_METHOD, load_method
    opcode  MP_BC_STORE_GLOBAL, store_global
    opcode  MP_BC_STORE_ATTR, store_attr
    opcode  MP_BC_LOAD_CONST_SMALL_INT, load_const
    opcode  MP_BC_LOAD_CONST_OBJ, load_object
    opcode  MP_BC_LOAD_DEREF, load_deref
    opcode  MP_BC_STORE_DEREF, store_deref
    opcode  MP_BC_CALL_FUNCTION, call_function
    opcode  MP_BC_CALL_METHOD, call_method
    opcode  MP_BC_JUMP, jump
    opcode  MP_BC_POP_JUMP_IF_TRUE, pop_jump_if_true
    opcode  MP_BC_POP_JUMP_IF_FALSE, pop_jump_if_false
    opcode  MP_BC_LOAD_CONST_FALSE, load_false
    opcode  MP_BC_LOAD_CONST_NONE, load_none
    opcode  MP_BC_LOAD_CONST_TRUE, load_true
    opcode  MP_BC_LOAD_SUBSCR, load_subscr
    opcode  MP_BC_STORE_SUBSCR, store_subscr
    opcode  MP_BC_DUP_TOP, dup_top
    opcode  MP_BC_DUP_TOP_TWO, dup_top_two
    opcode  MP_BC_POP_TOP, pop_top
    opcode  MP_BC_ROT_TWO, rot_two
    opcode  MP_BC_ROT_THREE, rot_three
    opcode  MP_BC_RETURN_VALUE, return_value
    opcode  MP_BC_LOAD_CONST_SMALL_INT_MULTI, load_const_multi, MP_BC_LOAD_CONST_SMALL_INT_MULTI_NUM
    opcodes MP_BC_LOAD_FAST_MULTI, load_fast, MP_BC_LOAD_FAST_MULTI_NUM, 24
    opcode  MP_BC_STORE_FAST_MULTI, store_fast, MP_BC_STORE_FAST_MULTI_NUM
    opcode  UNARY(POSITIVE), positive
    opcode  UNARY(NEGATIVE), negative
    opcode  UNARY(INVERT), invert
    opcode  UNARY(NOT), not
    opcode  BINARY(LESS), less
    opcode  BINARY(MORE), more
    opcode  BINARY(EQUAL), equal
    opcode  BINARY(LESS_EQUAL), less_equal
    opcode  BINARY(MORE_EQUAL), more_equal
    opcode  BINARY(NOT_EQUAL), not_equal
    opcode  BINARY(IN), in
    opcode  BINARY(IS), is
    opcode  INPLACE(OR), or_
    opcode  INPLACE(XOR), xor
    opcode  INPLACE(AND), and_
    opcode  INPLACE(LSHIFT), lshift
    opcode  INPLACE(RSHIFT), rshift
    opcode  INPLACE(ADD), plus
    opcode  INPLACE(SUBTRACT), minus
    opcode  INPLACE(MULTIPLY), times
    opcode  INPLACE(FLOOR_DIVIDE), floor_divide
    opcode  INPLACE(MODULO), modulo
    opcode  BINARY(OR), or_
    opcode  BINARY(XOR), xor
    opcode  BINARY(AND), and_
    opcode  BINARY(LSHIFT), lshift
    opcode  BINARY(RSHIFT), rshift
    opcode  BINARY(ADD), plus
    opcode  BINARY(SUBTRACT), minus
    opcode  BINARY(MULTIPLY), times
    opcode  BINARY(FLOOR_DIVIDE), floor_divide
    opcode  BINARY(MODULO), modulo
    opcode  256, leave, 0

    .section .text.hot.quick, "ax"

    .macro  answer_to value              // of a handler in x0, whose answer comes to `value`
    ldp     locals, ctx, [x0, #HANDLER_TOP]
    str     x30, [sp, #-16]!
    adr     x30, \value
    prepare x0
    begin
    .endm

// quick_t quick_run(handler_t *, mp_obj_t *at), and with arguments that are boxes: behind which is free
    .global quick_run, quick_run_boxed
quick_run:
    adr     boxes, quick_boxes+BOXES
    mov     box, boxes
run:
    answer_to run_value

    b       run_none
    b       run_left
run_value:
    mov     x0, #QUICK_VALUE
    b       run_left

// The same where None is an answer.
    .global quick_run_store
quick_run_store:
    adr     boxes, quick_boxes+BOXES
    mov     box, boxes
    answer_to run_store_value

    b       run_left
    b       run_left
run_store_value:
    mov     x0, #QUICK_VALUE
run_left:
    ldr     x30, [sp], #16
    ret
run_none:
    bl      quick_keep_none
    b       run_left

quick_run_boxed:
    mov     box, x2
    adr     boxes, quick_boxes+BOXES
    b       run

// w0 = how many local variables are no arguments, and how many are, * 65536.
    .global begin_unbound
begin_unbound:
    lsr     w12, w0, #16
    and     w0, w0, #0xFFFF
    sub     x12, locals, x12, lsl #3
1:  str     xzr, [x12, #-8]!
    subs    w0, w0, #1
    b.ne    1b
    next

// Everything as the VM would have it.
    .global quick_keep_none
quick_keep_none:
    cmp     x0, #QUICK_UNDONE           // LOAD_CONST_NONE is to be done again
    b.ne    quick_keep
    mov     x0, #QUICK_NOTHING
    sub     ip, ip, #1
quick_keep:
    sub     ip, ip, #1
    str     top, [sp_, #8]!
    stp     ip, sp_, [s, #STATE_IP]
    stp     depth, box, [boxes, #-16]
    str     s, [boxes, #-24]
    ret

leave_binary:                           // behind both_small
    add     sp_, sp_, #8
case leave
    mov     x17, x30
    bl      quick_keep
    mov     x0, #QUICK_VM
    sub     x30, x17, #4
    ret

// To the caller, behind its call.
return_to:
    ldr     s, [s, #-LINK_SIZE]
    sub     depth, depth, #1
    ldp     ip, sp_, [s, #STATE_IP]
    ldr     x13, [s]
    ldrh    w12, [s, #STATE_SIZE]
    ldr     ctx, [x13, #FUN_BC_CONTEXT]
    add     locals, s, #STATE
    add     ip, ip, #QUICK_CALL_BYTES
    add     locals, locals, x12, lsl #3
    next

case return_value
    cbnz    depth, return_to
    tbz     top, #0, 1f
    asr     x1, top, #1
    ret
1:  cmp     top, #OBJ_NONE
    b.eq    return_nothing
    sub     x12, top, boxes
    cmp     x12, #BOXES_SIZE
    b.hs    2f
    ldp     x13, x1, [top]
    adr     x12, quick_types
    cmp     x13, x12
    b.ne    leave
    ret
2:  cmp     top, #OBJ_FALSE
    mov     x1, #0
    b.eq    3f
    cmp     top, #OBJ_TRUE
    mov     x1, #1
    b.eq    3f
    adr     x13, hv_actions+ACTION_SKIP_OFFSET
    mov     x0, #QUICK_SKIP
    cmp     top, x13
    b.eq    return_other
    mov     x12, top
    adr     x17, 1f
    b       positive_number
1:  mov     x1, x13
3:  ret

return_none:
    cbnz    depth, push_none
    mov     x0, #QUICK_UNDONE
    sub     x30, x30, #8
    ret
return_nothing:
    mov     x0, #QUICK_NOTHING
return_other:
    sub     x30, x30, #8
    ret

// A C function of quick_calls.c, x17, with all of this (quick_regs_t): it completes the instruction, or does not.
to_c:
    str     top, [sp_, #8]!
    stp     x30, ctx, [sp, #-80]!
    stp     s, ip, [sp, #16]
    stp     sp_, locals, [sp, #32]
    stp     depth, box, [sp, #48]
    str     budget, [sp, #64]
    mov     x0, sp
    blr     x17
    ldr     budget, [sp, #64]
    ldp     depth, box, [sp, #48]
    ldp     sp_, locals, [sp, #32]
    ldp     s, ip, [sp, #16]
    ldp     x30, ctx, [sp], #80
    adr     boxes, quick_boxes+BOXES
    adr     cases, quick_cases
    ldr     top, [sp_], #-8
    tbz     w0, #0, leave
    next

case call_function
    adr     x17, quick_call_function
    b       to_c

case call_method
    adr     x17, quick_call_method
    b       to_c

// An instance's, that its class has and it has not itself.
case load_method
    tst     top, #3
    b.ne    leave
    ldr     x16, [top]
    ldrh    w12, [x16, #TYPE_FLAGS]
    tbz     w12, #TYPE_INSTANCE_BIT, method_elsewhere
    operand
    qstr
    ldp     x0, x12, [top, #INSTANCE_MEMBERS + MAP_ALLOC]
    cmp     x0, #QUICK_LOOK_THROUGH
    b.hi    method_elsewhere
    add     x0, x12, x0, lsl #4
    b       2f
1:  ldr     x15, [x12], #16
    cmp     x15, x13
    b.eq    method_elsewhere
2:  cmp     x12, x0
    b.lo    1b
    ldrb    w12, [x16, #TYPE_LOCALS_DICT]
    add     x12, x16, x12, lsl #3
    ldr     x12, [x12, #TYPE_SLOTS - 8]
    adr     x16, mp_state_ctx+MAP_CACHE
    ubfx    x15, x13, #2, #MAP_CACHE_BITS
    ldrb    w15, [x16, x15]
    ldp     x16, x12, [x12, #DICT_MAP + MAP_ALLOC]
    cmp     x15, x16
    b.hs    method_elsewhere
    add     x15, x12, x15, lsl #4
    ldp     x16, x12, [x15]
    tst     x12, #3
    ccmp    x16, x13, #0, eq
    b.ne    method_elsewhere
    ldr     x16, [x12]
    adr     x15, mp_type_fun_bc
    cmp     x16, x15
    b.ne    method_elsewhere
    mov     ip, x14
    str     x12, [sp_, #8]!
    next
method_elsewhere:
    adr     x17, quick_load_method
    b       to_c

// ---- Constants and variables --------------------------------------------------------------------

.macro const_multi to
    lsl     \to, op, #1
    sub     \to, \to, #(MP_BC_LOAD_CONST_SMALL_INT_MULTI + MP_BC_LOAD_CONST_SMALL_INT_MULTI_EXCESS) * 2 - 1
.endm

// To compare with it is what it is there for most.
case load_const_multi
    ldrb    w12, [ip]
    cmp     w12, #BINARY(EQUAL)
    b.eq    equal_const
push_const:
    str     top, [sp_, #8]!
    const_multi top
    next

// What it is there for is nearly always next: a comparison with it, or that it is returned.
case load_none
    ldrb    w8, [ip], #1
    cmp     w8, #BINARY(IS)
    b.eq    is_none
    cmp     w8, #MP_BC_RETURN_VALUE
    b.eq    return_none
push_none:
    push    #OBJ_NONE
    ldr     x12, [cases, op, lsl #3]
    br      x12

case load_false
    push    #OBJ_FALSE
    next

case load_true
    push    #OBJ_TRUE
    next

case load_fast
    .set    which, 0
    .rept   MP_BC_LOAD_FAST_MULTI_NUM
    str     top, [sp_, #8]!
    ldur    top, [locals, #-8 - which * 8]
    cbz     top, unbound
    next
    .set    which, which + 1
    .endr
unbound:
    pop
    b       leave

case store_fast
    sub     x12, locals, op, lsl #3
    str     top, [x12, #MP_BC_STORE_FAST_MULTI * 8 - 8]
    pop
    next

case pop_top
    pop
    next

case dup_top
    str     top, [sp_, #8]!
    next

case dup_top_two
    ldr     x12, [sp_]
    stp     top, x12, [sp_, #8]
    add     sp_, sp_, #16
    next

case rot_two
    ldr     x12, [sp_]
    str     top, [sp_]
    mov     top, x12
    next

case rot_three
    ldp     x12, x13, [sp_, #-8]
    stp     top, x12, [sp_, #-8]
    mov     top, x13
    next

// Seven bits a byte, the highest first, and bit 6 of the first is the sign.
case load_const
    ldrb    w12, [ip], #1
    sbfx    x13, x12, #0, #7
    tbz     x12, #7, 2f
1:  ldrb    w12, [ip], #1
    and     x14, x12, #0x7F
    orr     x13, x14, x13, lsl #7
    tbnz    x12, #7, 1b
2:  lsl     x13, x13, #1
    orr     x13, x13, #1
    push    x13
    next

// x12 = the table of constants behind the module's globals, x13 = which of them is wanted.
.macro constant table
    operand
    ldr     x12, [ctx, #\table]
    mov     ip, x14
.endm

case load_object
    constant CONTEXT_OBJECTS
    ldr     x12, [x12, x13, lsl #3]
    push    x12
    next

case load_string
    constant CONTEXT_QSTRS
    ldrh    w12, [x12, x13, lsl #1]
    lsl     x12, x12, #3
    add     x12, x12, #OBJ_QSTR
    push    x12
    next

// A closure's variable: locals[operand] is its cell.
case load_deref
    ldrb    w12, [ip]
    tbnz    x12, #7, leave
    sub     x12, locals, x12, lsl #3
    ldr     x12, [x12, #-8]
    ldr     x12, [x12, #CELL_OBJ]
    cbz     x12, leave
    add     ip, ip, #1
    push    x12
    next

case store_deref
    ldrb    w12, [ip]
    tbnz    x12, #7, leave
    no_box  top
    sub     x12, locals, x12, lsl #3
    ldr     x12, [x12, #-8]
    str     top, [x12, #CELL_OBJ]
    add     ip, ip, #1
    pop
    next

// ---- Arithmetic ---------------------------------------------------------------------------------

case plus
    both_small wide_add
    sub     x13, top, #1
    adds    x13, x12, x13
    b.vs    wide_add
    result  x13

case minus
    both_small wide_subtract
    sub     x13, top, #1
    subs    x13, x12, x13
    b.vs    leave_binary
    result  x13

case and_
    both_small wide_and
    and     top, x12, top
    next

case or_
    both_small wide_or
    orr     top, x12, top
    next

case xor
    both_small wide_xor
    eor     x13, x12, top
    orr     top, x13, #1
    next

case rshift
    both_small wide_rshift
    tbnz    top, #63, leave_binary      // a negative count raises
    asr     x13, top, #1
    mov     x14, #63
    cmp     x13, x14
    csel    x13, x13, x14, lo
    asr     x13, x12, x13
    orr     top, x13, #1
    next

// The object is 2 n + 1: shifted by one more than asked for, n must come back.
case lshift
    both_small wide_lshift
    asr     x13, top, #1
    cmp     x13, #62
    b.hi    wide_lshift
    asr     x12, x12, #1
    add     x13, x13, #1
    lsl     x14, x12, x13
    asr     x15, x14, x13
    cmp     x15, x12
    b.ne    wide_lshift
    orr     top, x14, #1
    next

case times
    both_small wide_multiply
    sub     x12, x12, #1
    asr     x13, top, #1
    smulh   x14, x12, x13
    mul     x13, x12, x13
    cmp     x14, x13, asr #63
    b.ne    wide_multiply
    add     top, x13, #1
    next

// Rounded down, and a remainder with the sign of the divisor: x14 and x15, of x12 by x13.
.macro divide otherwise
    both_small \otherwise
    asr     x12, x12, #1
    asr     x13, top, #1
    cbz     x13, leave_binary
    sdiv    x14, x12, x13
    msub    x15, x14, x13, x12
    eor     x16, x15, x13
    cbz     x15, 1f
    tbz     x16, #63, 1f
    sub     x14, x14, #1
    add     x15, x15, x13
1:
.endm

case floor_divide
    divide  wide_divide
    adds    x13, x14, x14
    b.vs    leave_binary
    add     top, x13, #1
    next

case modulo
    divide  wide_modulo
    lsl     x13, x15, #1
    add     top, x13, #1
    next

case positive
    tbz     top, #0, leave
    next

case negative
    tbz     top, #0, leave
    mov     x12, #2
    subs    x12, x12, top
    b.vs    leave
    mov     top, x12
    next

case invert
    tbz     top, #0, leave
    neg     top, top
    next

// ---- Conditions ---------------------------------------------------------------------------------

// Nearly always a short jump forwards is next (MP_BC_POP_JUMP_IF_FALSE, and a distance whose top bits are 01): w14 = the
// distance * 256, and ip behind it. Otherwise on at \otherwise. Uses w15.
.macro short_jump otherwise
    ldrh    w14, [ip], #2
    sub     w14, w14, #0x4000
    sub     w14, w14, #MP_BC_POP_JUMP_IF_FALSE
    and     w15, w14, #0xC0FFC0FF
    cbnz    w15, \otherwise
.endm

// Of \left, which has been taken off the stack, and top.
.macro compare left, right, condition
    short_jump 2f
    cmp     \left, \right
    ldr     top, [sp_], #-8
    b.\condition 1f
    add     ip, ip, x14, lsr #8
1:  next
2:  cmp     \left, \right
    cset    w13, \condition
    b       decided_otherwise
.endm

equal_const:
    tbz     top, #0, push_const
    const_multi x13
    add     ip, ip, #1
    compare top, x13, eq

.macro comparison condition
    both_small wide_comparison
    compare x12, top, \condition
.endm

case less
    comparison lt
case more
    comparison gt
case equal
    comparison eq
case less_equal
    comparison le
case more_equal
    comparison ge
case not_equal
    comparison ne
case is
    ldr     x12, [sp_], #-8
    compare x12, top, eq
is_none:
    compare top, #OBJ_NONE, eq

// w13: is it so? The operand below top is still on the stack.
decided:
    sub     sp_, sp_, #8
    short_jump decided_otherwise
    pop
    cbnz    w13, 1f
    add     ip, ip, x14, lsr #8
1:  next
decided_otherwise:
    ldrb    w14, [ip, #-2]!
    mov     top, #OBJ_FALSE             // the end of a loop
    add     top, top, x13, lsl #OBJ_TRUE_SHIFT
    cmp     w14, #MP_BC_POP_JUMP_IF_TRUE
    b.ne    3f
    add     ip, ip, #1
    b       pop_jump
3:  next

truth_object:
    mov     top, #OBJ_FALSE
    add     top, top, x13, lsl #OBJ_TRUE_SHIFT
    next

// Of a small int, among small ints: in a tuple or a list.
case in
    ldr     x12, [sp_]
    tbz     x12, #0, leave
    tst     top, #3
    b.ne    leave
    ldr     x13, [top]
    adr     x14, mp_type_tuple
    cmp     x13, x14
    b.ne    1f
    ldr     x15, [top, #TUPLE_LEN]
    add     x16, top, #TUPLE_ITEMS
    b       2f
1:  adr     x14, mp_type_list
    cmp     x13, x14
    b.ne    leave
    ldp     x15, x16, [top, #LIST_LEN]
2:  mov     w13, #0
    add     x15, x16, x15, lsl #3
3:  cmp     x16, x15
    b.hs    decided
    ldr     x14, [x16], #8
    tbz     x14, #0, leave
    cmp     x14, x12
    b.ne    3b
    mov     w13, #1
    b       decided

// w13: whether top counts as true, where that can be seen from the object itself.
.macro truth
    cmp     top, #1                     // the small int 0
    cset    w13, ne
    tbnz    top, #0, 1f
    cmp     top, #OBJ_TRUE
    cset    w13, eq
    ccmp    top, #OBJ_FALSE, #4, ne
    ccmp    top, #OBJ_NONE, #4, ne
    b.ne    leave
1:
.endm

// Where a jump leads: x15 bytes behind x14. One byte that is the distance + 0x40, or two that are it +
// 0x4000. Back only so often: a long loop is for the VM, which can be interrupted.
.macro distance
    ldrb    w12, [ip]
    add     x14, ip, #1
    sub     x15, x12, #0x40
    tbz     x12, #7, 1f
    ldrb    w15, [x14], #1
    and     w12, w12, #0x7F
    orr     w15, w12, w15, lsl #7
    sub     x15, x15, #0x4000
1:  tbz     x15, #63, 1f
    adds    x12, budget, x15
    b.mi    leave
    mov     budget, x12
1:
.endm

case not
    truth
    eor     w13, w13, #1
    b       truth_object

case pop_jump_if_true
    truth
    b       pop_jump
case pop_jump_if_false
    truth
    eor     w13, w13, #1
pop_jump:
    distance
    pop
    mov     ip, x14
    cbz     w13, 1f
    add     ip, ip, x15
1:  next

case jump
    ldrb    w12, [ip], #1
    sub     w15, w12, #0x40
    cmp     w15, #0x3F
    b.hi    1f
    add     ip, ip, x15
    next
1:  sub     ip, ip, #1
    distance
    add     ip, x14, x15
    next

// ---- Names and items ----------------------------------------------------------------------------

// x12 = a map: where in it the name is that stands behind ip, if that is where py/map.c found this name
// last; otherwise C looks for it, and it will be found the next time. x15 = the element, x14 = behind
// the operand. Returns to x17, or in front of it when the name is not there.
find:
    operand
    qstr
    adr     x16, mp_state_ctx+MAP_CACHE
    ubfx    x15, x13, #2, #MAP_CACHE_BITS
    ldrb    w15, [x16, x15]
at_cached:
    ldp     x16, x12, [x12, #MAP_ALLOC]
    cmp     x15, x16
    b.hs    2f
    add     x15, x12, x15, lsl #4
    ldr     x0, [x15]
    cmp     x0, x13
    b.ne    1f
    br      x17
1:  add     x16, x12, x16, lsl #4       // the cache has 8 bits of the place
3:  add     x15, x15, #256 * 16
    cmp     x15, x16
    b.hs    2f
    ldr     x0, [x15]
    cmp     x0, x13
    b.ne    3b
    br      x17
2:  sub     x17, x17, #4
    br      x17

.macro globals
    ldr     x12, [ctx, #CONTEXT_GLOBALS]
.endm

case load_global
    globals
    ldp     x16, x17, [x12, #DICT_MAP + MAP_ALLOC]
    named   global_longer
    str     top, [sp_, #8]!
    ldr     top, [x17, #8]
    next
global_longer:
    sub     ip, ip, #1
    add     x12, x12, #DICT_MAP
    adr     x17, 1f
    b       find
    b       global_elsewhere
1:  ldr     x12, [x15, #8]
    mov     ip, x14
    push    x12
    next
global_elsewhere:
    adr     x17, quick_load_global
    b       to_c

case store_global
    no_box  top
    globals
    ldp     x16, x17, [x12, #DICT_MAP + MAP_ALLOC]
    named   store_global_longer
    str     top, [x17, #8]
    pop
    next
store_global_longer:
    sub     ip, ip, #1
    add     x12, x12, #DICT_MAP
    adr     x17, 1f
    b       find
    b       leave
1:  str     top, [x15, #8]
    mov     ip, x14
    pop
    next

// x16, x17 = the table of members of top, if it is an instance of a class; x12 = this class, w13 = its flags.
.macro members otherwise
    tst     top, #3
    b.ne    leave
    ldr     x12, [top]
    ldrh    w13, [x12, #TYPE_FLAGS]
    tbz     w13, #TYPE_INSTANCE_BIT, \otherwise
    ldp     x16, x17, [top, #INSTANCE_MEMBERS + MAP_ALLOC]
.endm

case load_attr
    members attr_of_others
    named   attr_longer
    ldr     top, [x17, #8]
    next
attr_longer:
    sub     ip, ip, #1
    add     x12, top, #INSTANCE_MEMBERS
found_attr:
    adr     x17, 1f
    b       find
    b       attr_elsewhere
1:  ldr     top, [x15, #8]
    mov     ip, x14
    next

attr_elsewhere:
    adr     x17, quick_load_attr
    b       to_c

// A module's; and x of the vCPU that has exited, which is a box with a type of its own until one of x is asked for.
attr_of_others:
    adr     x13, mp_type_module
    cmp     x12, x13
    ldr     x12, [top, #MODULE_GLOBALS]
    add     x12, x12, #DICT_MAP
    b.eq    found_attr
    mrs     x12, tpidr_el2
    ldr     x12, [x12, #PCPU_LOADED]
    cbz     x12, leave
    ldr     x13, [x12, #VCPU_OBJECT]
    cmp     x13, top
    b.ne    leave
    operand
    ldr     x15, [ctx, #CONTEXT_QSTRS]
    ldrh    w13, [x15, x13, lsl #1]
    cmp     w13, #QSTR_X
    b.ne    exit_of_vcpu
    mov     x16, x14
    ldr     x12, [x12, #VCPU_REGS]
    adr     x13, quick_types+TYPE_SIZE
    mov     top, box
    sub     x14, box, boxes
    cmp     x14, #BOXES_SIZE
    b.hs    leave_vcpu
    stp     x13, x12, [box], #16
    mov     ip, x16
    next
// cpu.exit.esr in one: the exit's syndrome is in its register, where callback.c puts it again for what is asked late. Not
// of an exit on another core.
exit_of_vcpu:
    mov     w16, #QSTR_EXIT
    cmp     w13, w16
    b.ne    leave
    mrs     x16, tpidr_el2
    ldr     x16, [x16, #PCPU_RUNNING]
    cmp     x16, x12
    b.ne    leave
    ldrb    w13, [x14]
    cmp     w13, #MP_BC_LOAD_ATTR
    b.ne    leave
    ldrb    w13, [x14, #1]
    tbnz    w13, #7, leave
    ldrh    w13, [x15, x13, lsl #1]
    mov     w16, #QSTR_ESR
    cmp     w13, w16
    b.ne    leave
    mrs     x12, esr_el2
    mov     x13, #1
    add     ip, x14, #2
    orr     top, x13, x12, lsl #1
    next
leave_vcpu:
    mrs     x12, tpidr_el2
    ldr     x12, [x12, #PCPU_LOADED]
    ldr     top, [x12, #VCPU_OBJECT]
    b       leave

case store_attr
    members leave
    tbnz    w13, #TYPE_ACCESSORS_BIT, leave // properties and the like
    ldr     x12, [sp_]
    tbz     x12, #0, store_attr_object
store_attr_plain:
    named   store_attr_longer
    str     x12, [x17, #8]
    ldr     top, [sp_, #-8]
    sub     sp_, sp_, #16
    next
store_attr_object:
    no_box  x12
    b       store_attr_plain
store_attr_longer:
    sub     ip, ip, #1
    add     x12, top, #INSTANCE_MEMBERS
    adr     x17, 1f
    b       find
    b       store_elsewhere
1:  ldp     x13, x12, [sp_, #-8]
    str     x12, [x15, #8]
    mov     top, x13
    sub     sp_, sp_, #16
    mov     ip, x14
    next

store_elsewhere:
    adr     x17, quick_store_attr
    b       to_c

// x12 = the object in [sp_] and x13 = its type. x14 = the number top, when it is one.
.macro subscript
    ldr     x12, [sp_]
    tst     x12, #3
    b.ne    leave
    ldr     x13, [x12]
    asr     x14, top, #1
.endm

// If it is of this type: otherwise go on at \otherwise.
.macro of_type type, otherwise
    adr     x15, \type
    cmp     x13, x15
    b.ne    \otherwise
.endm

// x13 = the length and x12 = the items of a list, a bytes object or an array: item x14 is one of them.
.macro item
    tbz     top, #0, leave
    ldp     x13, x12, [x12, #LIST_LEN]
    cmp     x14, x13
    b.hs    leave                       // also if it is negative
.endm

case load_subscr
    subscript
    of_type mp_type_list, load_from_others
    item
    ldr     top, [x12, x14, lsl #3]
    sub     sp_, sp_, #8
    next

case store_subscr
    subscript
    of_type mp_type_list, store_to_others
    item
    add     x12, x12, x14, lsl #3
store_object:                           // to [x12]
    ldr     x14, [sp_, #-8]
    no_box  x14
    str     x14, [x12]
stored:
    ldr     top, [sp_, #-16]
    sub     sp_, sp_, #24
    next

load_from_others:
    of_type mp_type_tuple, 1f
    tbz     top, #0, leave
    ldr     x13, [x12, #TUPLE_LEN]
    cmp     x14, x13
    b.hs    leave
    add     x12, x12, #TUPLE_ITEMS
    ldr     top, [x12, x14, lsl #3]
    sub     sp_, sp_, #8
    next
1:  of_type mp_type_dict, 1f
    adr     x17, 2f
    b       find_key
    b       leave
2:  ldr     top, [x15, #8]
    sub     sp_, sp_, #8
    next
1:  of_type mp_type_bytearray, 1f
2:  item
    ldrb    w13, [x12, x14]
    b       small_result
1:  of_type mp_type_bytes, 1f
    b       2b
1:  of_type mp_type_array, load_from_x
    ldrb    w16, [x12, #ARRAY_TYPECODE]
    item
    cmp     w16, #'B'
    b.ne    1f
    ldrb    w13, [x12, x14]
    b       small_result
1:  cmp     w16, #'H'
    b.ne    1f
    ldrh    w13, [x12, x14, lsl #1]
    b       small_result
1:  cmp     w16, #'I'
    b.ne    1f
    ldr     w13, [x12, x14, lsl #2]
    b       small_result
1:  cmp     w16, #'L'
    b.eq    1f
    cmp     w16, #'Q'
    b.ne    2f
1:  ldr     x13, [x12, x14, lsl #3]
    b       number_result
2:  cmp     w16, #'b'
    b.ne    1f
    ldrsb   x13, [x12, x14]
    b       small_result
1:  cmp     w16, #'h'
    b.ne    1f
    ldrsh   x13, [x12, x14, lsl #1]
    b       small_result
1:  cmp     w16, #'i'
    b.ne    leave
    ldrsw   x13, [x12, x14, lsl #2]
small_result:
    lsl     x13, x13, #1
    sub     sp_, sp_, #8
    orr     top, x13, #1
    next

// Those registers that trap_fast has in memory.
.macro register
    tbz     top, #0, leave
    cmp     x14, #18
    ccmp    x14, #30, #4, hi
    cset    w15, eq
    cmp     x14, #18
    ccmp    w15, #0, #0, hi
    b.eq    leave
    ldr     x12, [x12, #8]
.endm

load_from_x:
    of_type quick_types+TYPE_SIZE, leave
    register
    ldr     x13, [x12, x14, lsl #3]
    b       number_result

store_to_others:
    of_type mp_type_dict, 1f
    ldr     x15, [x12, #DICT_MAP]
    tbnz    x15, #1, leave              // is_fixed
    adr     x17, 2f
    b       find_key
    b       leave
2:  add     x12, x15, #8
    b       store_object
1:  ldr     x16, [sp_, #-8]             // a number, by its low bits
    of_type mp_type_bytearray, 1f
    tbz     x16, #0, leave
    item
    asr     x16, x16, #1
    strb    w16, [x12, x14]
    b       stored
1:  of_type mp_type_array, 1f
    tbz     x16, #0, leave
    ldrb    w15, [x12, #ARRAY_TYPECODE]
    orr     w15, w15, #0x20             // signed or not
    item
    asr     x16, x16, #1
    cmp     w15, #'b'
    b.ne    2f
    strb    w16, [x12, x14]
    b       stored
2:  cmp     w15, #'h'
    b.ne    2f
    strh    w16, [x12, x14, lsl #1]
    b       stored
2:  cmp     w15, #'i'
    b.ne    2f
    str     w16, [x12, x14, lsl #2]
    b       stored
2:  cmp     w15, #'q'
    b.eq    3f
    cmp     w15, #'l'
    b.ne    leave
3:  str     x16, [x12, x14, lsl #3]
    b       stored
1:  of_type quick_types+TYPE_SIZE, leave
    register
    add     x0, x12, x14, lsl #3
    tbz     x16, #0, 2f
    asr     x13, x16, #1
    b       3f
2:  mov     x12, x16
    adr     x17, 3f
    b       positive_number
3:  str     x13, [x0]
    b       stored

// x12 = a dictionary: x15 = where the key top is in it, a small int or a name. Returns to x17.
find_key:
    add     x12, x12, #DICT_MAP
    tbz     top, #0, 3f
    ldr     x13, [x12]
    tbnz    x13, #2, leave              // is_ordered
    ldp     x16, x12, [x12, #MAP_ALLOC]
    cbz     x16, leave
    udiv    x15, x14, x16
    msub    x15, x15, x16, x14
    mov     w0, #8                      // those that have been pushed on are not far
1:  add     x13, x12, x15, lsl #4
    ldr     x13, [x13]
    cmp     x13, top
    b.eq    2f
    cbz     x13, leave
    subs    w0, w0, #1
    b.eq    leave
    add     x15, x15, #1
    cmp     x15, x16
    csel    x15, x15, xzr, lo
    b       1b
2:  add     x15, x12, x15, lsl #4
    br      x17
3:  and     x13, top, #7
    cmp     x13, #OBJ_QSTR
    b.ne    leave
    adr     x16, mp_state_ctx+MAP_CACHE
    ubfx    x15, top, #2, #MAP_CACHE_BITS
    ldrb    w15, [x16, x15]
    mov     x13, top
    b       at_cached

// ---- Numbers up to 2^64 - 1 ---------------------------------------------------------------------

// x13 = the number that x12 is, if it is one and not negative. Returns to x17. Uses x14, x16.
positive_number:
    asr     x13, x12, #1
    tbz     x12, #0, 1f
    tbnz    x13, #63, leave
    br      x17
1:  tst     x12, #3
    b.ne    leave
    ldr     x14, [x12]
    adr     x13, quick_types
    cmp     x14, x13
    b.ne    2f
    ldr     x13, [x12, #8]
    br      x17
2:  adr     x13, mp_type_int            // a long constant: digits of 16 bits
    cmp     x14, x13
    b.ne    leave
    ldr     x13, [x12, #INT_MPZ]
    tbnz    x13, #0, leave              // negative
    ldp     x14, x12, [x12, #INT_MPZ + 8]
    cmp     x14, #4
    b.ne    3f
    ldr     x13, [x12]
    br      x17
3:  b.hi    leave
    add     x12, x12, x14, lsl #1
    mov     x13, #0
4:  cbz     x14, 5f
    ldrh    w16, [x12, #-2]!
    orr     x13, x16, x13, lsl #16
    sub     x14, x14, #1
    b       4b
5:  br      x17

// A result from 0 on, x13, takes the place of both operands.
number_result:
    lsr     x12, x13, #62
    cbz     x12, small_result
    sub     x12, box, boxes
    cmp     x12, #BOXES_SIZE
    b.hs    leave
    adr     x12, quick_types
    mov     top, box
    sub     sp_, sp_, #8
    stp     x12, x13, [box], #16
    next

// A binary operation that is not for small ints, or whose result is none, behind both_small: of x15 by x16, which is
// negative when x14 is 1. The operands are on the stack again.
.macro operands
    adr     x0, 99f
    b       wide_operands
99:
.endm
wide_operands:
    ldr     x12, [sp_, #8]!
    adr     x17, 1f
    b       positive_number
1:  mov     x15, x13
    asr     x16, top, #1
    lsr     x14, x16, #63
    tbnz    top, #0, 2f
    mov     x12, top
    adr     x17, 1f
    b       positive_number
1:  mov     x16, x13
    mov     x14, #0
2:  br      x0

wide_and:
    operands
    and     x13, x15, x16
    b       number_result
wide_or:
    operands
    cbnz    x14, leave
    orr     x13, x15, x16
    b       number_result
wide_xor:
    operands
    cbnz    x14, leave
    eor     x13, x15, x16
    b       number_result
wide_add:
    operands
    cbnz    x14, 2f
1:  adds    x13, x15, x16
    b.cs    leave
    b       number_result
wide_subtract:
    operands
    cbz     x14, 3f
    neg     x16, x16
    b       1b
2:  neg     x16, x16
3:  subs    x13, x15, x16
    b.lo    leave
    b       number_result
wide_rshift:
    operands
    cbnz    x14, leave
    lsr     x13, x15, x16
    cmp     x16, #63
    csel    x13, x13, xzr, ls
    b       number_result
wide_lshift:
    operands
    cmp     x16, #63                    // also if it is negative
    b.hi    leave
    lsl     x13, x15, x16
    lsr     x12, x13, x16
    cmp     x12, x15
    b.ne    leave
    b       number_result
wide_multiply:
    operands
    cbnz    x14, leave
    umulh   x12, x15, x16
    cbnz    x12, leave
    mul     x13, x15, x16
    b       number_result
wide_divide:
    operands
    cbnz    x14, leave
    cbz     x16, leave
    udiv    x13, x15, x16
    b       number_result
wide_modulo:
    operands
    cbnz    x14, leave
    cbz     x16, leave
    udiv    x13, x15, x16
    msub    x13, x13, x16, x15
    b       number_result

.macro compared op, condition
    cmp     w8, #\op
    b.ne    1f
    cmp     x15, x16
    cset    w13, \condition
    b       decided
1:
.endm

wide_comparison:
    operands
    cbnz    x14, leave
    compared BINARY(EQUAL), eq
    compared BINARY(NOT_EQUAL), ne
    compared BINARY(LESS), lo
    compared BINARY(MORE), hi
    compared BINARY(LESS_EQUAL), ls
    compared BINARY(MORE_EQUAL), hs
    b       leave
