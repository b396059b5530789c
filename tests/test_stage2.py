# SPDX-License-Identifier: MIT
"""A VM's stage 2: what is mapped, with what rights, and whose memory it is."""

import pytest
from guestcode import run
from harness import TargetError

# Stores x1 at [x0], loads it back into x2, and calls: two accesses, then HVC 0x100.
TOUCH = """
    str x1, [x0]
    ldr x2, [x0]
    hvc #0x100
    b _start
"""


def test_entries_are_as_large_as_they_can_be(target):
    """1 GB, 2 MB and 4 KB entries, split and unsplit as mappings change."""
    script = """
vm = hv.VM("demo", ram="4M")
vm.stage2.map(0x1_0000_0000, 0x1_0000_0000, 0x4000_0000, unsafe=True)
print(vm.stage2.walk(0x1_2345_6000)[0])
vm.stage2.unmap(0x1_0000_1000, 0x1000)
for ipa in (0x1_0000_0000, 0x1_0020_0000):
    print(vm.stage2.walk(ipa)[0])
print(vm.stage2.walk(0x1_0000_1000))
vm.stage2.protect(0x1_3000_0000, 0x20_0000, "r")
vm.stage2.dump()
"""
    lines = run(target, "", script).splitlines()
    assert lines[:4] == ["1", "3", "2", "None"]
    assert [" ".join(line.split()) for line in lines[4:] if line > "0x01"] == [
        "0x0100000000-0x0100000fff 0x0100000000 1 x 4K rw- device*",
        "0x0100002000-0x01001fffff 0x0100002000 510 x 4K rw- device*",
        "0x0100200000-0x012fffffff 0x0100200000 383 x 2M rw- device*",
        "0x0130000000-0x01301fffff 0x0130000000 1 x 2M r-- device*",
        "0x0130200000-0x013fffffff 0x0130200000 127 x 2M rw- device*",
    ]


def test_ram_appears_when_touched(each_target):
    """Guest RAM is zero, comes a granule at a time, and ends as 2 MB entries."""
    script = """
vm = guest(code)
import struct
vm.cpu[0].x[0], vm.cpu[0].x[1] = 0x4020_0008, 0x1234
print(vm.stage2.walk(0x4020_0000), vm.run(60_000).reason, vm.stage2.walk(0x4020_0000)[0])
print(vm.memory[0x4020_0000:0x4020_0018])
for at in range(0x4020_0000, 0x4040_0000, 0x1_0000):
    vm.memory[at]
print(vm.stage2.walk(0x4020_0000)[0], hex(vm.cpu[0].x[2]))
"""
    assert run(each_target, TOUCH, script) == (
        "None stop 3\nb'" + r"\x00" * 8 + r"4\x12" + r"\x00" * 14 + "'\n2 0x1234\n"
    )


def test_what_a_script_says_of_ram_stays(each_target):
    """Neither first touches around it nor 2 MB entries bring back what was taken away."""
    script = """
vm = guest(code)
cpu, stage2 = vm.cpu[0], vm.stage2
stage2.unmap(0x4020_1000, 0x1000)       # not touched yet
stage2.protect(0x4020_3000, 0x1000, "r")
vm.memory[0x4020_5000] = 5              # touched
stage2.unmap(0x4020_5000, 0x1000)
for at in range(0x4020_0000, 0x4040_0000, 0x1000):
    vm.memory[at]                       # all of the 2 MB
def touch(ipa):
    cpu.pc, cpu.x[0], cpu.x[1] = 0x4008_0000, ipa, 7
    exit = vm.run(60_000)
    return exit.reason, "write" if exit.write else "read", hex(exit.ipa)
for ipa in (0x4020_0000, 0x4020_1008, 0x4020_3010, 0x4020_5000):
    print(*touch(ipa))
print(vm.memory[0x4020_5000], vm.memory[0x4020_0000])
stage2.map(0x4020_5000, None, 0x1000)   # its own RAM again
stage2.map(0x4020_1000, None, 0x1000)
stage2.protect(0x4020_3000, 0x1000, "rwx")
for ipa in (0x4020_1000, 0x4020_3000, 0x4020_5000):
    print(touch(ipa)[0])
print(vm.memory[0x4020_5000])
"""
    lines = run(each_target, TOUCH, script).splitlines()
    assert lines[0].startswith("stop")
    assert lines[1:4] == [
        "mmio write 0x40201008",
        "mmio write 0x40203010",  # a permission fault: the IPA is found by asking the MMU
        "mmio write 0x40205000",
    ]
    assert lines[4:] == ["5 7", "stop", "stop", "stop", "7"]


