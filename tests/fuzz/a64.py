# SPDX-License-Identifier: MIT
"""A64 instructions by hand, for programs that are made from a seed."""

WIDTHS = range(4)  # log2 of bytes
RET_FROM_EXCEPTION = (0xD538402A, 0x9100114A, 0xD518402A, 0xD69F03E0)  # x10 = ELR_EL1 + 4; ERET
NOP, WFI, WFE, YIELD, ISB, DSB = (
    0xD503201F,
    0xD503207F,
    0xD503205F,
    0xD503203F,
    0xD5033FDF,
    0xD5033F9F,
)
UNMASK, MASK = 0xD50342FF, 0xD50342DF


def load(register, value):
    """A 64-bit constant."""
    words = [0xD2800000 | register | (value & 0xFFFF) << 5]
    for n in (1, 2, 3):
        part = value >> 16 * n & 0xFFFF
        if part:
            words.append(0xF2800000 | n << 21 | register | part << 5)
    return words


def hvc(imm=0):
    return 0xD4000002 | imm << 5


def smc(imm=0):
    return 0xD4000003 | imm << 5


def msr(encoding, register):
    return encoding | register


def access(dice, base, data):
    """A load or store of some form and width at the address in a register."""
    size, form, read = dice.choice(WIDTHS), dice.randrange(12), dice.getrandbits(1)
    rn = base << 5
    if form < 5:  # LDR, STR, unsigned offset 0
        return 0x39000000 | size << 30 | read << 22 | rn | data
    if form == 5:  # LDUR, STUR with an offset
        return 0x38000000 | size << 30 | read << 22 | dice.randrange(512) << 12 | rn | data
    if form == 6:  # post- or pre-index
        word = 0x38000400 | size << 30 | read << 22 | dice.randrange(512) << 12 | rn | data
        return word | dice.getrandbits(1) << 11
    if form == 7:  # signed loads
        return 0x39800000 | min(size, 1) << 30 | rn | data
    if form == 8:  # LDP, STP
        return 0x29000000 | dice.getrandbits(1) << 31 | read << 22 | (data + 1) << 10 | rn | data
    if form == 9:  # vector registers
        return (
            dice.choice((0x3D800000, 0x3DC00000, 0x3D000000, 0x3D400000, 0x0C407000, 0xAD000000))
            | rn
            | data
        )
    if form == 10:  # exclusive, acquire, release
        return (
            dice.choice((0x085F7C00, 0x08007C00 | 7 << 16, 0x08DFFC00, 0x089FFC00))
            | size << 30
            | rn
            | data
        )
    # DC ZVA, DC CIVAC, IC IVAU, AT S1E1R, PRFM
    return (
        dice.choice((0xD50B7420, 0xD50B7E20, 0xD50B7520, 0xD5087800)) | base
        if read
        else 0xF9800000 | rn
    )


def words(values):
    return b"".join(value.to_bytes(4, "little") for value in values)
