# SPDX-License-Identifier: MIT
"""The REPL inside the REPL: hypervisor.bin itself as a guest, at EL1, driven as the outer one is."""

import shutil

import pytest
from harness import ROOT

SCRIPT = """
import hv
vm = hv.VM("inner", ram="64M")
vm.flash(0x400_0000, "512K")
vm.load("/disk/hypervisor.bin")
"""


@pytest.mark.parametrize(("gic", "smp"), [(2, 1), (3, 4)])
def test_repl_in_the_repl(boot, tmp_path, gic, smp):
    shutil.copy(ROOT / "hypervisor.bin", tmp_path)
    disk = f"if=none,id=disk,format=raw,readonly=on,file=fat:{tmp_path}"
    args = ["-device", "virtio-blk-device,drive=disk", "-drive", disk]
    target = boot(gic=gic, smp=smp, mem="256M", args=args)
    target.exec(SCRIPT, seconds=30)
    target.send(b"vm.attach()\r")
    target.until("at EL1 with Cortex-A53, 1 core, 64 MB", seconds=30)
    target.wait_prompt(30)
    # From here on it is the inner one that answers.
    assert target.repl("6 * 7") == "42"
    assert target.repl("import hv, time; hv.platform()['boot_el']") == "1"
    assert "virtual machines need EL2" in target.repl("hv.VM('test')")
    assert "ZeroDivisionError" in target.repl("1 / 0")
    target.repl("t = time.ticks_ms(); time.sleep_ms(100)")
    assert int(target.repl("time.ticks_diff(time.ticks_ms(), t)")) >= 100
    target.send(b"exec('print(99 + 1)\\nwhile True: pass')\r")
    target.until("\n100\n")
    assert "KeyboardInterrupt" in target.interrupt()
    target.send(b"\x04")
    target.until("MPY: soft reboot")
    target.wait_prompt()
    target.send(b"import machine; machine.reset()\r")
    target.until("at EL1 with Cortex-A53", seconds=30)
    target.wait_prompt(30)
    # Back to the outer one, the inner one waiting, and into it again to switch it off.
    target.send(b"\x1c")
    target.wait_prompt()
    assert target.repl("hv.platform()['boot_el'], vm.running") == "(2, True)"
    target.send(b"vm.attach()\r\r")
    target.until("vm.attach()")
    target.wait_prompt()
    target.send(b"import hv; hv.poweroff()\r")
    target.until("<Exit off", seconds=30)
    target.wait_prompt()