def test_rights(target):
    """Reads, writes and fetches are allowed one by one."""
    script = """
vm = guest(code)
@vm.default
def leave(cpu, esr):
    return hv.STOP
def outcome(pc, ipa, perms):
    vm.stage2.protect(0x4010_0000, 0x1000, perms)
    vm.cpu[0].pc, vm.cpu[0].x[0] = pc, ipa
    vm.run(60_000)
    return vm.cpu[0].exit.esr >> 26
vm.memory[0x4010_0000:0x4010_0008] = code[12:20]
for perms in ("r", "w", "x", "rw", "rx", "rwx", ""):
    got = [outcome(pc, 0x4010_0800, perms) for pc in (0x4008_0000, 0x4008_0008, 0x4010_0000)]
    print(perms, [hex(ec) for ec in got])
"""
    code = "ldr x1, [x0]\n hvc #1\n str x1, [x0]\n hvc #1\n hvc #1"
    lines = run(target, code, script).splitlines()
    # In the order load, store, fetch: 0x16 got to its HVC, 0x24 and 0x20 are aborts.
    assert lines == [
        "r ['0x16', '0x24', '0x20']",
        "w ['0x24', '0x16', '0x20']",
        "x ['0x24', '0x24', '0x16']",
        "rw ['0x16', '0x16', '0x20']",
        "rx ['0x16', '0x24', '0x16']",
        "rwx ['0x16', '0x16', '0x16']",
        " ['0x24', '0x24', '0x20']",
    ]


def test_memory_types(target):
    """MemAttr[3:0] of an entry (DDI 0487 D5.5.5): a type for each range, or what is there decides."""
    script = """
vm = guest(code)
for n, type in enumerate(("normal", "nc", "device", None)):
    vm.stage2.map(0x4010_0000 + (n << 12), None, 0x1000, type=type)
vm.stage2.map(0x8000_0000, hv.platform()["rtc"], 0x1000)
for ipa in (0x4010_0000, 0x4010_1000, 0x4010_2000, 0x4010_3000, 0x8000_0000):
    entry = vm.stage2.walk(ipa)[1]
    print(entry >> 2 & 15, "execute never" if entry >> 54 & 1 else "")
"""
    lines = run(target, "", script).splitlines()
    assert lines == ["15 ", "5 ", "1 execute never", "15 ", "1 execute never"]


def test_a_device_of_the_machine(target):
    """The real-time clock, mapped through: the guest reads what the hypervisor reads."""
    script = """
vm = guest(code)
rtc = hv.platform()["rtc"]
vm.stage2.map(0x0c00_0000, rtc, 0x1000, "r")
vm.cpu[0].x[0], vm.cpu[0].pc = 0x0c00_0000, 0x4008_0004
print(vm.run(60_000).reason)
print((vm.cpu[0].x[2] & 0xffff_ffff) - hv.read(rtc) in (0, -1))
print(hex(vm.stage2.translate(0x0c00_0010) - rtc))
vm.cpu[0].pc = 0x4008_0000
print(vm.run(60_000))
"""
    lines = run(target, TOUCH, script).splitlines()
    assert lines[:3] == ["stop", "True", "0x10"]
    assert lines[3].startswith("<Exit mmio") and "write at ipa 0xc000000" in lines[3]


def test_more_memory(target):
    """pa None away from RAM: new memory, zeroed, and given back with the VM."""
    script = """
vm = guest(code)
before = hv.mem()
vm.stage2.map(0x8000_0000, None, 0x30_0000)
vm.cpu[0].x[0], vm.cpu[0].x[1] = 0x8020_0000, 99
print(vm.run(60_000).reason, vm.cpu[0].x[2], vm.memory[0x8020_0000], vm.memory[0x8000_0000])
print(before[0] - hv.mem()[0] >= 0x30_0000)
"""
    assert run(target, TOUCH, script) == "stop 99 99 0\nTrue\n"


