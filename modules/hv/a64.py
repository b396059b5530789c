# SPDX-License-Identifier: MIT
"""A64 instructions as text, for cpu.where(): those of kernels and programs without floating point (DDI 0487 C4.1).

What is none of these is ".word 0x...". The host's objdump knows all; this is there where a guest has stopped.
"""

# "/mask operands", then "value name" of each instruction that has these; the first that fits it is. In operands
# letters stand for what _Word makes of them, and all else for itself.
_TABLE = """\
/9f000000 xdq
1 adr
9 adrp
/7ffffc1f D, N
1100001f mov
/7fffffe0 D, N
110003e0 mov
/7f80001f N, e
3100001f cmn
7100001f cmp
/7f800000 D, N, e
11 add
51 sub
/7f800000 d, N, e
31 adds
71 subs
/7f80001f n, L
7200001f tst
/7f8003e0 D, L
320003e0 mov
/7f800000 D, n, L
12 and
32 orr
52 eor
/7f800000 d, n, L
72 ands
/7f800000 d, V
128 mov
528 mov
/7f800000 d, i0516K
728 movk
/1f800000 B
13
/7fa00000 d, n, m, i1006
138 extr
/fc000000 p0026
14 b
94 bl
/ff000010 c00 p0519
54 b.
/7f000000 d, p0519
34 cbz
35 cbnz
/7f000000 d, b, p0514
36 tbz
37 tbnz
/ffe0001f i0516
d4000001 svc
d4000002 hvc
d4000003 smc
d42 brk
d44 hlt
/ffffffff
d65f03c0 ret
d69f03e0 eret
d503201f nop
d503203f yield
d503205f wfe
d503207f wfi
d503209f sev
d50320bf sevl
d503229f csdb
d503233f paciasp
d50323bf autiasp
d503245f bti c
d503249f bti j
d50324df bti jc
d5033fdf isb
d5033f5f clrex
/fffffc1f xn
d61f br
d63f blr
d65f ret
/fffff01f i0507
d503201f hint
/fffff0ff h
d503309f dsb
d50330bf dmb
/fffff0ff i0804
d50040bf msr spsel,
d50340df msr daifset,
d50340ff msr daifclr,
/fff00000 xd, Y
d53 mrs
/fff00000 Y, xd
d51 msr
/fff8001f Y
d508001f
/fff80000 Y, xd
d508
/ff000000 wd, p0519
18 ldr
/ff000000 xd, p0519
58 ldr
98 ldrsw
/3a000000 P
28
/3fe08000 wm, t, [xN]
08 stxr*
08008 stlxr*
/3fe08000 t, [xN]
084 ldxr*
08408 ldaxr*
08808 stlr*
08c08 ldar*
/bfe08000 wm, t, u, [xN]
882 stxp
88208 stlxp
/bfe08000 t, u, [xN]
886 ldxp
88608 ldaxp
/3a000000 G
38
/7fe0ffe0 d, m
2a0003e0 mov
/7f20001f n, mS
6a00001f tst
6b00001f cmp
2b00001f cmn
/7f2003e0 d, mS
2a2003e0 mvn
4b0003e0 neg
6b0003e0 negs
/7f200000 d, n, mS
0a and
0a2 bic
2a orr
2a2 orn
4a eor
4a2 eon
6a ands
6a2 bics
0b add
2b adds
4b sub
6b subs
/7fe0001f N, E
6b20001f cmp
2b20001f cmn
/7fe00000 D, N, E
0b2 add
4b2 sub
/7fe00000 d, N, E
2b2 adds
6b2 subs
/7fe0fc00 d, n, m
1a adc
3a adcs
5a sbc
7a sbcs
1ac008 udiv
1ac00c sdiv
1ac02 lsl
1ac024 lsr
1ac028 asr
1ac02c ror
1b007c mul
1b00fc mneg
/7fe00c10 n, i1605, i0004, c12
7a4008 ccmp
3a4008 ccmn
/7fe00c10 n, m, i0004, c12
7a4 ccmp
3a4 ccmn
/7fff0fe0 d, C12
1a9f07e0 cset
5a9f03e0 csetm
/7fe00c00 d, n, m, c12
1a8 csel
1a8004 csinc
5a8 csinv
5a8004 csneg
/fffffc00 d, n
5ac008 rev
dac008 rev32
dac00c rev
/7ffffc00 d, n
5ac rbit
5ac004 rev16
5ac01 clz
5ac014 cls
/7fe08000 d, n, m, a
1b madd
1b008 msub
/ffe0fc00 xd, wn, wm
9b207c smull
9ba07c umull
/ffe08000 xd, wn, wm, xa
9b2 smaddl
9b208 smsubl
9ba umaddl
9ba08 umsubl
/ffe08000 xd, xn, xm
9b4 smulh
9bc umulh"""
_CONDITIONS = "eqnecsccmiplvsvchilsgeltgtlealnv"
_SHIFTS = "lsl", "lsr", "asr", "ror"
_EXTENDS = "uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx"
_SHARED = "oshldoshstosh       nshldnshstnsh       ishldishstish       ld   st   sy   "
_ALL = (1 << 64) - 1


