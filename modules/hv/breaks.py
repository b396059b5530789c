# SPDX-License-Identifier: MIT
"""Breakpoints in guests: vm.on() and what is made of it."""

from .traps import number

_ACTIONS = {"count": 0, "log": 1, "stop": 2}
_PYTHON = 3


def on(vm, where, f, ret, when, count, once, action, ipa, pid, el0):
    if (where is None) == (ipa is None):
        raise TypeError("a breakpoint is at a place of the guest's, or at ipa=")
    if action is not None and action not in _ACTIONS:
        raise ValueError(f"no action {action!r}: count, log, stop")
    if isinstance(where, int) and (where < 0 or where & 3):
        raise ValueError(f"no instruction is at {where:#x}: they are at multiples of 4")
    if pid is not None and number(pid, "pid=") < 0:
        raise ValueError(f"pid= is a process's number, or a TTBR0_EL1, not {pid}")
    for value in (f, ret, when):
        if value is not None and not callable(value):
            raise TypeError(f"a function of a breakpoint is called with the cpu, not {value!r}")
    if number(count, "count=") < 1:
        raise ValueError(
            f"count= is the number of the first hit that counts, from 1 on, not {count}"
        )
    if action is not None and f is not None:
        raise TypeError("a breakpoint has a function or an action=")

    def make(f):
        return Breakpoint(vm, where, f, ret, when, count, once, action, ipa, pid, el0)

    return make if f is None and ret is None and action is None else make(f)


