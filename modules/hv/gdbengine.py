# SPDX-License-Identifier: MIT
"""What gdb's Z packets and vCont ask for, by vm.on() and vm.watch(): all that is planted is theirs.

A step is a breakpoint wherever the instruction may lead, for that vCPU alone, and only that vCPU runs. Interrupts and
faults on the way are handled, not shown. A breakpoint that gdb takes away for a step is left where it is until all
vCPUs run again, so that none of them slips past.
"""

import _hv

_KINDS = {0: "swbreak:;", 1: "hwbreak:;"}
_WATCHES = {2: ("w", "watch"), 3: ("r", "rwatch"), 4: ("rw", "awatch")}
_TRAP = 5
_PYTHON = 3  # what a breakpoint does: hv.breaks


class Engine:
    """Of one VM, for one gdb."""

    def __init__(self, vm):
        self.vm = vm
        self._points = {}  # (kind, address, size): what is there
        self._dropped = []  # of these, what gdb has taken away since all vCPUs ran
        self._hit = None  # (vCPU, signal, what of)
        self._step = None  # (vCPU, from where, [start, end) to stay out of or None)
        self._ways = []  # where the step may lead: breakpoints
        self._seen = None  # while it goes back: (position, hit) of what is met

    def close(self):
        self._end_step()
        for point in self._points.values():
            point.remove()
        self._points = {}

    # -- Breakpoints and watchpoints

    def point(self, insert, kind, at, size, cpu):
        """False: no such kind."""
        key = kind, at, size
        if not (kind in _KINDS or kind in _WATCHES and hasattr(self.vm, "watch")):
            return False
        if not insert:
            self._dropped.append(key)
        elif key in self._dropped:
            self._dropped.remove(key)
        elif key not in self._points:
            make = self._break if kind in _KINDS else self._watch
            self._points[key] = make(key, cpu)
        return True

    def _break(self, key, cpu):
        kind, at, _ = key

        def hit(cpu):
            if self._seen is not None:
                self._seen.append((self.vm._record.position, (cpu.id, _TRAP, _KINDS[kind])))
                return None
            if key in self._dropped or self._step and self._step[:2] == (cpu.id, at):
                return None
            return self._stop(cpu, _KINDS[kind])

        # A program's is in its own space, which has the address only while it runs.
        program = _is_program(cpu) and at >> 63 == 0
        return self.vm.on(at, hit, pid=cpu.sysreg["TTBR0_EL1"] if program else None)

    def _watch(self, key, cpu):
        kind, at, size = key
        rights, word = _WATCHES[kind]

        def hit(cpu, *what):
            what = f"{word}:{at:x};"
            if self._seen is not None:
                self._seen.append((self.vm._record.position + 1, (cpu.id, _TRAP, what)))
                return None
            return None if key in self._dropped else self._stop(cpu, what)

        return self.vm.watch(at, size, rights, hit)

    def _stop(self, cpu, reason):
        if self._hit:
            cpu.pc = cpu.pc  # another one was first: this one is hit again when it goes on
        else:
            self._hit = cpu.id, _TRAP, reason
        return _hv.STOP

    # -- Going

    def resume(self, steps, runs):
        """steps: {vCPU: (start, end) or None}. runs: the others do."""
        self._hit = only = None
        for only, within in steps.items():
            self._begin_step(self.vm.cpu[only], within)
            break  # gdb steps one at a time
        if runs or only is None:
            for key in self._dropped:
                if key in self._points:
                    self._points.pop(key).remove()
            self._dropped = []
            only = None
        self.vm.start(only)

    def back(self, step):
        """To the instruction before, or to the breakpoint before: as at_rest()."""
        r = self.vm._record
        here = r.position
        self._seen = []
        try:
            last = (here - 1, (0, _TRAP, "")) if step else None
            if not step and here:
                r.to(0)
                r.to(here)
                seen = [one for one in self._seen if one[0] < here]
                last = seen[-1] if seen else None
            if not here or not last:
                last = (0, (0, _TRAP, "replaylog:begin;"))
            r.to(last[0])
        finally:
            self._seen = None
        return last[1]

    def at_rest(self, exit):
        """(vCPU, signal, what of) of what gdb has asked for; None: something else has stopped it."""
        self._end_step()
        hit, self._hit = self._hit, None
        return hit

    # -- Steps

    def _begin_step(self, cpu, within):
        self._step = cpu.id, cpu.pc, within
        for at, program in _ways(cpu):
            ipa = cpu.translate(at, False, program)[0]
            how = (_PYTHON, self._stepped, 1, False, None, None, cpu.id)
            self._ways.append(self.vm._vm.breakpoint(ipa, at, program, *how))

    def _end_step(self):
        for way in self._ways:
            way.remove()
        self._step, self._ways = None, []

    def _stepped(self, cpu):
        within = self._step[2] if self._step else None
        old, self._ways = self._ways, []
        for way in old:
            way.remove()
        if within and within[0] <= cpu.pc < within[1]:
            self._begin_step(cpu, within)
            return None
        self._step = None
        return self._stop(cpu, "")


def _is_program(cpu):
    return cpu.pstate & 0xF == 0


def _signed(word, low, bits):
    value = word >> low & (1 << bits) - 1
    return (value - (value >> bits - 1 << bits)) * 4


def _ways(cpu):
    """Where the instruction at the PC may lead (DDI 0487 C4.1.66): (address, whether at EL0), one or two."""
    pc, program = cpu.pc, _is_program(cpu)
    word = int.from_bytes(cpu.read(pc, 4), "little")
    behind = (pc + 4, program)

    def branch(low, bits):
        return (pc + _signed(word, low, bits)) & (1 << 64) - 1, program

    if word & 0x7C00_0000 == 0x1400_0000:  # B, BL
        return (branch(0, 26),)
    if word & 0xFF00_0010 == 0x5400_0000 or word & 0x7E00_0000 == 0x3400_0000:  # B.cond, CBZ, CBNZ
        return behind, branch(5, 19)
    if word & 0x7E00_0000 == 0x3600_0000:  # TBZ, TBNZ
        return behind, branch(5, 14)
    if word == 0xD69F_03E0:  # ERET
        return ((cpu.sysreg["ELR_EL1"], cpu.sysreg["SPSR_EL1"] & 0xF == 0),)
    if word & 0xFE00_0000 == 0xD600_0000 and word >> 5 & 31 < 31:  # BR, BLR, RET
        return ((cpu.x[word >> 5 & 31], program),)
    if word & 0xFFE0_001F == 0xD400_0001:  # SVC
        vector = 0x400 if program else 0x200 if cpu.pstate & 1 else 0
        return ((cpu.sysreg["VBAR_EL1"] + vector, False),)
    return (behind,)
