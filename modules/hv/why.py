# SPDX-License-Identifier: MIT
"""vm.why() and vm.explain(): in words, who answers an exit, how, what it costs, and what there is at an address."""

from .syndrome import class_name, explain, register

_KINDS = (
    "device", "Python handler", "rule count", "rule count", "rule log", "rule const", "rule const", "rule shadow",
    "rule shadow", "rule log", "rule flip", "rule deny",
)  # fmt: skip
_NATIVE, _PYTHON = 0, 1
_FAST = (2, 6, 8, 9)  # rules that are done on the way: vm/hook.h
_OWNERS = "trap_el1_exceptions", "a breakpoint", "a watch", "a snapshot"
# What an exit costs of its own, by tier: docs/benchmarks.md, in instructions.
_SHORT = "60 to 150 instructions, on the way: x19 to x29 are not saved"
_QUICK = "250 to 400 instructions: in the short interpreter, on the way"
_WORDS = "100 to 250 instructions: compiled, on the way"
_LONG = "1,000 to 3,000 instructions: MicroPython is called, with all registers saved"
_SLOW = "300 to 700 instructions: in C, with all registers saved"


def why(vm, exit=None):
    """The text of vm.why()."""
    of = ""
    if exit is None:
        exit = vm.exit
        for cpu in vm.cpu:
            if exit is None or exit.reason == "none":
                exit = cpu.exit
    if hasattr(exit, "kind"):  # of a trace
        esr, pc, value = exit.esr, exit.pc, exit.value
        if exit.kind in ("irq", "enter", "leave", "switch", "svc"):
            return _no_exit(vm, exit)
        said = explain(esr, pc=pc, ipa=value if esr >> 26 & 0x3B == 0x20 else None)
    else:
        esr, pc = exit.esr, exit.pc
        ec = esr >> 26
        value = (
            exit.ipa
            if ec & 0x3B == 0x20
            else vm.cpu[exit.cpu].x[0]
            if ec in (0x16, 0x17)
            else exit.value
        )
        said = explain(exit)
        if exit.reason in _OWN:
            return f"{said}\nanswered by: {_OWN[exit.reason]}"
    name = _symbol(vm, pc)
    of = f"\nin: {name}" if name else ""
    return "\n".join([said + of] + ["answered by: " + line for line in _who(vm, esr, value)])


_OWN = {
    "none": "nobody: this vCPU has not run yet",
    "timeout": "the host: time was up, or vm.pause() was called; vm.run() goes on",
    "interrupt": "the hypervisor, which had something to do; the guest does not notice",
    "idle": "the virtual GIC: it wakes the vCPU at the next interrupt",
    "memory": "nobody: the machine has no memory left for the guest's RAM",
    "off": "PSCI, in C; vm.smc(0x84000008) or vm.hvc() would be asked before",
    "cpu_off": "PSCI, in C",
    "reset": "PSCI, in C: vm.run() starts it anew",
}


def _no_exit(vm, record):
    if record.kind == "irq":
        return f"{record!r}\nanswered by: EL2's handler of INTID {record.value}, in C: it came while the guest ran"
    if record.kind in ("svc", "switch"):
        return f"{record!r}\nanswered by: the guest itself; a planted HVC told of it (vm.breaks() does not list those)"
    return f"{record!r}\nanswered by: the scheduler, in C"


def _symbol(vm, address):
    try:
        return vm.symbol(address)
    except (KeyError, ValueError):
        return ""


def _who(vm, esr, value):
    """Lines: who is asked, from the first to the last, with tier and cost; then what would change it."""
    ec, (takers, hooks) = esr >> 26, vm._vm.who(esr, value)
    lines = [_hook(hook, ec, value) for hook in hooks]
    memory, abort = vm.memory, ec in (0x20, 0x24)
    if abort and memory.base <= value < memory.base + memory.size:
        lines.append(_ram(vm, esr, value, takers))
    elif abort and not hooks:
        lines.append(
            f"nobody: nothing is at IPA {value:#x}; vm.mmio({value & -0x1000:#x}, 0x1000, f) or vm.stage2.map() would put something there"
        )
    elif ec == 0x16 and esr & 0xFFFF and not hooks:
        known = {0xE100: "a breakpoint (vm.on())"}.get(esr & 0xFFFF, "nobody")
        lines.append(f"{known}; vm.hvc(imm={esr & 0xFFFF:#x}, handler=f) would answer")
    elif ec in (0x16, 0x17) and not [hook for hook in hooks if hook[0] == _PYTHON]:
        id = value & 0xFFFF_FFFF
        psci = id & 0xBFFF_FFE0 == 0x8400_0000
        what, call = "PSCI" if psci else "SMCCC's NOT_SUPPORTED", "hvc" if ec == 0x16 else "smc"
        lines.append(f"{what}, in C; {_SHORT}. vm.{call}({id:#x}, f) would be asked instead")
    elif ec == 0x18 and not hooks:
        name = register(esr)
        lines.append(
            f"the emulation of {name}, in C; {_SHORT}. vm.sysreg({name!r}, f) or vm.rule('sysreg', {name!r}, ...) would be asked before"
        )
    elif not lines:
        lines.append(
            f"C: {class_name(ec) or 'a reserved class'}; vm.exception({ec:#x}, f) would be asked before"
        )
    return lines


