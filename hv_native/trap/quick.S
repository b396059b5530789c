// SPDX-License-Identifier: MIT
// Short interpreter for the beginning of Python handlers.
// The interpreter of quick.h. Each instruction here is completed, or left to MicroPython's VM by `leave`
// before it has changed anything; what they mean is said by py/vm.c, and offsets.c has the numbers and
// offsets from the compiler. No case calls a C function, so that there is nothing to save on the way in and out.
//
// Local variables lie downwards from the top of the frame, the stack upwards from its bottom, as the VM has
// them, but for the top of the stack, which is kept in a register.
//
// A small int n is the object 2 n + 1, which much arithmetic can be done with as it is.

#include "py/bc0.h"
#include "offsets.h"

#define s       x5      // mp_code_state_t
#define ip      x6      // behind the opcode
#define sp_     x7      // the stack but its top: where the last word is
#define op      x8
#define top     x9
#define locals  x10     // behind the first
#define cases   x11
#define cache   x4      // MP_STATE_VM(map_lookup_cache)

.macro next
    ldrb    w8, [ip], #1
    ldrb    w12, [cases, op]
    add     x12, cases, x12, lsl #4
    br      x12
.endm

.macro push from
    str     top, [sp_, #8]!
    mov     top, \from
.endm

.macro pop
    ldr     top, [sp_], #-8
.endm

.macro case label
    .balign 16
\label:
.endm

// The operands of a binary operation into x12 and top, if both are small ints.
.macro both_small
    ldr     x12, [sp_]
    and     x13, x12, top
    tbz     x13, #0, leave
.endm

.macro result from
    sub     sp_, sp_, #8
    mov     top, \from
    next
.endm

// ---- Which case for which opcode: a byte each, in 16 bytes from here -----------------------------

.macro opcode code, label, count=1
    .rept   \code - (. - quick_cases)
    .byte   (leave - quick_cases) / 16
    .endr
    .rept   \count
    .byte   (\label - quick_cases) / 16
    .endr
.endm

#define UNARY(name) MP_BC_UNARY_OP_MULTI + UNARY_OP_##name
#define BINARY(name) MP_BC_BINARY_OP_MULTI + BINARY_OP_##name
#define INPLACE(name) MP_BC_BINARY_OP_MULTI + BINARY_OP_##name - BINARY_OPS

    .section .text.hot.quick, "ax"
    .balign 64
quick_cases:
    opcode  MP_BC_LOAD_GLOBAL, load_global
    opcode  MP_BC_LOAD_ATTR, load_attr
    opcode  MP_BC_STORE_ATTR, store_attr
    opcode  MP_BC_LOAD_CONST_SMALL_INT, load_const
    opcode  MP_BC_LOAD_DEREF, load_deref
    opcode  MP_BC_STORE_DEREF, store_deref
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
    opcode  MP_BC_LOAD_FAST_MULTI, load_fast, MP_BC_LOAD_FAST_MULTI_NUM
    opcode  MP_BC_STORE_FAST_MULTI, store_fast, MP_BC_STORE_FAST_MULTI_NUM
    opcode  UNARY(INVERT), invert
    opcode  UNARY(NOT), not
    opcode  BINARY(LESS), less
    opcode  BINARY(MORE), more
    opcode  BINARY(EQUAL), equal
    opcode  BINARY(LESS_EQUAL), less_equal
    opcode  BINARY(MORE_EQUAL), more_equal
    opcode  BINARY(NOT_EQUAL), not_equal
    opcode  BINARY(IS), is
    opcode  INPLACE(OR), or_
    opcode  INPLACE(XOR), xor
    opcode  INPLACE(AND), and_
    opcode  INPLACE(LSHIFT), lshift
    opcode  INPLACE(RSHIFT), rshift
    opcode  INPLACE(ADD), plus
    opcode  INPLACE(SUBTRACT), minus
    opcode  INPLACE(MULTIPLY), times
    opcode  BINARY(OR), or_
    opcode  BINARY(XOR), xor
    opcode  BINARY(AND), and_
    opcode  BINARY(LSHIFT), lshift
    opcode  BINARY(RSHIFT), rshift
    opcode  BINARY(ADD), plus
    opcode  BINARY(SUBTRACT), minus
    opcode  BINARY(MULTIPLY), times
    opcode  256, leave, 0

// quick_t quick_run(handler_t *, mp_obj_t *at)
    .global quick_run
quick_run:
    ldp     s, ip, [x0, #HANDLER_FRAME]
    ldp     locals, cache, [x0, #HANDLER_TOP]
    add     sp_, s, #STATE
    cmp     x1, sp_
    b.ls    2f
1:  stp     xzr, xzr, [x1, #-16]!       // unbound; two at a time, for below is old_globals, which is
    cmp     x1, sp_                     // for those who call functions in the ordinary way
    b.hi    1b
2:  sub     sp_, sp_, #16               // nothing, and on it a top that is nothing
    mov     top, #0
    adr     cases, quick_cases
    next

case leave
    mov     x0, #QUICK_VM
leave_with:
    sub     ip, ip, #1
    str     top, [sp_, #8]!
    stp     ip, sp_, [s, #STATE_IP]
    ret

case return_value
    tbz     top, #0, 1f
    asr     x1, top, #1
    mov     x0, #QUICK_VALUE
    ret
1:  cmp     top, #OBJ_NONE
    mov     x0, #QUICK_VM
    mov     x1, #QUICK_NOTHING
    csel    x0, x1, x0, eq
    b       leave_with

// ---- Constants and variables --------------------------------------------------------------------

case load_const_multi
    str     top, [sp_, #8]!
    lsl     top, op, #1
    sub     top, top, #(MP_BC_LOAD_CONST_SMALL_INT_MULTI + MP_BC_LOAD_CONST_SMALL_INT_MULTI_EXCESS) * 2 - 1
    next

case load_none
    push    #OBJ_NONE
    next

case load_false
    push    #OBJ_FALSE
    next

case load_true
    push    #OBJ_TRUE
    next

case load_fast
    sub     x12, locals, op, lsl #3
    ldr     x12, [x12, #MP_BC_LOAD_FAST_MULTI * 8 - 8]
    cbz     x12, leave
    push    x12
    next

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
    sub     x12, locals, x12, lsl #3
    ldr     x12, [x12, #-8]
    str     top, [x12, #CELL_OBJ]
    add     ip, ip, #1
    pop
    next

// ---- Arithmetic ---------------------------------------------------------------------------------

case plus
    both_small
    sub     x13, top, #1
    adds    x13, x12, x13
    b.vs    leave
    result  x13

case minus
    both_small
    sub     x13, top, #1
    subs    x13, x12, x13
    b.vs    leave
    result  x13

case and_
    both_small
    and     x13, x12, top
    result  x13

case or_
    both_small
    orr     x13, x12, top
    result  x13

case xor
    both_small
    eor     x13, x12, top
    orr     x13, x13, #1
    result  x13

case rshift
    both_small
    tbnz    top, #63, leave             // a negative count raises
    asr     x13, top, #1
    mov     x14, #63
    cmp     x13, x14
    csel    x13, x13, x14, lo
    asr     x13, x12, x13
    orr     x13, x13, #1
    result  x13

// The object is 2 n + 1: shifted by one more than asked for, n must come back.
case lshift
    both_small
    asr     x13, top, #1
    cmp     x13, #62
    b.hi    leave
    asr     x12, x12, #1
    add     x13, x13, #1
    lsl     x14, x12, x13
    asr     x15, x14, x13
    cmp     x15, x12
    b.ne    leave
    orr     x13, x14, #1
    result  x13

case times
    both_small
    sub     x12, x12, #1
    asr     x13, top, #1
    smulh   x14, x12, x13
    mul     x13, x12, x13
    cmp     x14, x13, asr #63
    b.ne    leave
    add     x13, x13, #1
    result  x13

case invert
    tbz     top, #0, leave
    neg     top, top
    next

// ---- Conditions ---------------------------------------------------------------------------------

.macro comparison condition
    both_small
    cmp     x12, top
    cset    w13, \condition
    b       decided
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
    ldr     x12, [sp_]
    cmp     x12, top
    cset    w13, eq
// w13: is it so? Nearly always a short jump forwards is next (MP_BC_POP_JUMP_IF_FALSE, and a distance
// whose top bits are 01): do that at once.
decided:
    sub     sp_, sp_, #8
    ldrh    w12, [ip]
    and     w14, w12, #0xC0FFC0FF
    mov     w15, #0x4000 | MP_BC_POP_JUMP_IF_FALSE
    cmp     w14, w15
    b.ne    truth_object
    add     ip, ip, #2
    pop
    cbnz    w13, 1f
    ubfx    x12, x12, #8, #6
    add     ip, ip, x12
1:  next

truth_object:
    mov     top, #OBJ_FALSE
    add     top, top, x13, lsl #OBJ_TRUE_SHIFT
    next

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
// 0x4000. Not back: a loop is for the VM, which can be interrupted.
.macro distance
    ldrb    w12, [ip]
    add     x14, ip, #1
    sub     x15, x12, #0x40
    tbz     x12, #7, 1f
    ldrb    w15, [x14], #1
    and     w12, w12, #0x7F
    orr     w15, w12, w15, lsl #7
    sub     x15, x15, #0x4000
1:  tbnz    x15, #63, leave
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
    distance
    add     ip, x14, x15
    next

// ---- Names and items ----------------------------------------------------------------------------

// x12 = a map: where in it the name is that stands behind ip, if that is where py/map.c found this name
// last; otherwise the VM looks for it, and it will be found the next time. x15 = the element, x14 = behind
// the operand. Returns to x17.
find:
    ldrb    w13, [ip]
    add     x14, ip, #1
    tbnz    x13, #7, leave              // the 128th name of a module, or later
    ldr     x15, [s]
    ldr     x15, [x15, #FUN_BC_CONTEXT]
    ldr     x15, [x15, #CONTEXT_QSTRS]
    ldrh    w13, [x15, x13, lsl #1]
    lsl     x13, x13, #3
    add     x13, x13, #OBJ_QSTR
    ubfx    x15, x13, #2, #MAP_CACHE_BITS            // MAP_CACHE_OFFSET
    ldrb    w15, [cache, x15]
    ldp     x16, x12, [x12, #MAP_ALLOC]
    cbz     x16, leave
    udiv    x0, x15, x16
    msub    x15, x0, x16, x15
    add     x15, x12, x15, lsl #4
    ldr     x12, [x15]
    cmp     x12, x13
    b.ne    leave
    br      x17

case load_global
    adr     x17, 1f
    ldr     x12, [s]
    ldr     x12, [x12, #FUN_BC_CONTEXT]
    ldr     x12, [x12, #CONTEXT_GLOBALS]
    add     x12, x12, #DICT_MAP
    b       find
1:  ldr     x12, [x15, #8]
    mov     ip, x14
    push    x12
    next

// x12 = the map of members of top, if it is an instance of a class; x13 = the flags of its class.
.macro members
    tst     top, #3
    b.ne    leave
    ldr     x12, [top]
    ldrh    w13, [x12, #TYPE_FLAGS]
    tbz     w13, #TYPE_INSTANCE_BIT, leave
    add     x12, top, #INSTANCE_MEMBERS
.endm

case load_attr
    members
    adr     x17, 1f
    b       find
1:  ldr     top, [x15, #8]
    mov     ip, x14
    next

case store_attr
    members
    tbnz    w13, #TYPE_ACCESSORS_BIT, leave // properties and the like
    adr     x17, 1f
    b       find
1:  ldp     x13, x12, [sp_, #-8]
    str     x12, [x15, #8]
    mov     top, x13
    sub     sp_, sp_, #16
    mov     ip, x14
    next

// x12 = the address of item top of the list in [sp_].
.macro item
    ldr     x12, [sp_]
    tst     x12, #3
    b.ne    leave
    ldr     x13, [x12]
    adrp    x14, mp_type_list
    add     x14, x14, :lo12:mp_type_list
    cmp     x13, x14
    b.ne    leave
    tbz     top, #0, leave
    ldp     x13, x12, [x12, #LIST_LEN]
    asr     x14, top, #1
    cmp     x14, x13
    b.hs    leave                       // also if it is negative
    add     x12, x12, x14, lsl #3
.endm

case load_subscr
    item
    ldr     top, [x12]
    sub     sp_, sp_, #8
    next

case store_subscr
    item
    ldp     x13, x14, [sp_, #-16]
    str     x14, [x12]
    mov     top, x13
    sub     sp_, sp_, #24
    next