@pytest.mark.parametrize(
    "pa, whose",
    [
        ("hv.mmu.translate(0x4020_0000)", "the hypervisor's image"),
        ('hv.platform()["uart"]', "the console's UART"),
        ("0x0800_0000", "the real interrupt controller"),
        ("other.stage2.translate(0x4000_0000)", "RAM of the hypervisor's page allocator"),
        ("0x4700_0000", "RAM of the hypervisor's page allocator"),  # free, for now
    ],
)
def test_the_hypervisors_memory_is_refused(target, pa, whose):
    script = f"""
vm, other = hv.VM("a", ram="1M"), hv.VM("b", ram="1M")
other.memory[0x4000_0000] = 1
pa = {pa}
try:
    vm.stage2.map(0x6000_0000, pa, 0x1000)
except ValueError as error:
    print(error)
print(vm.stage2.walk(0x6000_0000))
vm.stage2.map(0x6000_0000, pa, 0x1000, "r", unsafe=True)
print(vm.stage2.translate(0x6000_0000) == pa)
"""
    lines = run(target, "", script).splitlines()
    assert whose in lines[0] and "unsafe=True" in lines[0]
    assert lines[1:] == ["None", "True"]


@pytest.mark.parametrize(
    "call, says",
    [
        ("map(0x1234, None, 0x1000)", "multiples of 4 KB"),
        ("map(0x6000_0000, None, 0)", "multiples of 4 KB"),
        ("map(1 << 40, None, 0x1000)", "below 2^40"),
        ("map(0x0900_0000, None, 0x1000)", "the device at 0x9000000"),
        ("map(0x3fff_f000, None, 0x2000)", "RAM in part only"),
        ("map(0x6000_0000, None, 0x1000, 'rwz')", "letters of rwx, not 'rwz'"),
        ("map(0x6000_0000, None, 0x1000, type='x')", "no type 'x'"),
        ("protect(0x7000_0000, 0x1000, 'r')", "IPA 0x70000000 is not mapped"),
        ("translate(0x7000_0000)", "IPA 0x70000000 is not mapped"),
    ],
)
def test_bad_requests(target, call, says):
    with pytest.raises(TargetError, match=says.replace("^", r"\^")):
        run(target, "", f"hv.VM('a', ram='1M').stage2.{call}")
    assert target.repl("1 + 1") == "2"


def test_vms_do_not_see_each_other(each_target):
    """The same addresses, VMIDs of their own, switched between at every run."""
    script = """
a, b = guest(code), guest(code)
print(a._vm.vmid != b._vm.vmid)
for n in range(50):
    for vm, value in ((a, n), (b, ~n & 0xffff)):
        vm.cpu[0].x[0], vm.cpu[0].x[1] = 0x4010_0000 + 8 * n, value
        assert vm.run(60_000).reason == "stop"
        assert vm.cpu[0].x[2] == value
print([vm.memory[0x4010_0000 + 8 * 7] for vm in (a, b)])
"""
    assert run(each_target, TOUCH, script) == "True\n[7, 248]\n"


def test_a_mapping_can_change_under_a_guest(target):
    """What the TLB holds of an old mapping is gone when map() returns."""
    script = """
vm = guest(code)
def new(ipa):
    vm.stage2.map(ipa, None, 0x1000)
    return vm.stage2.translate(ipa)
first, second = new(0x8000_0000), new(0x8800_0000)
vm.memory[0x8000_0000], vm.memory[0x8800_0000] = 1, 2
vm.cpu[0].x[0] = 0x9000_0000
seen = []
for n in range(20):
    vm.stage2.map(0x9000_0000, (first, second)[n & 1], 0x1000, "r")
    vm.cpu[0].pc = 0x4008_0004
    vm.run(60_000)
    seen.append(vm.cpu[0].x[2])
print(seen == [1, 2] * 10)
"""
    assert run(target, TOUCH, script) == "True\n"


