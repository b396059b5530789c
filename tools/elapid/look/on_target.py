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
_SAMPLE = 64  # exits of a trace that are looked at in one answer
_ANSWERERS = 256  # that are kept
_CELLS = 256  # of a picture of RAM
_TRACE = 1 << 20  # bytes of a trace in one answer


def each(of, things):
    """Of each; not of one that is in the midst of being made or removed, by what this interrupts."""
    got = []
    for thing in things:
        try:
            got.append(of(thing))
        except (AttributeError, ValueError):
            pass
    return got


class Text:
    """What a trace writes into."""

    def __init__(self):
        self.parts, self.size = [], 0

    def write(self, text):
        self.size += len(text)
        if self.size > _TRACE:
            raise ValueError("too long for the second line: t.save() writes it to a file")
        self.parts.append(text)


class Look:
    def __init__(self, line):
        self.line = line
        self.begun = self.out = b""
        self.places = {}
        self.answers = {}  # who answers, by what tells it
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
            "vms": each(lambda at: self.of_vm(*at, seen.get(str(id(at[1])), 0)), self.vms()),
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
            "breaks": each(lambda b: [b.where, b.hits, b._b.on, b.kind], vm.breaks()),
            "watches": each(self.of_watch, vm.watches()),
            "snapshots": self.of_snapshots(vm),
            "counts": sorted(self.names("Count", vm).values()),
            "traces": sorted(self.names("Trace", vm).values()),
            "rules": each(
                lambda name: [name, __main__.__dict__[name].hits],
                sorted(self.names("Rule", vm).values()),
            ),
        }

    def of_watch(self, watch):
        what = f"{watch.where}, {watch.size} bytes, {watch.rights}"
        return [what, watch.hits, watch._watch is not None, watch.kind]

    def of_cpu(self, vm, cpu):
        state, core, pc, pstate = cpu.now
        return [state, core, cpu.pin, pc, self.place(vm, pc), pstate, cpu.exits]

    def of_snapshots(self, vm):
        if not vm._snapshots:
            return []
        names = self.names("Snapshot", vm)
        return [[n, names.get(id(s))] for n, s in sorted(vm._snapshots.items())]

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

    def answerer(self, vm, kind, esr, value):
        """Who answers such an exit: (what tells it from others, tier, text). By vm.why(), which says so of one."""
        from hv import why

        ec = esr >> 26
        if kind == 1:
            key, hooks = (kind, value), ()
        else:
            takers, hooks = vm._vm.who(esr, value)
            if hooks:
                key = (ec,) + tuple([each for h in hooks for each in (h[0], h[2], id(h[4]), h[5])])
            else:
                # The function of a call, the register of an MRS or MSR.
                of = {0x16: value & 0xFFFF_FFFF, 0x17: value & 0xFFFF_FFFF, 0x18: esr & 0x3F_FC1E}
                key = ec, takers, of.get(ec, 0)
        key = id(vm), key
        if key not in self.answers:
            if kind == 1:
                who = "native", f"EL2's handler of INTID {value}, in C"
            else:
                who = why.answerer(vm, esr, value)
            self.answers[key] = (len(self.answers),) + who
        return self.answers[key]

    def ask_sample(self, key, name, most=0):
        """What a trace has noted since the last time, by who answers: [tier, who, kind, how many, the last one]; and the
        latest by themselves: [us, vCPU, tier, kind].
        """
        from hv.trace import _KINDS

        vm, trace = self.vm(key), __main__.__dict__[name]
        if len(self.answers) > _ANSWERERS:
            self.answers.clear()
        rows, single = {}, []
        for us, pc, value, esr, kind, cpu, core in list(trace._raw())[-_SAMPLE:]:
            n, tier, said = self.answerer(vm, kind, esr, value)
            row = rows.get(n)
            if row is None:
                row = rows[n] = [tier, said, _KINDS[kind], 0, None]
            row[3] += 1
            row[4] = us, cpu, core, pc, esr, value
            single.append([us, cpu, tier, _KINDS[kind]])
        self.left = 4
        for row in rows.values():
            us, cpu, core, pc, esr, value = row[4]
            row[4] = [us, cpu, core, pc, self.place(vm, pc), esr, value]
        hz = trace._frequency
        single = [[one[0] * 1_000_000 // hz] + one[1:] for one in single[-most:]] if most else []
        return [list(rows.values()), single]

    def ask_why(self, key, kind, cpu, core, pc, esr, value):
        """What vm.why() says of an exit."""
        from hv import trace, why

        what = trace._name(kind, esr, value)
        record = trace.Record(ticks_us(), core, cpu, kind, pc, what, value, "", esr)
        return why.why(self.vm(key), record)

    def ask_explain(self, key, where):
        """What vm.explain() says of a place."""
        from hv import why

        return why.at(self.vm(key), where)

    def ask_trace(self, key, name):
        """What a trace has noted, taken out, as JSON for ui.perfetto.dev."""
        self.vm(key)
        text = Text()
        __main__.__dict__[name].write(text)
        return "".join(text.parts)

    def ask_pages(self, key, number):
        """How many bytes of each part of RAM are mapped, and of how many pages have been written since a snapshot."""
        vm = self.vm(key)
        base, size = vm.memory.base, vm.memory.size
        part = max(size // _CELLS, 0x1000)
        there, written = [0] * _CELLS, [0] * _CELLS
        at = base
        while run := vm._vm.stage2_run(at):
            start, end = max(run[0], base), min(run[0] + run[1], base + size)
            while start < end:
                n = (start - base) // part
                to = min(end, base + (n + 1) * part)
                there[n] += to - start
                start = to
            at = run[0] + run[1]
            if at >= base + size:
                break
        if number is not None:
            for page in vm._snapshots[number].dirty:
                written[(page - base) // part] += 1
        return {"base": base, "part": part, "there": there, "written": written}

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
