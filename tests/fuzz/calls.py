# SPDX-License-Identifier: MIT
"""Every method of every native object, and of the API's, called with any number of any arguments.

What is typed is made of the API's names (typed.py); here it is what `dir()` finds, below the API as well: what such a
method takes for granted of its arguments a line at the prompt can break. A fault of EL2's is a fault of the method's.
"""

# Left out is what is to change the machine or to read memory by any address, and what waits for a key.
TARGET = r"""
import hv.fork, hv.fuzz, hv.replay, hv.trace
import _hv, gc, random, sys, time
R = random.randrange
BUT = ("read write msr mrs mmu mmu_map reset poweroff translate mmu_translate input lightsleep deepsleep bootloader"
       " bytes_at bytearray_at mem8 mem16 mem32 mem64 exit").split()
WORDS = ("take back drop written at pages quota history lost fork read state load moment hooks pack unpack inside begin end to count length"
         " live cpu on log input put cut clock free inexact new close limits map blocks block steps covered stop word add run go judge"
         " rounds used crash corpus crashes hangs pc all r w rw rwx hvc smc sysreg undefined abort brk step irq serror x0").split()

def make():
    vm = guest(_calls_code, ram="2M", cpus=2)
    block, rng, console = vm.block(1 << 16), vm.rng(), vm.virtio_console()
    lan = hv.Switch()
    net, brk, watch, irq = vm.net(lan), vm.on(0x4008_0000, action="count"), vm.watch(0x4010_0000, 8), vm.irq(40)
    trace, snap, cpu = vm.trace("hvc", "64K"), vm.snapshot(), vm.cpu[0]
    below = (vm._vm, cpu, vm.memory, vm.el2, vm.console, cpu.x, cpu.q, cpu.sysreg, cpu.exit, brk._b, irq, vm.memory.view(0x4000_0000, 64), _hv.Pages(4096), _hv)
    above = (vm, block, rng, console, lan, net, brk, watch, trace, snap, vm.stage2, vm.inject, vm.symbols, hv)
    return vm, below + above

def value(roots):
    n = R(10)
    if n < 3:
        return R(4)
    if n < 5:
        return (R(1 << 16), -1, -R(1 << 40), 1 << 63, (1 << 64) - 1, 1 << 64, 0x4000_0000 + R(1 << 21), 1 << 200, 1.5)[R(9)]
    if n < 7:
        return WORDS[R(len(WORDS))]
    if n < 8:
        return roots[R(len(roots))]
    return (None, True, False, "", "x0", b"", b"abc", bytearray(16), bytearray(4096), memoryview(bytearray(8)), (), [], {}, (1, 2), [1, 2, 3],
            lambda *a: None, lambda *a: 1 // 0, hv.STOP, hv.SKIP, object, int, len, sys, range(9), set((1,)), Ellipsis)[R(26)]

def calls(seed, most):
    "Calls so many. Returns what has been a fault of EL2's."
    random.seed(seed)
    faults, vm = [], None
    for _ in range(most):
        if vm is None:
            vm, roots = make()
        thing = roots[R(len(roots))]
        name, arguments = "", [value(roots) for _ in range(R(8))]
        try:
            names = [name for name in dir(thing) if name[0] != "_" and name not in BUT]
            name = names[R(len(names))]
            of = getattr(thing, name)
            if callable(of) and not isinstance(of, type):
                of(*arguments)
            elif thing in roots[:14] and arguments:
                setattr(thing, name, arguments[0])
        except hv.Fault as fault:
            if "EL2" in str(fault):
                faults.append((name, repr(arguments)[:200], str(fault)))
        except Exception:
            pass
        try:
            if not R(30):
                vm.pause()
            vm.running
        except ValueError:
            vm = None
        except RuntimeError:
            pass
    return faults
"""

CODE = """
1:  add x4, x4, #1
    hvc #1
    b 1b
"""


def script(dice):
    return f"_faults = calls({dice.getrandbits(30)}, 150)\nhv.share(0.5)\nprint(); print(_faults or 'called')\n"
