// SPDX-License-Identifier: MIT
// Local variables: see variables.h.
// A frame has room for variables and for the stack, and nothing says where the one ends. Those that are no arguments have to
// be unbound before each call, which a handler pays at each exit; the stack has not.

#include "py/bc0.h"
#include "trap/variables.h"

// Of LOAD_FAST 3 and the like, which have it in the opcode, in the operand, or no variable (0).
static unsigned variable(unsigned op, unsigned operand) {
    if (op >= MP_BC_LOAD_FAST_MULTI && op < MP_BC_LOAD_FAST_MULTI + MP_BC_LOAD_FAST_MULTI_NUM) {
        return op - MP_BC_LOAD_FAST_MULTI + 1;
    }
    if (op >= MP_BC_STORE_FAST_MULTI && op < MP_BC_STORE_FAST_MULTI + MP_BC_STORE_FAST_MULTI_NUM) {
        return op - MP_BC_STORE_FAST_MULTI + 1;
    }
    switch (op) {
        case MP_BC_LOAD_FAST_N:
        case MP_BC_STORE_FAST_N:
        case MP_BC_DELETE_FAST:
        case MP_BC_LOAD_DEREF:
        case MP_BC_STORE_DEREF:
        case MP_BC_DELETE_DEREF:
            return operand + 1;
        default:
            return 0;
    }
}

// Nothing goes on behind one of these.
static bool ends(unsigned op) {
    switch (op) {
        case MP_BC_RETURN_VALUE:
        case MP_BC_RAISE_LAST:
        case MP_BC_RAISE_OBJ:
        case MP_BC_RAISE_FROM:
        case MP_BC_JUMP:
        case MP_BC_UNWIND_JUMP:
        case MP_BC_POP_EXCEPT_JUMP:
            return true;
        default:
            return false;
    }
}

// A distance as py/vm.c decodes it: those up to POP_JUMP_IF_FALSE lead backwards, too.
static int distance(unsigned op, const byte **ip) {
    int n = *(*ip)++, bias = 0x40;
    if (n & 0x80) {
        n = (n & 0x7F) | *(*ip)++ << 7;
        bias = 0x4000;
    }
    return op <= MP_BC_POP_JUMP_IF_FALSE ? n - bias : n;
}

// From the first instruction to the last, which is the one behind which nothing goes on and to behind which nothing jumps.
unsigned variables_used(const byte *ip) {
    const byte *furthest = ip;
    unsigned most = 0;
    for (;;) {
        unsigned op = *ip++, operand = 0;
        int jump = -1;
        switch (MP_BC_FORMAT(op)) {
            case MP_BC_FORMAT_QSTR:
            case MP_BC_FORMAT_VAR_UINT:
                do {
                    operand = operand << 7 | (*ip & 0x7F);
                } while (*ip++ & 0x80);
                break;
            case MP_BC_FORMAT_OFFSET:
                jump = distance(op, &ip);
                break;
        }
        if (jump >= 0 && ip + jump > furthest) {
            furthest = ip + jump;
        }
        if ((op & MP_BC_MASK_EXTRA_BYTE) == 0) {
            ip++;
        }
        unsigned used = variable(op, operand);
        most = used > most ? used : most;
        if (ends(op) && ip > furthest) {
            return most;
        }
    }
}
