# SPDX-License-Identifier: MIT
"""What tests of the loaders use on the host and, being plain MicroPython, would on a target."""


class Memory:
    """Guest RAM as the loaders see it, over a bytearray."""

    def __init__(self, size=16 << 20, base=0x4000_0000):
        self.base = base
        self.size = size
        self.ram = bytearray(size)
        self.cleaned = []

    def view(self, ipa, size):
        start = ipa - self.base
        if start < 0 or start + size > self.size:
            raise ValueError(f"{ipa:#x}-{ipa + size:#x} is not RAM")
        return memoryview(self.ram)[start : start + size]

    def clean(self, ipa, size):
        self.view(ipa, size)
        self.cleaned.append((ipa, ipa + size))

    def at(self, ipa, size):
        """The bytes there."""
        return bytes(self.view(ipa, size))

    def is_clean(self, ipa, size):
        return any([start <= ipa and ipa + size <= end for start, end in self.cleaned])


class Dice:
    """The same numbers on every Python: xorshift."""

    def __init__(self, seed):
        self.state = seed * 0x9E37_79B9 % (1 << 32) or 1

    def below(self, limit):
        state = self.state
        state ^= state << 13 & 0xFFFF_FFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFF_FFFF
        self.state = state
        return state % limit

    def pick(self, values):
        return values[self.below(len(values))]


# What a confused writer or a hostile one puts where a number is due.
ODD = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    9,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0xFFF,
    0x1000,
    0x1001,
    0x7FFF,
    0x8000,
    0xFFFF,
)
ODD += (
    0x1_0000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFC,
    0xFFFF_FFFF,
    0x4000_0000,
    0x7FFF_FFFF_FFFF_FFFF,
)
ODD += (0x8000_0000_0000_0000, 0xFFFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_F000, 0x1_0000_0000)


def mutate(blob, dice, hot=None):
    """A damaged copy: bits, bytes, odd words, cuts, moves; half of it in the first `hot`."""
    blob = bytearray(blob)
    for _ in range(1 + dice.below(3)):
        size = len(blob)
        if not size:
            break
        at = dice.below(min(size, hot) if hot and dice.below(2) else size)
        way = dice.below(6)
        if way == 0:
            blob[at] ^= 1 << dice.below(8)
        elif way == 1:
            blob[at] = dice.below(256)
        elif way == 2:
            width = dice.pick((2, 4, 8))
            at &= -width
            word = (dice.pick(ODD) % (1 << 8 * width)).to_bytes(
                width, dice.pick(("little", "big"))
            )
            blob[at : at + width] = word[: max(0, min(width, size - at))]
        elif way == 3:
            blob = blob[:at]
        elif way == 4:
            other = dice.below(size)
            piece = bytes(blob[other : other + 1 + dice.below(64)])
            piece = piece[: size - at]
            blob[at : at + len(piece)] = piece
        else:
            blob = blob[:at] + blob[at + 1 + dice.below(16) :]
    return bytes(blob)
