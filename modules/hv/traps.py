# SPDX-License-Identifier: MIT
"""What a VM does about its guest's exits: the part of hv.VM that answers traps.

Handlers are called with the vCPU (details in cpu.exit) and numbers. Each method here is a decorator,
or takes the handler as its last argument; None removes it. What a handler returns:

    None            nothing to answer: go on behind the instruction
    an int          what a load or an MRS reads; x0 of a call
    a tuple         x0, x1, ... of a call
    hv.PASS         do what would be done without this handler
    hv.RETRY        run the instruction again (something has been changed)
    hv.SKIP         go on behind the instruction, registers as they are
    hv.STOP         the same, and vm.run() returns
    hv.UNDEFINED, hv.ABORT, hv.SERROR    the guest gets that exception

A handler is anything that can be called, an object with __call__ too; it gets as many arguments as it takes.
One that raises leaves the guest before the instruction; vm.run() raises, and can be called again.
"""

import _hv


def number(value, what):
    """An int, or a TypeError that says what it was to be."""
    if not isinstance(value, (int, bool)):
        raise TypeError(f"{what} is an int, not {value!r}")
    return value


class Traps:
    _wf = None  # handlers of WFI and WFE, once there is one

    def hvc(self, function: int | None = None, handler=False, *, imm: int | None = None):
        """Answer HVC with this SMCCC function id in w0, or of this immediate: f(cpu, x1, x2, ...)."""
        if imm is not None:
            return self._hook("imm", imm, handler)
        return self._hook("hvc", function, handler)

    def smc(self, function: int, handler=False):
        """As `hvc`, for SMC."""
        return self._hook("smc", function, handler)

    def sysreg(self, name: str | int, handler=False):
        """Answer a trapped MRS or MSR: f(cpu, value), value None for a read, which returns an int.

        Whether a register traps is up to vm.el2 (HCR_EL2.TACR, TVM, TID3; MDCR_EL2; ...).
        """
        return self._hook("sysreg", name, handler)

    def mmio(self, ipa: int, size: int, handler=False):
        """A device at [ipa, ipa + size): f(cpu, offset, value), value None for a load, which returns
        an int. Ranges may be of any size and alignment, several to a page; they must not overlap.
        """
        return self._register(handler, lambda f: self._vm.mmio(ipa, size, f))

    def exception(self, ec: int, handler=False):
        """What nothing else answers of exception class `ec` (ESR_EL2.EC): f(cpu, esr).

        "Behind the instruction" (None, hv.SKIP, hv.STOP) is by its length; exceptions that are before one stay
        there: fetches (0x20), PC alignment (0x22), breakpoints, steps and watchpoints (0x30 to 0x35), and so on.
        """
        return self._hook("class", ec, handler)

    def default(self, handler=False):
        """What nothing else answers at all: f(cpu, esr)."""
        return self._hook("default", None, handler)

    def wfi(self, handler=False):
        """Called at each WFI, f(cpu): hv.PASS waits for an interrupt, as without it."""
        return self._wfx(0, handler)

    def wfe(self, handler=False):
        """Called at each WFE that traps: HCR_EL2.TWE is set with it, and cleared without."""
        return self._wfx(1, handler)

    def _wfx(self, which, handler):
        hooks = self._wf = self._wf or [None, None]

        def ask(cpu, esr):
            f = hooks[esr & 1]
            return f(cpu) if f else _hv.PASS

        def register(f):
            if not (f is None or callable(f)):
                raise TypeError(f"a handler must be callable, not {type(f).__name__}")
            hooks[which] = f
            if which:
                twe = 1 << 14
                self.el2["HCR_EL2"] = self.el2["HCR_EL2"] & ~twe | (twe if f else 0)
            if hooks[0] or hooks[1]:
                self._vm.hook("class", 1, ask)
            else:
                self._vm.hook("class", 1, None)

        return self._register(handler, register)

    def trap_el1_exceptions(self, classes, handler=False):
        """Be asked first about exceptions that the guest takes to its own EL1: f(cpu, esr, vector).

        classes: "all", or names and ESR_EL1.EC numbers: "svc", "undefined", "abort", "brk", "fp",
        "alignment", "irq", "fiq", "serror". None ends it. esr is ESR_EL1 (0 of an interrupt), vector
        the offset from VBAR_EL1; ELR_EL1 and the rest are in cpu.sysreg, and may be changed.
        Return None or hv.PASS: the guest's own handler goes on. An int or a tuple: x0 ..., and back to
        where it came from, as hv.RETRY does (hv.SKIP: behind that instruction). hv.UNDEFINED,
        hv.ABORT: that exception instead. See hv_native/trap/el1trap.h for what this cannot see.
        """
        if classes is None:
            self._vm.el1(0, 0, None)
            return None
        if isinstance(classes, (str, int)):
            classes = (classes,)
        mask, kinds, known = 0, 0, _el1_classes()
        for name in classes:
            try:
                more, kind = (
                    known[name]
                    if isinstance(name, str)
                    else (1 << tuple(range(64)).index(name), 0)
                )
            except (KeyError, ValueError):
                raise ValueError(f"no class {name!r}: {', '.join(known)}, or an EC") from None
            mask, kinds = mask | more, kinds | kind
        return self._register(handler, lambda f: self._vm.el1(mask, kinds, f))

    def rule(
        self,
        kind: str,
        key,
        action: str = "count",
        value: int = 0,
        match: int | None = None,
        pc: int | None = None,
        nth: int = 0,
        every: int = 0,
        promote=None,
    ) -> _hv.Rule:
        """Have C do something at an exit, without Python. Returns a Rule: hits, value, remove().

        kind, key: "hvc", "smc" and a function id, "imm" and an HVC's immediate, "sysreg" and a
        name, "mmio" and an IPA or (IPA, bytes). A rule stands over a handler or a device of the
        same key, and over older rules.
        action: "count"; "log" it for hv.events(); both go on with what stands below. Answer
        "const" `value`; "shadow": what was last written; "deny": the guest gets an exception.
        match, pc: only exits that write this value (of a call: x1), at this address.
        nth, every: only the n-th of these, or not within `every` ms of the last one.
        promote: call this handler then, and do `action` for the others.
        """
        size = 4
        if kind == "mmio" and not isinstance(key, int):
            try:
                key, size = key
            except (TypeError, ValueError):
                raise TypeError(
                    f"an mmio rule is of an IPA or (IPA, bytes), not {key!r}"
                ) from None
        if number(nth, "nth") < 0 or number(every, "every") < 0:
            raise ValueError("nth and every of a rule are not negative")
        if every:
            every = every * _hv.mrs("CNTFRQ_EL0") // 1000
        return self._vm.rule(kind, key, size, action, value, match, pc, nth, every, promote)

    def _hook(self, kind, key, handler):
        return self._register(handler, lambda f: self._vm.hook(kind, key, f))

    def _register(self, handler, do):
        if handler is not False:
            do(handler)
            return None  # at the prompt a registration says nothing

        def decorator(f):
            do(f)
            return f

        return decorator


def _el1_classes():
    """Exceptions to EL1: a bit per exception class, and 2, 4, 8 for IRQ, FIQ, SError."""
    return {
        "all": ((1 << 64) - 1, 14),
        "svc": (1 << 0x11 | 1 << 0x15, 0),
        "undefined": (1 << 0x00 | 1 << 0x0E, 0),
        "abort": (1 << 0x20 | 1 << 0x21 | 1 << 0x24 | 1 << 0x25, 0),
        "alignment": (1 << 0x22 | 1 << 0x26, 0),
        "brk": (1 << 0x38 | 1 << 0x3C, 0),
        "fp": (1 << 0x07 | 1 << 0x2C, 0),
        "irq": (0, 2),
        "fiq": (0, 4),
        "serror": (0, 8),
    }
