# SPDX-License-Identifier: MIT
"""The register table (hv_native/core/sysregs.def) for readers of documentation and for type checkers.

python3 tools/gen_registers.py markdown     docs/registers.md, a table of every register
python3 tools/gen_registers.py pyi          typings/hv/regs.pyi
"""

import re
import sys
from collections import namedtuple
from pathlib import Path

TABLE = Path(__file__).resolve().parent.parent / "hv_native/core/sysregs.def"

# enc: 16 bits, op0<<14 | op1<<11 | CRn<<7 | CRm<<3 | op2, 0 for a mere layout. access: RO RW WO, X
# or NONE for an instruction with and without a register, "" for a layout. fields: {name: (high, low)}.
Row = namedtuple("Row", "name enc access save fields family")

_ARGUMENTS = {"SYSREG": 8, "SYSREG_N": 10, "SYSINSN": 7, "SYSVALUE": 1}  # before the fields


def rows(path=TABLE):
    """Every register, families (`family` is their first member's name) one by one."""
    text = re.sub(r" *//.*", "", path.read_text())
    found = []
    for kind, body in re.findall(r"^(SYS\w+)\(((?:[^()]|\([^()]*\))*)\)", text, flags=re.M):
        args = [arg.strip() for arg in re.split(r",(?![^()]*\))", body)]
        count = _ARGUMENTS[kind]
        if not count <= len(args) <= count + 1:
            raise ValueError(f"{path}: not a row: {kind}({body})")
        found += _row(kind, args, _fields(" ".join(args[count:])))
    return found


def _row(kind, args, fields):
    name = args[0]
    if kind == "SYSVALUE":
        return [Row(name, 0, "", "NONE", fields, None)]
    op0, op1, crn, crm, op2 = map(int, args[1:6])
    enc = op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2
    if kind == "SYSREG":
        return [Row(name, enc, args[6], args[7], fields, None)]
    if kind == "SYSINSN":
        return [Row(name, enc, args[6], "NONE", fields, None)]
    count, step = int(args[6]), int(args[7])
    head, tail = re.fullmatch(r"(\w+)0(_EL\d)", name).groups()
    return [
        Row(f"{head}{n}{tail}", enc + n * step, args[8], args[9], fields, name)
        for n in range(count)
    ]


def _fields(text):
    fields = {}
    for name, bits in re.findall(r"[BF]\((\w+), ([\d, ]+)\)", text):
        if name in fields:
            raise ValueError(f"field {name} twice in: {text}")
        high, *low = map(int, bits.split(","))
        fields[name] = (high, *low) if low else (high, high)
    return fields


def generic(enc):
    """The assembler's name for an encoding, S3_4_C1_C1_0."""
    return f"S{enc >> 14}_{enc >> 11 & 7}_C{enc >> 7 & 15}_C{enc >> 3 & 15}_{enc & 7}"


def _bits(high, low):
    return str(high) if high == low else f"{high}:{low}"


def markdown():
    yield "# System registers"
    yield ""
    yield "Those that `hv.regs` knows by name, from `hv_native/core/sysregs.def` (docs: DDI 0487, chapter D13). Any other has"
    yield "its encoding for a name, `hv.regs.S3_1_C15_C2_1`. Of a family the first is shown."
    yield ""
    yield "| register | encoding | access | saved with | fields |"
    yield "|---|---|---|---|---|"
    for row in rows():
        if row.family in (None, row.name):
            fields = ", ".join(f"{name} [{_bits(*bits)}]" for name, bits in row.fields.items())
            yield f"| {row.name} | {row.enc and generic(row.enc) or ''} | {row.access} | {row.save} | {fields} |"


STUB = '''"""System registers by name, live, on the core that runs Python."""

from typing import Final, Self

class Register:
    """A system register: prints as its fields, which are attributes too. Any encoding has a name: S3_1_C15_C2_1.

    Fault when this core does not have it. HCR_EL2(value) is a number seen and changed by its fields.
    """

    name: Final[str]
    """Its name."""
    enc: Final[int]
    """Its encoding, op0<<14 | op1<<11 | CRn<<7 | CRm<<3 | op2; 0 for a mere layout."""
    access: Final[str]
    """"RW", "RO", "WO", "SYS" for an instruction such as TLBI_ALLE2, "" for a layout."""
    fields: Final[dict[str, tuple[int, int]]]
    """{name: (high bit, low bit)}, by the names of the ARM ARM."""
    def __init__(self, register: str | int, /) -> None: ...
    def read(self) -> int:
        """Its value, 64 bits."""
    def write(self, value: int, *, unsafe: bool = False) -> None:
        """Write it, with the barriers that needs. ValueError, with the reason, for what EL2 or its guest
        stands on, unless `unsafe`."""
    def decode(self, value: int = ..., /) -> str:
        """The fields of a value, or of its own, that are not zero."""
    def __call__(self, value: int, /) -> Self:
        """A number seen and changed by its fields; int() gives it back."""
    def __int__(self) -> int: ...

def names() -> tuple[str, ...]:
    """The names of all registers in the table."""

def __getattr__(name: str) -> Register: ...
'''


def pyi():
    yield STUB
    for row in rows():
        if not row.fields or row.family not in (None, row.name):
            yield f"{row.name}: {'_' + row.family if row.fields else 'Register'}"
            continue
        yield f"class _{row.name}(Register):"
        for name, bits in row.fields.items():
            yield f"    {name}: int  # [{_bits(*bits)}]"
        yield f"{row.name}: _{row.name}"


if __name__ == "__main__":
    form = {"markdown": markdown, "pyi": pyi}.get(sys.argv[-1])
    if not form:
        sys.exit(__doc__)
    print("\n".join(form()))