class Breakpoint:
    """A breakpoint: hits, on(), off(), remove(). As a decorator vm.on() leaves it under the function's name."""

    def __init__(self, vm, where, f, ret, when, count, once, action, ipa, pid, el0):
        self.where = (
            f"ipa {ipa:#x}" if where is None else where if isinstance(where, str) else hex(where)
        )
        self._vm, self._f, self._ret = vm, f, ret
        self._once, self._count, self._hits = once, count, 0
        self._space = self._b = None
        if pid is not None:
            self._space, when = _process(vm, number(pid, "pid="), where, when)
        self._back = {}  # where it returns to: what is planted there
        self._inside = set()  # stack pointers of those that have not returned
        self._past = 0  # hits in other places
        self._off = self._module = False  # whether it is off while it is in none
        va, user = None, False
        if ipa is None:
            va, ipa, user = find(vm, where, self._space)
        self._place, self._when = where, when
        self._el0 = self._space is not None or (user if el0 is None else el0)
        self._action = _ACTIONS.get(action)
        # Before it is planted: what raises leaves nothing that nobody could remove.
        vm._breaks += (self,)
        try:
            self._put(va, ipa)
            self._module = bool(va and va >> 63 and not self._b.hard and vm.symbols.in_module(va))
            if self._module and not vm._module_watch:
                from .lkm import watch

                vm._module_watch = watch(vm, _plant)
        except BaseException:
            self.remove()
            raise

    def _put(self, va, ipa):
        # What C does by itself, or whom it asks.
        what, f, left, once = self._action, None, max(1, self._count - self._past), self._once
        if self._when is not None or self._ret is not None:
            what, f, left, once = _PYTHON, self._entered, 1, False
        elif what is None:
            what, f = _PYTHON, self._f
        self._at = va, ipa
        self._b = self._vm._vm.breakpoint(
            ipa, va, self._el0, what, f, left, once, None, self._space, None
        )
        if self._off:
            self._b.on = False

    def _take_out(self):
        # Of a module that goes.
        if self._b:
            self._past += self._b.hits
            self._off = not self._b.on
            self._b.remove()
            self._b = None
        self._return_to()

    def _return_to(self):
        # Nowhere, from now on.
        for back in self._back.values():
            if back:
                back.remove()
        self._back.clear()
        self._inside.clear()

    def _find_again(self):
        # Of a module that has come, or may have gone with all else.
        if not self._module:
            return
        from . import processes

        try:
            va = self._vm.address(self._place)
            ipa = processes.translate(self._vm, va)
        except (KeyError, ValueError):
            ipa = None
        if ipa is None or not self._vm.symbols.in_module(va):
            self._take_out()
        elif self._b is None or self._at != (va, ipa):
            self._take_out()
            self._put(va, ipa)

    def __call__(self, cpu):
        return self._f(cpu)

    @property
    def kind(self) -> str:
        """How it is made: "planted", in the place of the instruction; "hardware", where that cannot be: in one of the
        vCPUs' own six; "waiting", for its module to be loaded again."""
        return "waiting" if self._b is None else "hardware" if self._b.hard else "planted"

    @property
    def hits(self) -> int:
        """How often the guest has come by, `when` held."""
        return self._hits if self._when else self._past + (self._b.hits if self._b else 0)

    def on(self) -> None:
        """Again, after off()."""
        self._turn(True)

    def off(self) -> None:
        """It does and counts nothing until on()."""
        self._turn(False)
        self._inside.clear()

    def _turn(self, on):
        self._off = not on
        if self._b:
            self._b.on = on

    def remove(self) -> None:
        """Take it away: the guest's instruction is in its place again. Once more: nothing."""
        if self._b:
            self._b.remove()
        self._return_to()
        self._vm._breaks = tuple([b for b in self._vm._breaks if b is not self])

    def _entered(self, cpu):
        # With when= or ret=: Python decides.
        if self._when is not None and not self._when(cpu):
            return None
        self._hits += 1
        if self.hits < self._count:
            return None
        if self._once:
            self._b.on = False
        if self._ret is not None:
            self._await(cpu)
        if self._action == 1:
            self._b.log(cpu)
        elif self._action == 2:
            from _hv import STOP

            return STOP
        return self._f(cpu) if self._f is not None else None

    def _await(self, cpu):
        # Its return: the same stack pointer, at the address in x30. What is planted there stays for the next call.
        back = cpu.x[30]
        if not self._back.get(back):
            el0 = cpu.pstate & 15 == 0
            ipa = _ipa(cpu, back, el0)
            self._back[back] = None  # there is room for what is planted
            self._back[back] = self._vm._vm.breakpoint(
                ipa, back, el0, _PYTHON, self._returned, 1, False, None, self._space, None
            )
        self._inside.add(cpu.sp)

    def _returned(self, cpu):
        sp = cpu.sp
        if sp in self._inside:
            self._inside.remove(sp)
            return self._ret(cpu)
        return None

    def __repr__(self):
        if self not in self._vm._breaks:
            return f"<Breakpoint {self.where}: removed>"
        off = "" if (self._b.on if self._b else not self._off) else ", off"
        hard = "" if self.kind == "planted" else ", " + self.kind
        s = "" if self.hits == 1 else "s"
        return f"<Breakpoint {self.where}: {self.hits} hit{s}{hard}{off}>"


def find_again(vm):
    """The guest is another than it was: calls that were under way are not, modules come and go."""
    for bp in vm._breaks:
        bp._inside.clear()
        bp._find_again()


def _plant(vm, where, f):
    va, ipa, _ = find(vm, where)
    return vm._vm.breakpoint(ipa, va, False, _PYTHON, f, 1, False, None, None, None)


def find(vm, where, space=None):
    """A place of a guest: its VA, its IPA, or None where nothing is now, and whether a program executes it. space: which,
    by TTBR0_EL1 or CONTEXTIDR_EL1.
    """
    from . import processes

    va = vm.address(where)
    if space is not None and not va >> 63:
        return va, _of_program(vm, va, space) or processes.translate(vm, va, space), True
    ipa = vm._vm.ipa_of(va)
    if ipa is None and va >> 63:
        kernel = vm.symbols.kernel()
        ipa = kernel and (processes.translate(vm, va) or kernel.ipa(va))
    return va, ipa, va >> 55 == 0 and vm._vm.ipa_of(va, True) is not None


