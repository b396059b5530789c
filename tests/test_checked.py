# SPDX-License-Identifier: MIT
"""The checked image (make CHECKED=1): nothing is found in it, and what is planted is."""

import re
import shlex
import struct
import subprocess

import pytest
from harness import ROOT, Target
from machine_tree import dtc, machine_tree
from secondline import SecondLine

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
NOP = 0xD503201F
MAKE = ["make", "-s", "--no-print-directory", "CHECKED=1"]
FOUND = "*** checked: "
END = rb"\*\*\* checked: [^\r\n]* for 0x[0-9a-f]+\s"


@pytest.fixture(scope="module")
def checked(image):
    subprocess.run([*MAKE, "all"], cwd=ROOT, check=True, capture_output=True)
    return ROOT / "hypervisor-checked.elf"


@pytest.fixture
def start(tmp_path):
    """start(kernel, ...): a virt machine with a disk and a second line; what runs on it ends with the test."""
    machines, lines = [], []

    def start(kernel, *more, gic=2):
        disk = f"if=none,id=disk,format=raw,readonly=on,file=fat:{ROOT / 'build/guests'}"
        lines.append(SecondLine())
        args = ["-device", "virtio-blk-device,drive=disk", "-drive", disk, *lines[-1].args, *more]
        machines.append(Target(gic=gic, smp=4, kernel=str(kernel), args=args))
        return machines[-1].start()

    yield start
    for machine in machines:
        machine.close()


USE = """
import hv, machine, time
with open("/disk/hello.elf", "rb") as f:
    print(len(f.read()) > 1000)
print(len(machine.FwCfg(0x19, 4).read()))
print(hv.serial(1).write(b"x" * 100))
code = bytes.fromhex("40008052" "0200 00d4".replace(" ", ""))
vm = hv.VM("it", ram="16M", cpus=4)
vm.memory[0x4008_0000:0x4008_0008] = code
vm.cpu[0].pc = 0x4008_0000
print(vm.run())
vm.close()
print(machine.RTC().datetime()[0] > 2000)
print("all")
"""


def uses(target):
    """What hands memory over: a disk, fw_cfg, a console, the other cores, a guest."""
    target.wait_prompt(60)
    target.send(b"\x05" + USE.replace("\n", "\r").encode() + b"\x04")
    return target.until(re.compile(rb"\r\nall\r\n|Traceback|" + END), 60)


@pytest.mark.parametrize("gic", [2, 3])
def test_nothing_is_found(checked, start, gic):
    target = start(checked, gic=gic)
    said = uses(target)
    assert FOUND not in said and said.endswith("\nall\n"), said
    assert target.exec("hv.demo()").count("guest: hello") == 1
    assert FOUND not in target.console


def test_nothing_is_found_on_another_board(checked):
    done = subprocess.run(
        [*MAKE, "-o", "all", "command", "BOARD=RPI3"], cwd=ROOT, capture_output=True, text=True
    )
    target = Target(command=shlex.split(done.stdout))
    try:
        target.boot(60)
        assert "-kernel hypervisor-checked.bin" in done.stdout
        assert target.exec("import hv; hv.demo()").count("guest: hello") == 1
        target.mpremote("run", "examples/launch_guest.py", check=False)
        assert FOUND not in target.console
    finally:
        target.close()


def without(elf, function, call, out):
    """A copy whose `function` calls no `call`: the machine code of both is the compiler's, of one word each."""
    text = subprocess.run(
        ["aarch64-linux-gnu-objdump", "-d", elf], capture_output=True, text=True, check=True
    ).stdout
    body = rf"^[0-9a-f]+ <{re.escape(function)}(?:\.[\w.]+)?>:\n(.*?)\n\n"
    bodies = "\n".join(re.findall(body, text, re.M | re.S))
    line = rf"^ *([0-9a-f]+):\t[0-9a-f ]+\tbl\t[0-9a-f]+ <{re.escape(call)}>"
    calls = re.findall(line, bodies, re.M)
    assert calls, bodies
    data = bytearray(elf.read_bytes())
    (phoff,), (phentsize, phnum) = (
        struct.unpack_from("<Q", data, 32),
        struct.unpack_from("<HH", data, 54),
    )
    for at in (int(each, 16) for each in calls):
        for n in range(phnum):
            _, _, offset, vaddr, _, size = struct.unpack_from(
                "<IIQQQQ", data, phoff + n * phentsize
            )
            if vaddr <= at < vaddr + size:
                struct.pack_into("<I", data, offset + at - vaddr, NOP)
    out.write_bytes(data)
    return out


CLEAN, WRITTEN = "__wrap_cache_clean_poc", "__wrap_cache_written"
PLANTED = {
    "a core is started": ("smp_start", CLEAN, "handed to a core"),
    "a queue is set up": ("virtio_queue", CLEAN, "handed to a virtio device"),
    "a request of a disk": ("request", CLEAN, "handed to a virtio device"),
    "a buffer of a console": ("virtq_give", CLEAN, "handed to a virtio device"),
    "fw_cfg": ("operate", CLEAN, "handed to fw_cfg"),
    "code of a guest": ("memory_subscr", WRITTEN, "handed to a guest"),
    "a flush of a table": (
        "entry_replace",
        "entry_flush",
        "made before the one it had is flushed",
    ),
}


@pytest.mark.parametrize("what", PLANTED)
def test_what_is_left_out_is_found(checked, start, tmp_path, what):
    function, call, text = PLANTED[what]
    target = start(without(checked, function, call, tmp_path / "planted.elf"))
    target.until(re.compile(rb">>> $|" + END), 60)
    if FOUND not in target.console:
        target.send(b"\r")
        uses(target)
    assert text in target.console.split(FOUND, 1)[1], target.console


def test_an_access_that_is_not_aligned_is_found(checked, tmp_path):
    path = machine_tree(tmp_path, "virtualization=on,gic-version=2", "-m", "128M")
    text = (
        dtc(path.read_bytes(), "dtb", "dts").decode().replace("0x9010000 0x00", "0x9010002 0x00")
    )
    path.write_bytes(dtc(text.encode(), "dts", "dtb"))
    target = Target(kernel=str(checked), args=["-dtb", str(path)])
    try:
        target.start()
        target.until(
            re.compile(rb">>> $|checked: an access to a device is not aligned: 0x9010002"), 60
        )
        if FOUND not in target.console:
            target.send("import machine; machine.RTC().datetime()\r")
            target.until("checked: an access to a device is not aligned: 0x9010002")
    finally:
        target.close()
