# SPDX-License-Identifier: MIT
"""Other cores than the Cortex-A53: what they have more, and is not switched between guests, is hidden."""

import pytest
from elapid.program import QEMU
from guestcode import SCRIPT
from harness import Target

# mrs x0, id_aa64pfr0_el1; mrs x1, id_aa64isar1_el1; mrs x2, midr_el1; hvc #0x100. Then cntb x0, of SVE.
GUEST = """
import struct
vm = guest(struct.pack("<5I", 0xD5380400, 0xD5380621, 0xD5380002, 0xD4002002, 0x0420E3E0))
cpu = vm.cpu[0]
vm.memory[0x4009_0200:0x4009_0204] = struct.pack("<I", 0xD4002002)  # the vector: hvc #0x100
cpu.sysreg["VBAR_EL1"] = 0x4009_0000
cpu.sysreg["CPACR_EL1"] = 0x33_0000  # the guest itself would allow SVE and FP
vm.run()
print(vm.el2["HCR_EL2"] >> 18 & 1, cpu.x[0] >> 32 & 15, cpu.x[1] & 0xFF0, hex(cpu.x[2]))
vm.run()
print(hex(cpu.exit.pc), hv.explain(cpu.sysreg["ESR_EL1"]))
"""


@pytest.fixture
def boot_cpu(image):
    machines = []

    def boot(cpu, gic=3, smp=1):
        machine = f"virt,virtualization=on,gic-version={gic}"
        command = [*QEMU, "-machine", machine, "-cpu", cpu, "-smp", str(smp)]
        command += ["-m", "256M", "-nic", "none", "-kernel", "hypervisor.elf"]
        machines.append(Target(command=command))
        return machines[-1].boot()

    yield boot
    for machine in machines:
        machine.close()


@pytest.mark.parametrize(
    "cpu, traps, midr",
    [("cortex-a53", 0, 0x410FD034), ("cortex-a72", 0, 0x410FD083), ("max", 1, None)],
)
def test_what_is_not_switched_is_not_seen(boot_cpu, cpu, traps, midr):
    target = boot_cpu(cpu)
    seen, ended = target.exec(SCRIPT + GUEST).splitlines()
    hides, sve, pointer_authentication, name = seen.split()
    assert (int(hides), sve, pointer_authentication) == (traps, "0", "0")
    assert midr is None or int(name, 16) == midr
    assert ended.startswith("0x40090200 Unknown reason")
    assert target.repl("1 + 1") == "2"
