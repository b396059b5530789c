# SPDX-License-Identifier: MIT
"""cpu.dump(): everything a stopped vCPU has, decoded."""

from . import regs


def dump(cpu):
    print(cpu)
    print(regs.PSTATE(cpu.pstate))
    print(cpu.x)
    words = str(cpu.sysreg).split()
    for name, value in zip(words[::2], words[1::2]):
        print(getattr(regs, name)(int(value, 16)))
    print(regs.FPCR(cpu.fpcr), regs.FPSR(cpu.fpsr))
    print(cpu.q)
