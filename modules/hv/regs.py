# SPDX-License-Identifier: MIT
"""System registers by name, live, on the core that runs Python.

    from hv.regs import HCR_EL2, ESR_EL2
    HCR_EL2                      # HCR_EL2 0x80000039 (RW=1 AMO=1 IMO=1 FMO=1 VM=1)
    HCR_EL2.TWI = 1              # read, change one field, write
    HCR_EL2.read(), HCR_EL2.write(0x80000000)
    ESR_EL2.decode(0x93820005)   # "EC=0x24 IL=1 ISS=0x1820005"
    hv.regs.S3_1_C15_C2_1        # any encoding

A register has .name, .enc, .access ("RW", "RO", "WO", or "SYS" for an instruction such as
TLBI_ALLE2) and .fields, {name: (high, low)} by the names of the ARM ARM, which are attributes too.
HCR_EL2(value) is that number seen and changed by HCR_EL2's fields; int() gives it back.

An object is made when its name is first asked for. A register that this core does not have raises
hv.Fault when it is read or written; write(value, unsafe=True) insists where _hv.msr would refuse.
"""

from _regs import Register, find, names  # noqa: F401  names(): every one, as a tuple


def __getattr__(name):
    # dir() and tab completion ask for every word the interpreter knows; registers are in capitals.
    if not "A" <= name < "[":
        raise AttributeError(name)
    register = find(name)
    return globals().setdefault(register.name, register)