def test_nothing_leaks(each_target):
    """1,000 VMs are made, run, changed and closed; all memory and all VMIDs come back."""
    script = """
vmids, open_ones = set(), []
def cycle(n):
    vm = guest(code, ram="2M")
    vm.cpu[0].x[0] = 0x4010_0000
    assert vm.run(60_000).reason == "stop"
    vm.stage2.protect(0x4010_0000, 0x3000, "r")
    vm.stage2.unmap(0x4000_0000, 0x2000)
    vm.stage2.map(0x7000_0000, None, 0x1_0000)
    vm.mmio(0xb000_0000, 16, lambda cpu, offset: 0)
    vm.rule("hvc", 1, "const")
    open_ones.append(vm)
    vmids.add(vm._vm.vmid)
    if len(open_ones) > 20:
        open_ones.pop(n * 7 % 20).close()

def wave(cycles):
    for n in range(cycles):
        cycle(n)
    while open_ones:
        open_ones.pop().close()
    return hv.mem()
first = wave(100)                       # pools of small pieces have grown, cores have their stacks
print(wave(1000) == first, first, len(vmids))
"""
    assert run(each_target, TOUCH, script, 60).startswith("True ")


def test_as_many_vms_as_vmids(target):
    """255 are open at once; the next one is refused, and comes when another is closed."""
    script = """
vms = [hv.VM("n", ram="64K") for n in range(255)]
print(sorted([vm._vm.vmid for vm in vms]) == list(range(1, 256)))
try:
    hv.VM("one more", ram="64K")
except MemoryError as error:
    print(error)
vmid = vms[100]._vm.vmid
vms.pop(100).close()
print(hv.VM("one more", ram="64K")._vm.vmid == vmid)
for vm in vms:
    vm.close()
"""
    assert run(target, "", script).splitlines() == [
        *("True", "255 VMs are open, one for each VMID: close one", "True"),
    ]


def test_no_memory_left_for_a_guests_ram(each_target):
    """A guest's RAM needs translation tables too. Without room for one it stops, says so, and goes on later."""
    code = """
    load x1, 0x40200000
    load x2, 0x200000
1:  str x2, [x1]
    add x1, x1, x2
    cmp x1, x28
    b.lo 1b
    hvc #0x100
"""
    script = """
from _hv import Pages
vm, others, size = guest(code, ram="32M"), [], 32 << 20
vm.cpu[0].x[28] = vm.memory.base + vm.memory.size
while size >= 0x1000:
    try:
        others.append(Pages(size))
    except MemoryError:
        size //= 2
for n in range(3):
    print(vm.run(60_000))
try:
    hv.VM("late")
except MemoryError as error:
    print(error)
others.clear()
import gc
gc.collect()
print(vm.run(60_000).reason)
"""
    lines = run(each_target, code, script, 60).splitlines()
    assert lines[:3] == ["<Exit memory: cpu 0 at pc 0x40080008>"] * 3
    assert lines[3].startswith("no room for") and lines[4:] == ["stop"]


def test_memory_of_vms_never_overlaps(target):
    """VMs of all sizes come and go at random; each finds what it wrote, and all comes back."""
    script = """
import random
random.seed(1)
vms = []
def check(vm, tag):
    base, size = vm.memory.base, vm.memory.size
    for at in range(base, base + size, 0x7_3000):
        assert vm.memory[at : at + 8] == tag, (vm, hex(at))
def step(n):
    if vms and (len(vms) > 12 or random.random() < 0.45):
        vm, tag = vms.pop(random.randrange(len(vms)))
        check(vm, tag)
        vm.close()
    else:
        size = random.choice((1, 3, 16, 17, 31, 32, 33, 48, 100)) * random.choice((1, 1, 1, 2)) << 16
        tag = b"%08d" % n
        try:
            vm = hv.VM("n", ram=size)
        except MemoryError:             # not in one piece any more
            return
        for at in range(vm.memory.base, vm.memory.base + size, 0x7_3000):
            vm.memory[at : at + 8] = tag
        vms.append((vm, tag))
def wave():
    for n in range(400):
        step(n)
    while vms:
        vm, tag = vms.pop()
        check(vm, tag)
        vm.close()
    return hv.mem()
first = wave()
print(wave() == first, first, hv.mem())
"""
    assert run(target, "", script, 60).startswith("True ")
