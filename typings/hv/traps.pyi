# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/traps.py.
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
One that raises leaves the guest before the instruction; vm.run() raises, and can be called again."""

from typing import Any

import _hv
def number(value: Any, what: Any) -> Any:
    """An int, or a TypeError that says what it was to be."""

class Traps:
    def hvc(self, function: int | None=None, handler: Any=False, *, imm: int | None=None) -> Any:
        """Answer HVC with this SMCCC function id in w0, or of this immediate: f(cpu, x1, x2, ...)."""
    def smc(self, function: int, handler: Any=False) -> Any:
        """As `hvc`, for SMC."""
    def sysreg(self, name: str | int, handler: Any=False) -> Any:
        """Answer a trapped MRS or MSR: f(cpu, value), value None for a read, which returns an int.

        Whether a register traps is up to vm.el2 (HCR_EL2.TACR, TVM, TID3; MDCR_EL2; ...)."""
    def mmio(self, ipa: int, size: int, handler: Any=False) -> Any:
        """A device at [ipa, ipa + size): f(cpu, offset, value), value None for a load, which returns
        an int. Ranges may be of any size and alignment, several to a page; they must not overlap."""
    def exception(self, ec: int, handler: Any=False) -> Any:
        """What nothing else answers of exception class `ec` (ESR_EL2.EC): f(cpu, esr).

        "Behind the instruction" (None, hv.SKIP, hv.STOP) is by its length; exceptions that are before one stay
        there: fetches (0x20), PC alignment (0x22), breakpoints, steps and watchpoints (0x30 to 0x35), and so on."""
    def default(self, handler: Any=False) -> Any:
        """What nothing else answers at all: f(cpu, esr)."""
    def wfi(self, handler: Any=False) -> Any:
        """Called at each WFI, f(cpu): hv.PASS waits for an interrupt, as without it."""
    def wfe(self, handler: Any=False) -> Any:
        """Called at each WFE that traps: HCR_EL2.TWE is set with it, and cleared without."""
    def trap_el1_exceptions(self, classes: Any, handler: Any=False) -> Any:
        """Be asked first about exceptions that the guest takes to its own EL1: f(cpu, esr, vector).

        classes: "all", or names and ESR_EL1.EC numbers: "svc", "undefined", "abort", "brk", "fp",
        "alignment", "irq", "fiq", "serror". None ends it. esr is ESR_EL1 (0 of an interrupt), vector
        the offset from VBAR_EL1; ELR_EL1 and the rest are in cpu.sysreg, and may be changed.
        Return None or hv.PASS: the guest's own handler goes on. An int or a tuple: x0 ..., and back to
        where it came from, as hv.RETRY does (hv.SKIP: behind that instruction). hv.UNDEFINED,
        hv.ABORT: that exception instead. See hv_native/trap/el1trap.h for what this cannot see."""
    def rule(self, kind: str, key: Any, action: str='count', value: int=0, match: int | None=None, pc: int | None=None, nth: int=0, every: int=0, promote: Any=None) -> _hv.Rule:
        """Have C do something at an exit, without Python. Returns a Rule: hits, value, remove().

        kind, key: "hvc", "smc" and a function id, "imm" and an HVC's immediate, "sysreg" and a
        name, "mmio" and an IPA or (IPA, bytes). A rule stands over a handler or a device of the
        same key, and over older rules.
        action: "count"; "log" it for hv.events(); both go on with what stands below. Answer
        "const" `value`; "shadow": what was last written; "deny": the guest gets an exception.
        match, pc: only exits that write this value (of a call: x1), at this address.
        nth, every: only the n-th of these, or not within `every` ms of the last one.
        promote: call this handler then, and do `action` for the others."""