def _hook(hook, ec, value):
    kind, hits, key, size, function, how = hook
    where = f" {key:#x}-{key + size - 1:#x}" if size else ""
    if kind == _NATIVE:
        what = f"the device{where} in C"
        return f"{what}; {_SHORT}; an access that the syndrome does not tell (LDP, write-back, unaligned) goes the long way: {_SLOW}"
    name = getattr(function, "__name__", None) or (repr(function) if function is not None else "")
    if kind == _PYTHON:
        cost = (_LONG, _QUICK, _WORDS)[how]
        better = (
            "; a plain function of numbers is done in the short interpreter (docs/fast-handlers.md)",
            "; @micropython.viper, or a rule, is shorter",
            "",
        )[how]
        return f"the handler {name}{where}: {cost}{better}"
    times = "" if hits == 1 else "s"
    more = f", which may ask {name}" if name else ""
    cost = (
        _SHORT
        if kind in _FAST
        else _SLOW + "; without match, pc, nth, every and promote it is done on the way"
    )
    return f"the {_KINDS[kind]}{where}, {hits} hit{times}{more}: {cost}"


def _ram(vm, esr, ipa, takers):
    if esr & 0x3C == 0x0C or takers:
        by = " and ".join([name for i, name in enumerate(_OWNERS) if takers >> i & 1])
        if by:
            return f"RAM, in C: {by} has taken a right of that page, and sees each such access to it; {_SLOW}"
        return "RAM that vm.stage2.protect() has taken a right of: nobody answers"
    return "RAM, in C: it was not touched before; zeroed and mapped 64 KB at a time, once"


def at(vm, where):
    """The text of vm.explain()."""
    from . import breaks
    from .a64 import instruction
    from .stage2 import memory, rights

    va = vm.address(where)
    va, ipa, el0 = breaks.find(vm, va)
    name = _symbol(vm, va)
    lines = [f"{va:#x}" + (f" {name}" if name else "")]
    if ipa is None:
        return lines[0] + ": nothing is mapped there now, by stage 1"
    ram = vm.memory
    inside = ram.base <= ipa < ram.base + ram.size
    run = vm._vm.stage2_run(ipa)
    mapped = run and run[0] <= ipa
    state = (
        f"{rights(run[3])} {memory(run[3])}"
        if mapped
        else "not touched yet"
        if inside
        else "not mapped"
    )
    lines.append(f"IPA {ipa:#x}, {'RAM' if inside else 'no RAM'}, stage 2: {state}")
    takers, hooks = vm._vm.who(0x9200_0005, ipa)
    for i, owner in enumerate(_OWNERS):
        if takers >> i & 1:
            lines.append(f"a right of its page is taken by {owner}")
    if not inside:
        lines += ["answered by: " + _hook(hook, 0x24, ipa) for hook in hooks]
        return "\n".join(lines)
    if ipa % 4 == 0 and ipa + 4 <= ram.base + ram.size:
        word = int.from_bytes(ram[ipa : ipa + 4], "little")
        lines.append(f"{word:08x}  {instruction(word, va)}")
    for b in vm.breaks():
        if va == b._at[0] or ipa == b._at[1]:
            lines.append(repr(b))
    for watch in vm.watches():
        if (
            watch.address
            <= (ipa if watch.where.startswith("ipa ") else va)
            < watch.address + watch.size
        ):
            lines.append(repr(watch))
    for kind, entry in (vm._told or {}).items():
        if ipa in entry[1]:
            lines.append("traced: " + ("svc" if kind == 2 else "switch"))
    return "\n".join(lines)
