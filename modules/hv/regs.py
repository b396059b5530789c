# SPDX-License-Identifier: MIT
"""System registers by name, live, on the core that runs Python.

    from hv.regs import HCR_EL2, ESR_EL2
    HCR_EL2                      # HCR_EL2 0x80000039 (RW=1 AMO=1 IMO=1 FMO=1 VM=1)
    HCR_EL2.TWI = 1              # read, change one field, write
    HCR_EL2.read(), HCR_EL2.write(0x80000000)
    ESR_EL2.decode(0x93820005)   # "EC=0x24 IL=1 ISS=0x1820005"
    hv.regs.S3_1_C15_C2_1        # any encoding

A register object is made when its name is first asked for; what is known of it is the ROM table
behind _hv.sysreg. An encoding that this core does not have raises when it is read or written.
"""

from _hv import mrs, msr, sysreg, sysreg_fields
from _hv import sysreg_names as names  # noqa: F401  every name, as a tuple

_set = object.__setattr__


class Register:
    """A register's name, encoding, access ("RW", "RO", "WO", "SYS") and fields. The fields, by the
    names of the ARM ARM, are attributes too; what they need not be asked for twice is cached."""

    def __init__(self, name, enc, access):
        _set(self, "name", name)
        _set(self, "enc", enc)
        _set(self, "access", access)

    def read(self):
        """The value now: 64 bits, unsigned."""
        return mrs(self.enc)

    def write(self, value, unsafe=False):
        """Write all 64 bits. ValueError for a value that would let a guest out, unless `unsafe`."""
        msr(self.enc, value, unsafe)

    def decode(self, value=None):
        """The fields of a value (default: the register's) that are not zero, high to low."""
        if value is None:
            value = self.read()
        text = []
        for name, (high, low) in self.fields.items():
            field = value >> low & (2 << high - low) - 1
            if field:
                text.append(f"{name}={field}" if field < 10 else f"{name}={field:#x}")
        return " ".join(text)

    def __call__(self, value):
        """A value to be seen and changed by the fields of this register: HCR_EL2(0).VM."""
        return Value(self, value)

    def __getattr__(self, name):
        if name == "fields":  # {name: (high, low)}, from the highest bit down
            fields = sysreg_fields(self.enc or self.name)
            _set(self, "fields", fields)
            return fields
        try:
            high, low = self.fields[name]
        except KeyError:
            raise AttributeError(f"{self.name} has no field {name}") from None
        return self.read() >> low & (2 << high - low) - 1

    def __setattr__(self, name, value):
        try:
            high, low = self.fields[name]
        except KeyError:
            raise AttributeError(f"{self.name} has no field {name}") from None
        mask = (2 << high - low) - 1
        if not 0 <= value <= mask:
            raise ValueError(f"{self.name}.{name} has {high - low + 1} bits, not for {value:#x}")
        old = self.read() if self.access == "RW" else 0
        self.write(old & ~(mask << low) | value << low)

    def __dir__(self):
        return ["access", "decode", "enc", "fields", "name", "read", "write"] + list(self.fields)

    def __repr__(self):
        if self.access not in ("RW", "RO"):
            return f"{self.name} ({'write-only' if self.access else 'the layout of a value'})"
        value = self.read()
        text = self.decode(value)
        return f"{self.name} {value:#x} ({text})" if text else f"{self.name} {value:#x}"


class Value(Register):
    """A number with the fields of a register. read(), write() and the fields reach the number."""

    def __init__(self, register, value):
        Register.__init__(self, register.name, register.enc, "RW")
        _set(self, "fields", register.fields)
        self.write(value)

    def read(self):
        return self.value

    def write(self, value, unsafe=False):
        _set(self, "value", value & 0xFFFF_FFFF_FFFF_FFFF)

    def __int__(self):
        return self.value


def __getattr__(name):
    # dir() and tab completion ask for every word the interpreter knows; registers are in capitals.
    if not "A" <= name < "[":
        raise AttributeError(name)
    try:
        name, enc, access = sysreg(name)
    except ValueError as error:
        raise AttributeError(error.args[0]) from None
    known = globals()
    if name not in known:
        known[name] = Register(name, enc, access)
    return known[name]