def instruction(word, pc):
    """The instruction `word` at `pc`."""
    for line in _TABLE.split("\n"):
        if line[0] == "/":
            mask, operands = int(line[1:9], 16), line[10:]
            continue
        value, _, name = line.partition(" ")
        if word & mask == int((value + "0000000")[:8], 16):
            try:
                made = _Word(word, pc).made(operands)
            except ValueError:
                break  # unallocated
            name = name.replace("*", ("b", "h", "", "")[word >> 30])
            return name + (" " if name and made and name[-1] != "." else "") + made
    return f".word {word:#010x}"


def _register(n, wide, sp):
    if n == 31:
        return ("" if wide or not sp else "w") + "sp" if sp else "wx"[wide] + "zr"
    return "wx"[wide] + str(n)


def _signed(value, bits):
    return (value & (1 << bits) - 1 ^ 1 << bits - 1) - (1 << bits - 1)


class _Word:
    def __init__(self, word, pc):
        self.word = word
        self.pc = pc

    def field(self, low, bits):
        return self.word >> low & (1 << bits) - 1

    def made(self, operands):
        """What operands say of this one."""
        word, result, at = self.word, "", 0
        wide = word >> 31
        while at < len(operands):
            c = operands[at]
            at += 1
            if c in "xw":
                wide = int(c == "x")
                continue
            if c in "dnmaDNtu":
                low = (0, 5, 16, 10, 0, 5, 0, 10)["dnmaDNtu".index(c)]
                size = word >> 30 == 3 if c in "tu" else wide
                c = _register(self.field(low, 5), int(size), c in "DN")
                wide = word >> 31
            elif c in "ip":
                low, bits = int(operands[at : at + 2]), int(operands[at + 2 : at + 4])
                at += 4
                c = (
                    f"#{self.field(low, bits):#x}"
                    if c == "i"
                    else self.place(self.field(low, bits), bits, 4)
                )
            elif c in "cC":
                n = self.field(int(operands[at : at + 2]), 4) ^ (c == "C")
                at += 2
                c = _CONDITIONS[2 * n : 2 * n + 2]
            elif c.isalpha():
                c = getattr(self, c)()
            result += c
        return result

    def place(self, value, bits, unit):
        return (
            f"{(self.pc & -unit if unit > 4 else self.pc) + _signed(value, bits) * unit & _ALL:#x}"
        )

    def q(self):
        value = self.field(5, 19) << 2 | self.field(29, 2)
        return ", " + self.place(value, 21, 4096 if self.word >> 31 else 1)

    def e(self):
        return f"#{self.field(10, 12):#x}" + (", lsl #12" if self.field(22, 1) else "")

    def b(self):
        return f"#{self.word >> 31 << 5 | self.field(19, 5)}"

    def h(self):
        n = self.field(8, 4)
        return _SHARED[5 * n - 5 : 5 * n].strip() or f"#{n:#x}"

    def Y(self):
        from _hv import sysreg

        name = sysreg(self.field(5, 16))[0].lower()
        return name if self.field(20, 1) else name.replace("_", " ", 1)

    def V(self):
        shift, wide = self.field(21, 2) * 16, self.word >> 31
        value = self.field(5, 16) << shift
        self.K()
        return f"#{value if self.field(30, 1) else ~value & (_ALL if wide else 0xFFFF_FFFF):#x}"

    def K(self):
        shift = self.field(21, 2) * 16
        if shift > 16 and not self.word >> 31:
            raise ValueError
        return f", lsl #{shift}" if shift else ""

    def L(self):
        """DDI 0487 DecodeBitMasks."""
        rotate, ones, wide = self.field(16, 6), self.field(10, 6), self.word >> 31
        bits, size = self.field(22, 1) << 6 | ~ones & 63, 64
        while size and not bits & size:
            size >>= 1
        ones = (ones & size - 1) + 1
        if size < 2 or size > 32 + 32 * wide or ones == size:
            raise ValueError
        rotate &= size - 1
        value = (1 << ones) - 1
        value = (value >> rotate | value << size - rotate) & (1 << size) - 1
        while size < 32 + 32 * wide:
            value |= value << size
            size *= 2
        return f"#{value:#x}"

    def B(self):
        """SBFM, BFM, UBFM by the names that they go by."""
        op, r, s, wide = self.field(29, 2), self.field(16, 6), self.field(10, 6), self.word >> 31
        top = 31 + 32 * wide
        if op == 3 or self.field(22, 1) != wide or r > top or s > top:
            raise ValueError
        kind = ("s", "", "u")[op]
        name, rest = (kind or "bf") + ("bfx" if kind else "xil"), f", #{r}, #{s - r + 1}"
        if kind and s == top:
            name, rest = ("asr", "", "lsr")[op], f", #{r}"
        elif op == 2 and s + 1 == r:
            name, rest = "lsl", f", #{top - s}"
        elif s < r:
            name, rest = kind + ("bfiz" if kind else "bfi"), f", #{top + 1 - r}, #{s + 1}"
        elif kind and r == 0 and s in (7, 15, 31):
            return f"{kind}xt{'bh w'[s >> 3]} " + self.made("d, wn")
        return name + " " + self.made("d, n") + rest

    def S(self):
        kind, amount = self.field(22, 2), self.field(10, 6)
        if amount > 31 + 32 * (self.word >> 31) or (kind == 3 and self.field(24, 1)):
            raise ValueError
        return f", {_SHIFTS[kind]} #{amount}" if amount or kind else ""

    def E(self):
        kind, amount = self.field(13, 3), self.field(10, 3)
        if amount > 4:
            raise ValueError
        m = self.made(("w", "x")[kind & 3 == 3 and self.word >> 31] + "m")
        # With SP as an operand UXTX (of 32 bits, UXTW) is LSL.
        sp = self.field(5, 5) == 31 or (self.field(0, 5) == 31 and not self.field(29, 1))
        name = "lsl" if sp and kind == 2 + (self.word >> 31) else _EXTENDS[kind]
        return (
            m
            + (f", {name}" if name != "lsl" or amount else "")
            + (f" #{amount}" if amount else "")
        )

    def P(self):
        """LDP and STP."""
        size, simd, mode, load = (
            self.word >> 30,
            self.field(26, 1),
            self.field(23, 2),
            self.field(22, 1),
        )
        if size == 3 or (size == 1 and not simd and not (load and mode)):
            raise ValueError
        name = (
            ("st", "ld")[load] + ("p" if mode else "np") + ("sw" if size == 1 and not simd else "")
        )
        if simd:
            pair = f"{'sdq'[size]}{self.field(0, 5)}, {'sdq'[size]}{self.field(10, 5)}"
        else:
            pair = self.made("xd, xa" if size else "wd, wa")
        shift = 2 + size if simd else 3 if size == 2 else 2
        return f"{name} {pair}, " + self.based(_signed(self.field(15, 7), 7) << shift, mode)

    def G(self):
        """LDR and STR of one register."""
        size, simd, opc = self.word >> 30, self.field(26, 1), self.field(22, 2)
        name = ("str", "ldr", "ldrs", "ldrs")[opc] if not simd else ("str", "ldr")[opc & 1]
        if simd:
            shift = 4 if opc > 1 else size
            register, suffix = f"{'bhsdq'[shift]}{self.field(0, 5)}", ""
        else:
            shift = size
            register = self.made("xd" if size == 3 or opc == 2 else "wd")
            suffix = ("b", "h", "w" if opc > 1 else "", "")[size]
        if (shift == 4 and size) or (
            opc > 1 and not simd and size + opc > 4
        ):  # there PRFM is, too
            raise ValueError
        if self.field(24, 1):
            where = self.based(self.field(10, 12) << shift, 2)
        elif self.field(21, 1):
            where = self.indexed(shift)
        else:
            mode = self.field(10, 2)
            if not mode & 1:
                if mode and simd:
                    raise ValueError
                name = name[:2] + "ut"[mode >> 1] + name[2:]
            where = self.based(_signed(self.field(12, 9), 9), mode if mode & 1 else 2)
        return f"{name}{suffix} {register}, {where}"

    def based(self, value, mode):
        """1: the offset is added behind the access; 3: before it."""
        base = "[" + self.made("xN")
        if mode == 1:
            return f"{base}], #{value}"
        if mode == 3:
            return f"{base}, #{value}]!"
        return f"{base}, #{value}]" if value else base + "]"

    def indexed(self, shift):
        kind = self.field(13, 3)
        if self.field(10, 2) != 2 or not kind & 2:
            raise ValueError
        index = self.made(f"[xN, {'wx'[kind & 1]}m")
        scaled = self.field(12, 1)
        if kind != 3 or scaled:
            index += (
                ", " + ("lsl" if kind == 3 else _EXTENDS[kind]) + (f" #{shift}" if scaled else "")
            )
        return index + "]"
