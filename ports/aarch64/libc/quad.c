// SPDX-License-Identifier: MIT
// The few operations on binary128 ("long double") that turning doubles into decimal digits and back
// needs, under the names the compiler calls. libgcc's do the same in six times the space: these have
// no flags, no signalling NaNs, no subnormals (below 1e-4931: zero) and round to nearest even only.

#include <stdint.h>
#include <string.h>

typedef unsigned __int128 u128;
typedef long double quad;

#define FRACTION_BITS 112
#define BIAS 16383
#define EXP_SPECIAL 0x7FFF // infinity, or not a number
#define HIDDEN ((u128)1 << FRACTION_BITS)

// Value: mant * 2^(exp - BIAS - FRACTION_BITS), HIDDEN <= mant < 2 * HIDDEN. exp 0: zero.
typedef struct {
    u128 mant;
    int exp;
    unsigned sign;
} parts_t;

static parts_t take_apart(quad q) {
    u128 u;
    memcpy(&u, &q, sizeof(u));
    parts_t p = { u & (HIDDEN - 1), u >> FRACTION_BITS & EXP_SPECIAL, u >> 127 };
    if (p.exp != 0 && p.exp != EXP_SPECIAL) {
        p.mant |= HIDDEN;
    }
    return p;
}

static quad put_together(unsigned sign, int exp, u128 mant) {
    u128 u = (u128)sign << 127 | (u128)exp << FRACTION_BITS | (mant & (HIDDEN - 1));
    quad q;
    memcpy(&q, &u, sizeof(q));
    return q;
}

static quad not_a_number(void) {
    return put_together(0, EXP_SPECIAL, HIDDEN / 2);
}

// Number of zero bits above the highest set one; not for 0.
static int leading_zeros(u128 x) {
    uint64_t high = x >> 64;
    return high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)x);
}

static u128 shift_right_sticky(u128 x, int n) {
    if (n > 127) {
        return x != 0;
    }
    return x >> n | ((x & (((u128)1 << n) - 1)) != 0);
}

// mant has three bits more than a result: two to round by, below them "anything lost was not zero". It
// may have any magnitude but 0.
static quad round_pack(unsigned sign, int exp, u128 mant) {
    int shift = leading_zeros(mant) - (127 - FRACTION_BITS - 3);
    exp -= shift;
    mant = shift >= 0 ? mant << shift : shift_right_sticky(mant, -shift);
    unsigned rest = mant & 7;
    mant >>= 3;
    mant += rest > 4 || (rest == 4 && (mant & 1));
    if (mant == 2 * HIDDEN) {
        ++exp;
    }
    if (exp >= EXP_SPECIAL) {
        return put_together(sign, EXP_SPECIAL, 0);
    }
    return exp <= 0 ? put_together(sign, 0, 0) : put_together(sign, exp, mant);
}

quad __addtf3(quad a, quad b) {
    parts_t x = take_apart(a), y = take_apart(b);
    if (x.exp < y.exp || (x.exp == y.exp && x.mant < y.mant)) {
        parts_t t = x;
        x = y;
        y = t;
        quad u = a;
        a = b;
        b = u;
    }
    if (x.exp == EXP_SPECIAL) {
        return x.mant != 0 || y.exp != EXP_SPECIAL || x.sign == y.sign ? a : not_a_number();
    }
    if (y.exp == 0) {
        return x.exp == 0 ? put_together(x.sign & y.sign, 0, 0) : a;
    }
    u128 big = x.mant << 3, small = shift_right_sticky(y.mant << 3, x.exp - y.exp);
    u128 sum = x.sign == y.sign ? big + small : big - small;
    return sum == 0 ? put_together(0, 0, 0) : round_pack(x.sign, x.exp, sum);
}

quad __subtf3(quad a, quad b) {
    u128 u;
    memcpy(&u, &b, sizeof(u));
    u ^= (u128)1 << 127;
    memcpy(&b, &u, sizeof(u));
    return __addtf3(a, b);
}

quad __multf3(quad a, quad b) {
    parts_t x = take_apart(a), y = take_apart(b);
    unsigned sign = x.sign ^ y.sign;
    if (x.exp == EXP_SPECIAL || y.exp == EXP_SPECIAL) {
        if ((x.exp == EXP_SPECIAL && x.mant) || (y.exp == EXP_SPECIAL && y.mant) || x.exp == 0 || y.exp == 0) {
            return not_a_number();
        }
        return put_together(sign, EXP_SPECIAL, 0);
    }
    if (x.exp == 0 || y.exp == 0) {
        return put_together(sign, 0, 0);
    }
    uint64_t x1 = x.mant >> 64, x0 = x.mant, y1 = y.mant >> 64, y0 = y.mant;
    u128 low = (u128)x0 * y0;
    u128 middle = (u128)x1 * y0 + (u128)x0 * y1 + (low >> 64); // each product is below 2^113
    u128 high = (u128)x1 * y1 + (middle >> 64);
    // The product is high:middle:low, of 225 or 226 bits; keep those from bit 109 up.
    u128 mant = high << 19 | (uint64_t)middle >> 45;
    mant |= ((uint64_t)middle & ((UINT64_C(1) << 45) - 1)) != 0 || (uint64_t)low != 0;
    return round_pack(sign, x.exp + y.exp - BIAS, mant);
}

