# SPDX-License-Identifier: MIT
"""drgn on Debian's kernel with its own debug information (250 MB, fetched by `make test-long` alone)."""

import subprocess
import sys
import time

import elapid
import pytest
from elapid import core, drgn_bridge
from harness import ROOT
from test_host_tools import run

GUESTS = ROOT / "build/guests-debian"
VMLINUX = GUESTS / "6.1-cloud-dbg/vmlinux"
BOOT = """
import hv
line = "console=ttyAMA0 quiet"
loaded = vm.linux("/disk/vmlinuz", initrd="/disk/initrd.gz", cmdline=line)
tree = vm.device_tree(bootargs=line, initrd=loaded.initrd, kaslr_seed=0x1234_5678_1234_5678)
hv.loader.put_tree(vm.memory, tree, at=loaded.dtb)
"""


def seen(prog):
    """What drgn's helpers say: processes, the log, modules, where init waits."""
    from drgn.helpers.linux import for_each_module, for_each_task, get_dmesg

    return (
        [(task.pid.value_(), task.comm.string_().decode()) for task in for_each_task(prog)],
        get_dmesg(prog).decode().strip(),
        [module.name.string_().decode() for module in for_each_module(prog)],
        [frame.name for frame in prog.stack_trace(1)],
    )


@pytest.mark.long
@pytest.mark.parametrize("gic", [2, 3])
def test_debian(image, tmp_path, gic):
    """KASLR on; paused, and in a core; processes in a second; the same that vm.kernel and the guest say."""
    from drgn.helpers.linux import for_each_task

    names = ["6.1-cloud", "6.1-cloud-dbg"]
    subprocess.run([sys.executable, ROOT / "tools/fetch_guests.py", *names], check=True)
    with elapid.Target(gic=gic, smp=2, mem="512M", disk=GUESTS / "6.1-cloud") as target:
        vm = target.vm("vm", ram="256M", cpus=2)
        target.exec(BOOT, seconds=30)
        vm.run_until("/ # ", seconds=120)
        vm.console.sendline("ps -o pid | tail -n +2 | wc -l")
        vm.console.expect(r"\r\n(\d+)\r\n")
        vm.pause()
        live = drgn_bridge.program(vm, [VMLINUX])
        took = []
        for _ in range(10):
            start = time.monotonic()
            found = [task.pid.value_() for task in for_each_task(live)]
            took.append(time.monotonic() - start)
            vm.start()
            vm.pause()
        assert min(took) < 1, took
        assert abs(len(found) - int(vm.console.match[1])) < 8
        processes, log, modules, stack = seen(live)
        assert processes[0] == (1, "init")
        assert [each[0] for each in processes] == target.eval(
            "[p.pid for p in vm.kernel.ps(threads=True)]"
        )
        assert log == target.eval("'\\n'.join(vm.kernel.dmesg())").strip()
        assert modules == target.eval("[m.name for m in vm.kernel.modules()]")
        assert {"do_wait", "el0t_64_sync_handler"} <= set(stack)
        assert "kernel/exit.c:" in str(live.stack_trace(1))
        path = tmp_path / "linux.core"
        core.save(vm, path)
    code = "print([(t.pid.value_(), t.comm.string_().decode()) for t in for_each_task(prog)])"
    code += "; print([frame.name for frame in prog.stack_trace(1)])"
    script = tmp_path / "look.py"
    script.write_text(f"from drgn.helpers.linux import *\n{code}\n")
    command = [
        sys.executable,
        "-m",
        "drgn",
        "-c",
        path,
        "-s",
        VMLINUX,
        "--no-default-symbols",
        script,
    ]
    status, said, errors = run(command)
    assert status == 0 and said.splitlines()[-2:] == [str(processes), str(stack)], errors