def _ipa(cpu, va, el0):
    from _hv import Fault

    try:
        return cpu.translate(va, False, el0)[0]
    except Fault:
        return None  # nowhere now


def _process(vm, pid, where, when):
    """(what TTBR0_EL1 or CONTEXTIDR_EL1 is there, when=) of pid=. In Linux's kernel both may be another one's: there the
    process is asked for.
    """
    from . import processes

    kernels = where is not None and vm.address(where) >> 63
    if pid >= 1 << 22 or not processes.has(vm):  # Linux has no such numbers (PID_MAX_LIMIT)
        return (pid & 0xFFFF_FFFF_FFFE if pid >> 32 else pid), when
    if not kernels:
        return processes.space(vm, pid), when
    is_there = processes.is_current(vm, pid)
    return None, is_there if when is None else lambda cpu: is_there(cpu) and when(cpu)


def _of_program(vm, va, space):
    # Where a cpu is in that program; Linux's tables can be asked without one.
    from _hv import Fault

    for cpu in vm.cpu:
        try:
            if space in (cpu.sysreg["TTBR0_EL1"] & 0xFFFF_FFFF_FFFE, cpu.sysreg["CONTEXTIDR_EL1"]):
                return cpu.translate(va, False, True)[0]
        except (RuntimeError, Fault):
            pass  # it runs; or it is not mapped there
    return None


def run_until(vm, where, timeout_ms=None, **how):
    """Run a VM until it comes to a place."""
    bp = vm.on(where, action="stop", **how)
    try:
        return vm.run(timeout_ms)
    finally:
        bp.remove()


def _run_to(cpu, va, sp, fp=None):
    # Where this cpu comes to va with that stack pointer, or x29: not in a deeper call, nor in another task.
    vm, el0 = cpu.vm, cpu.pstate & 15 == 0
    ipa = _ipa(cpu, va, el0)
    if fp is None:
        how = _ACTIONS["stop"], None, 1, True, sp
    else:
        from _hv import STOP

        how = _PYTHON, lambda cpu: STOP if cpu.x[29] == fp else None, 1, False, None
    b = vm._vm.breakpoint(ipa, va, el0, *how, None, None)
    try:
        return vm.run()
    finally:
        b.remove()


def _word(cpu, va):
    return int.from_bytes(cpu.read(va, 4), "little")


def step_next(cpu):
    """As cpu.step(), over a call."""
    word = _word(cpu, cpu.pc)
    if word >> 26 == 0x25 or word & 0xFFFF_FC1F == 0xD63F_0000:  # BL, BLR
        return _run_to(cpu, cpu.pc + 4, cpu.sp)
    return cpu.step()


_FRAME = 0xA980_7BFD  # STP X29, X30, [SP, #n]!, or without write-back 0xA9007BFD
_UNFRAME = 0xA8C0_7BFD  # LDP X29, X30, [SP], #n, or 0xA9407BFD


def finish(cpu):
    """Run until the function that the cpu is in has returned."""
    back, sp, fp, at, frame = cpu.x[30], cpu.sp, None, cpu.pc, cpu.sp
    # Backwards from here: has it put x30 on the stack, and not taken it back yet?
    for _ in range(4096):
        at -= 4
        code = cpu.read(at, 4)
        word = int.from_bytes(code, "little")
        kind = word & 0xFFC0_7FFF
        if len(code) < 4 or word in (0xD65F_03C0, 0) or kind in (_UNFRAME, 0xA940_7BFD):
            break  # what is before is another function; or it has been taken back
        if word & 0xFF80_03FF == 0x9100_03FD:  # ADD X29, SP, #n
            frame = cpu.x[29]
        if kind in (_FRAME, 0xA900_7BFD):
            record = cpu.read(frame, 16)
            fp, back = [int.from_bytes(record[n : n + 8], "little") for n in (0, 8)]
            break
    return _run_to(cpu, back, sp, fp)
