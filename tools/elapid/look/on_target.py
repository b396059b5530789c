# SPDX-License-Identifier: MIT
"""What the host puts onto the target for `elapid look`: it answers questions on the second line, in between.

A question is a line of JSON, [number, what, more ...], and so is the answer, [number, value]. It is asked whenever the
target has a moment between two bytecodes, at the prompt, in a program, or while a guest runs in the foreground. Nothing
here changes what guests or the prompt have.
"""

import json
import sys
from binascii import b2a_base64, hexlify
from time import ticks_diff, ticks_us

import hv

import __main__

_NAMES = 256  # of places that are kept
_NEW_NAMES = 8  # that are looked up for one answer: of a Linux each takes a while
_LINES = 300  # of a dump
_CONSOLE = 3072  # bytes of a console in one answer


class Look:
    def __init__(self, line):
        self.line = line
        self.begun = self.out = b""
        self.places = {}
        self.took = 0  # us of the answers since the last state

    def pump(self, line):
        """Something has come, or there is room again."""
        if self.flush():
            return
        self.begun += line.read() or b""
        while b"\n" in self.begun:
            question, _, self.begun = self.begun.partition(b"\n")
            began = ticks_us()
            try:
                number, what, *more = json.loads(question)
            except ValueError:
                continue  # what was left on the line
            try:
                value = getattr(self, "ask_" + what)(*more)
            except Exception as error:
                value = {"error": f"{type(error).__name__}: {error}"}
            self.out += json.dumps([number, value]).encode() + b"\n"
            self.took += ticks_diff(ticks_us(), began)
            self.flush()

    def flush(self):
        """True: there is no room for the rest."""
        while self.out:
            n = self.line.write(self.out) or 0
            if not n:
                return True
            self.out = self.out[n:]
        return False

    def vms(self):
        """(name at the prompt, VM) of all that are there."""
        return [
            (name, each)
            for name, each in __main__.__dict__.items()
            if isinstance(each, hv.VM) and not each._vm.closed
        ]

    def vm(self, key):
        for name, vm in self.vms():
            if id(vm) == key:
                return vm
        raise ValueError("this VM is no more")

    def names(self, kind, vm):
        """{id(object): name} of the prompt's objects of this kind."""
        return {
            id(each): name
            for name, each in __main__.__dict__.items()
            if type(each).__name__ == kind and getattr(each, "vm", getattr(each, "_vm", vm)) is vm
        }

    def place(self, vm, address):
        """An address as a function and an offset, when its name is known or cheap enough."""
        key = (id(vm), address)
        if key not in self.places and self.left > 0:
            self.left -= 1
            if len(self.places) > _NAMES:
                self.places.clear()
            try:
                self.places[key] = vm.symbol(address)
            except (KeyError, ValueError):
                self.places[key] = ""
        return self.places.get(key, "")

    def ask_state(self, seen):
        """All VMs. seen: how much of each console the host has, by the VM's key."""
        self.left = _NEW_NAMES
        took, self.took = self.took, 0
        return {
            "us": ticks_us(),
            "took": took,
            "memory": hv.mem()[:2],
            "vms": [self.of_vm(name, vm, seen.get(str(id(vm)), 0)) for name, vm in self.vms()],
        }

    def of_vm(self, name, vm, seen):
        at, said = vm.console.printed(seen, _CONSOLE)
        last = vm.exit
        return {
            "key": id(vm),
            "at_prompt": name,
            "name": vm.name,
            "ram": vm.memory.size,
            "running": vm.running,
            "ended": repr(last) if last else "",
            "cpus": [self.of_cpu(vm, cpu) for cpu in vm.cpu],
            "said": [at, b2a_base64(said).decode() if said else ""],
            "breaks": [[b.where, b.hits, b._b.on, b.kind] for b in vm.breaks()],
            "snapshots": self.of_snapshots(vm),
            "counts": self.of_counts(vm),
        }

    def of_cpu(self, vm, cpu):
        state, core, pc, pstate = cpu.now
        return [state, core, cpu.pin, pc, self.place(vm, pc), pstate, cpu.exits]

    def of_snapshots(self, vm):
        if not vm._snapshots:
            return []
        names = self.names("Snapshot", vm)
        return [[n, names.get(id(s))] for n, s in sorted(vm._snapshots.items())]

    def of_counts(self, vm):
        return sorted(self.names("Count", vm).values())

    def ask_counts(self, key, name):
        """What a vm.count() has counted: the most frequent."""
        vm, count = self.vm(key), __main__.__dict__[name]
        self.left = 40
        most = list(count.counts().items())[:40]
        places = count.key == "pc"
        return [[k, self.place(vm, k) if places and k is not None else "", n] for k, n in most]

    def ask_registers(self, key, n):
        """A vCPU that stands still, as (name, value, its fields in words)."""
        from hv import regs

        vm = self.vm(key)
        cpu = vm.cpu[n]
        pc, pstate = cpu.pc, cpu.pstate
        rows = [
            ("HCR_EL2", vm.el2["HCR_EL2"], regs.HCR_EL2.decode(vm.el2["HCR_EL2"])),
            ("SPSR_EL2", pstate, regs.PSTATE.decode(pstate)),
            ("ELR_EL2", pc, ""),
        ]
        words = str(cpu.sysreg).split()
        system = dict(zip(words[::2], [int(word, 16) for word in words[1::2]]))
        rows += [(f"x{i}", cpu.x[i], "") for i in range(31)] + [("sp", cpu.sp, "")]
        rows += [
            (name, value, getattr(regs, name).decode(value))
            for name, value in sorted(system.items())
        ]
        self.left = 1
        place = self.place(vm, pc) or hex(pc)
        return {"rows": rows, "to": f"EL{pstate >> 2 & 3} at {place}"}

    def ask_map(self, key):
        """Lines of the dump of a VM's stage 2, or of EL2's tables."""
        if key is None:
            from hv.mmu import _lines

            lines = _lines()
        else:
            lines = self.vm(key).stage2._lines()
        return [line for line, _ in zip(lines, range(_LINES))]

    def ask_peek(self, key, at, size):
        memory = self.vm(key).memory
        at = min(max(at, memory.base), memory.base + memory.size - size)
        return [at, hexlify(memory[at : at + size]).decode()]

    def ask_type(self, key, data):
        """Types bytes at a guest: how many it had room for."""
        return self.vm(key).console.write(bytes(data)) or 0


def install():
    line = hv.serial(1)
    stub = sys.modules.get("hv.gdbstub")
    if stub and any([each.line is line for each in stub._stubs]):
        raise RuntimeError("gdb has the second line")
    line.irq(Look(line).pump)


install()