quad __divtf3(quad a, quad b) {
    parts_t x = take_apart(a), y = take_apart(b);
    unsigned sign = x.sign ^ y.sign;
    if (x.exp == EXP_SPECIAL || y.exp == EXP_SPECIAL) {
        if ((x.exp == EXP_SPECIAL && x.mant) || (y.exp == EXP_SPECIAL && (y.mant || x.exp == EXP_SPECIAL))) {
            return not_a_number();
        }
        return y.exp == EXP_SPECIAL ? put_together(sign, 0, 0) : put_together(sign, EXP_SPECIAL, 0);
    }
    if (y.exp == 0) {
        return x.exp == 0 ? not_a_number() : put_together(sign, EXP_SPECIAL, 0);
    }
    if (x.exp == 0) {
        return put_together(sign, 0, 0);
    }
    // A bit of the quotient at a time: FRACTION_BITS behind the point, and three or four to round by.
    u128 quotient = 0;
    for (int i = 0; i < FRACTION_BITS + 4; ++i) {
        quotient <<= 1;
        if (x.mant >= y.mant) {
            x.mant -= y.mant;
            quotient |= 1;
        }
        x.mant <<= 1;
    }
    return round_pack(sign, x.exp - y.exp + BIAS, quotient | (x.mant != 0));
}

int __eqtf2(quad a, quad b) {
    u128 u, v;
    memcpy(&u, &a, sizeof(u));
    memcpy(&v, &b, sizeof(v));
    parts_t x = take_apart(a);
    return !((u == v && !(x.exp == EXP_SPECIAL && x.mant)) || (u | v) << 1 == 0);
}

int __netf2(quad a, quad b) {
    return __eqtf2(a, b);
}

quad __extenddftf2(double d) {
    uint64_t u;
    memcpy(&u, &d, sizeof(u));
    unsigned sign = u >> 63;
    int exp = u >> 52 & 0x7FF;
    u128 mant = u & ((UINT64_C(1) << 52) - 1);
    if (exp == 0x7FF) {
        return put_together(sign, EXP_SPECIAL, mant << 60);
    }
    if (exp == 0) {
        // A subnormal double is an ordinary number here.
        return mant == 0 ? put_together(sign, 0, 0) : round_pack(sign, 1 - 1023 + BIAS, mant << 63);
    }
    return put_together(sign, exp - 1023 + BIAS, mant << 60);
}

double __trunctfdf2(quad q) {
    parts_t p = take_apart(q);
    uint64_t u;
    int exp = p.exp - BIAS + 1023;
    if (p.exp == EXP_SPECIAL) {
        u = UINT64_C(0x7FF) << 52 | (uint64_t)(p.mant != 0) << 51;
    } else if (p.exp == 0 || exp < -64) {
        u = 0;
    } else {
        // 60 bits too many, and one more for each power of two below the smallest normal double. The
        // hidden bit, and a carry out of rounding, add themselves to the exponent.
        int drop = exp > 0 ? 60 : 61 - exp;
        u128 mant = shift_right_sticky(p.mant, drop - 2);
        u = (uint64_t)(mant >> 2) + ((mant & 3) == 3 || ((mant & 2) && ((mant & 1) || (mant & 4))));
        u += exp > 0 ? (uint64_t)(exp - 1) << 52 : 0;
        if (u >= UINT64_C(0x7FF) << 52 || exp >= 0x7FF) {
            u = UINT64_C(0x7FF) << 52;
        }
    }
    u |= (uint64_t)p.sign << 63;
    double d;
    memcpy(&d, &u, sizeof(d));
    return d;
}

quad __floatunditf(uint64_t u) {
    return u == 0 ? put_together(0, 0, 0) : round_pack(0, BIAS + FRACTION_BITS, (u128)u << 3);
}

// Towards zero; out of range: the nearest number there is.
uint64_t __fixunstfdi(quad q) {
    parts_t p = take_apart(q);
    int shift = BIAS + FRACTION_BITS - p.exp;
    if (p.sign || shift > FRACTION_BITS) {
        return 0;
    }
    return shift <= FRACTION_BITS - 64 ? UINT64_MAX : (uint64_t)(p.mant >> shift);
}
