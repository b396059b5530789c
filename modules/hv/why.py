# SPDX-License-Identifier: MIT
"""vm.why() and vm.explain(): in words, who answers an exit, how, what it costs, and what there is at an address."""

from .syndrome import class_name, explain, register

_KINDS = (
    "device", "Python handler", "rule count", "rule count", "rule log", "rule const", "rule const", "rule shadow",
    "rule shadow", "rule log", "rule flip", "rule deny",
)  # fmt: skip
_NATIVE, _PYTHON = 0, 1
_CLASS = 4  # how a hook is called: it is one of the exit's class, or of all exits
_PASSED = (2, 3, 4, 9, 10)  # rules that count or note: what stands below them is asked then
# Rules that are done on the way (vm/hook.h), and their rows of the bench; for system registers and calls, and for loads.
_FAST = {2: "rule_hvc_count", 6: "rule_hvc_const", 8: "rule_mmio_shadow", 9: "rule_hvc_log"}
_OWNERS = "trap_el1_exceptions", "a breakpoint", "a watch", "a snapshot"
_HVC, _SMC, _SYSREG, _FETCH, _DATA = 0x16, 0x17, 0x18, 0x20, 0x24
_ISV = 1 << 24  # of a data abort's syndrome: it tells the access (DDI 0487, ESR_EL2)
_LOAD = 0x9300_0005  # the syndrome of a load where nothing is mapped
# What an exit costs by who answers it, in instructions: rows of `make bench`; tests/test_why.py holds these to it.
COSTS = """hvc_psci_version 45 smc_psci_version 63 hvc_unknown 60 pl011_out 146 pl011_flags 118 gicd_typer_read 88
gicd_isenabler_write 134 sgi_to_self 144 timer_expiry 56 timer_wakes 334 vcpu_switch 894 rule_hvc_const 58
rule_hvc_count 63 rule_hvc_log 108 rule_mmio_const 89 rule_mmio_shadow 83 rule_sysreg_const 81 hvc_python 106 hvc_viper 63
hvc_native 118 hvc_python_triple 881 mmio_load_python 151 mmio_load_viper 131 mmio_load_native 180
mmio_store_python 136 mmio_store_viper 120 mmio_store_native 168 mmio_load_post_python 1067 sysreg_read_python 148
sysreg_read_viper 117 sysreg_write_python 148 sysreg_write_viper 116 sysreg_native 168 break_counted 86 break_system 296
break_python 275 step_function 167 step_python 298 watch_neighbour 248 watch_hit_counted 326 watch_hit_python 405
watch_hard_hit 440 ram_granule 3972 snapshot_first_write 1119"""
_WAY = "on the way: x19 to x29 are not saved"


def _cost(row, how=_WAY):
    found = COSTS.split()
    return f"{int(found[found.index(row) + 1]):,} instructions ({row} of the bench), {how}"


def why(vm, exit=None):
    """The text of vm.why()."""
    if exit is None:
        exit = vm.exit
        for cpu in vm.cpu:
            if exit is None or exit.reason == "none":
                exit = cpu.exit
    if hasattr(exit, "kind"):  # of a trace
        esr, pc, value = exit.esr, exit.pc, exit.value
        if exit.kind in ("irq", "enter", "leave", "switch", "svc"):
            return _no_exit(exit)
        said = explain(esr, pc=pc, ipa=value if esr >> 26 & 0x3B == 0x20 else None)
    else:
        esr, pc = exit.esr, exit.pc
        value, said = _value(exit), explain(exit)
        if exit.reason in _OWN:
            return f"{said}\nanswered by: {_OWN[exit.reason]}"
    name = _symbol(vm, pc)
    of = f"\nin: {name}" if name else ""
    return "\n".join([said + of] + ["answered by: " + line for line in _who(vm, esr, value)])


def _value(exit):
    """What tells whose it is: an IPA, a function id, or what the exit itself has."""
    ec = exit.esr >> 26
    if ec & 0x3B == 0x20:
        return exit.ipa
    return exit.cpu.x[0] if ec in (_HVC, _SMC) else exit.value


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


def _no_exit(record):
    if record.kind == "irq":
        who = {
            26: f"EL2's own timer, in C: the end of a time slice, and the hypervisor's clock; a switch to another vCPU is {_cost('vcpu_switch')}",
            27: f"the guest's virtual timer: put into its list registers in C; {_cost('timer_expiry')}; more if the guest waited in WFI",
        }.get(record.value, "EL2's handler of that INTID, in C: for a guest, or the machine's own")
        return f"{record!r}\nanswered by: {who}. It came while the guest ran"
    if record.kind in ("svc", "switch"):
        return (
            f"{record!r}\nanswered by: the guest itself; a planted HVC told of it, {_cost('break_counted')} "
            "(vm.breaks() does not list those); it goes with the trace's stop()"
        )
    return f"{record!r}\nanswered by: the scheduler, in C; {_cost('vcpu_switch')} for a switch"


def _symbol(vm, address):
    try:
        return vm.symbol(address)
    except (KeyError, ValueError):
        return ""


def answerer(vm, esr, value):
    """(tier, line) of who answers in the end."""
    own, n = _own(vm._vm.who(esr, value)[1]), 0
    while n < len(own) and own[n][0] in _PASSED:
        n += 1
    if n == len(own):
        n = 0
    line = _who(vm, esr, value)[n]
    kind = own[n][0] if own else int(line.startswith("the handler"))
    if kind == _PYTHON:
        return "Python", line
    return "rules" if kind or n else "native", line


def _own(hooks):
    """Without those of the exit's class, which come last."""
    return [hook for hook in hooks if hook[5] != _CLASS]


def _who(vm, esr, value):
    """Lines: who is asked, from the first to the last, with tier and cost; then what would change it."""
    ec, (takers, hooks) = esr >> 26, vm._vm.who(esr, value)
    # What is of this id, register or address; the machine's own; what is of the whole class.
    own = _own(hooks)
    lines = [_hook(hook, esr, value) for hook in own]
    scripts = [_hook(hook, esr, value) for hook in hooks if hook[5] == _CLASS]
    memory = vm.memory
    if ec in (_FETCH, _DATA):
        if memory.base <= value < memory.base + memory.size:
            lines.append(_ram(esr, takers))
        elif not lines:
            scripts.append(
                f"nobody: nothing is at IPA {value:#x}; vm.mmio({value & -0x1000:#x}, 0x1000, f) or vm.stage2.map() would put something there"
            )
    elif ec == _HVC and esr & 0xFFFF:
        if not lines:
            lines.append(_immediate(esr & 0xFFFF))
    elif ec in (_HVC, _SMC):
        if _PYTHON not in [hook[0] for hook in own]:
            known, line = _call(value & 0xFFFF_FFFF, ec)
            (lines if known else scripts).append(line)
    elif ec != _SYSREG:
        scripts.append(_class(ec))
    elif not lines:
        lines.append(_register(esr))
    return lines + scripts


def _call(id, ec):
    call, row = ("hvc", "hvc_psci_version") if ec == _HVC else ("smc", "smc_psci_version")
    change = f"vm.{call}({id:#x}, f) or vm.rule('{call}', {id:#x}, ...) would be asked instead"
    if id & 0xBFFF_FFE0 == 0x8400_0000:
        from .trace import psci

        name = psci(id)
        cost = _cost(row) if id == 0x8400_0000 else "the shortest of them " + _cost(row)
        return True, f"PSCI, in C: {name}; {cost}. {change}"
    if id in (0x8000_0000, 0x8000_0001) or id & 0xFFFF_8000 == 0x8000_8000 or id == 0x8000_3FFF:
        return True, f"SMCCC, in C; {_cost(row)}. {change}"
    return False, f"SMCCC's NOT_SUPPORTED, in C; {_cost('hvc_unknown')}. {change}"


def _immediate(imm):
    if imm == 0xE100:
        return f"a breakpoint (vm.on()), in C; counted {_cost('break_counted')}; by a Python function {_cost('break_python')}; b.off() ends it"
    if 0xE000 <= imm < 0xE100:
        return "trap_el1_exceptions, where it is on: the function given to it, or in C the instruction of EL1's vector that stood there"
    return f"nobody; vm.hvc(imm={imm:#x}, handler=f) would answer"


def _register(esr):
    name = register(esr)
    row, what = "sysreg_native", "its emulation"
    if name.startswith("ICC_SGI"):
        row, what = "sgi_to_self", "the virtual GIC's"
    return (
        f"{name}: {what}, in C; {_cost(row)}. "
        f"vm.sysreg({name!r}, f) or vm.rule('sysreg', {name!r}, ...) would be asked before"
    )


# Of the other classes: who has it when no script asks.
_GUEST = "the guest itself: its own exception vector is entered"
_CLASSES = (
    ((0x01,), "the virtual GIC, in C: WFI waits for the vCPU's next interrupt, WFE goes on", "timer_wakes"),
    ((0x03, 0x04, 0x05, 0x06, 0x08, 0x0C), "the AArch64 register behind the AArch32 name, in C, as MRS and MSR; UNDEFINED to the program where there is none", "sysreg_native"),
    ((0x07,), "C: vectors and floats are brought to this vCPU, once after somebody else had them", None),
    ((0x0E, 0x22, 0x26, 0x28, 0x2C), _GUEST, None),
    ((0x2F,), "the guest, as a virtual SError: an access of its own to a device ended late", None),
    ((0x30, 0x34), "a breakpoint or watch of vm.on(), vm.watch() or a debugger in a debug register; else the guest's own, which gets its exception", "watch_hard_hit"),
    ((0x32,), "cpu.step(), or the step over a planted breakpoint; else the guest's own", "step_function"),
    ((0x38, 0x3A, 0x3C), "a breakpoint of vm.on() in a program (BRK); else " + _GUEST, "break_python"),
)  # fmt: skip


def _class(ec):
    for classes, who, row in _CLASSES:
        if ec in classes:
            break
    else:
        known = class_name(ec) or "a reserved class"
        who, row = f"nobody ({known}): the program gets an UNDEFINED exception, in C", None
    cost = f"; {_cost(row, 'as far as the bench has it')}" if row else "; not counted by the bench"
    return f"{who}{cost}. vm.exception({ec:#x}, f) would be asked before"


def _hook(hook, esr, value):
    kind, hits, key, size, function, how = hook
    where = f" {key:#x}-{key + size - 1:#x}" if size else ""
    if kind == _NATIVE:
        return _device(where, esr, value)
    name = getattr(function, "__name__", None) or (repr(function) if function is not None else "")
    if kind == _PYTHON:
        return f"the handler {name}{where}: {_handler(how, esr)}"
    times = "" if hits == 1 else "s"
    more = f", which may ask {name}" if name else ""
    return f"the {_KINDS[kind]}{where}, {hits} hit{times}{more}: {_rule(kind, esr >> 26)}"


def _device(where, esr, value):
    from .trace import device

    name, write = device(value), esr & 64
    if name == "pl011":
        row = "pl011_out" if write else "pl011_flags"
    else:
        row = "gicd_isenabler_write" if write else "gicd_typer_read"
    told = ""
    if not esr & _ISV:
        told = "; the syndrome does not tell it (LDP, write-back, unaligned): the instruction is decoded, with all registers saved"
    return f"the device {name or ''}{where} in C; {_cost(row)}{told}. vm.rule('mmio', ...) or vm.mmio() over it would be asked before"


def _rule(kind, ec):
    if kind not in _FAST:
        return "C, with all registers saved; not counted by the bench; without match, pc, nth, every and promote it is done on the way"
    constants = {_DATA: "rule_mmio_const", _SYSREG: "rule_sysreg_const"} if kind == 6 else {}
    return _cost(constants.get(ec, _FAST[kind]))


# How a handler is called, by hook[5]: what the bench's rows call that, and what to think of it.
_HOW = (
    ("python", f"in the short interpreter, on the way; what that cannot do MicroPython does from there on, {_cost('hvc_python_triple', 'or more')}; @micropython.viper, or a rule, is shorter"),
    ("viper", "compiled, on the way; a rule is shorter"),
    ("native", "compiled, on the way; @micropython.viper is shorter"),
)  # fmt: skip


def _handler(how, esr):
    if how == _CLASS:
        return f"with all registers saved; by MicroPython {_cost('hvc_python_triple', 'about')}"
    if how == 0:
        return (
            f"MicroPython is called, with all registers saved; one that makes objects {_cost('hvc_python_triple', 'about')}; "
            "a plain function of numbers is done in the short interpreter (docs/fast-handlers.md)"
        )
    ec, (kind, better) = esr >> 26, _HOW[how - 1]
    if ec == _DATA:
        if not esr & _ISV:
            return f"after the instruction has been decoded; {_cost('mmio_load_post_python', 'with all registers saved')}"
        row = f"mmio_{'store' if esr & 64 else 'load'}_{kind}"
    elif ec != _SYSREG:
        row = f"hvc_{kind}"
    elif kind == "native":
        row = "sysreg_native"
    else:
        row = f"sysreg_{'read' if esr & 1 else 'write'}_{kind}"
    return f"a short one is {_cost(row, better)}"


def _ram(esr, takers):
    if esr & 0x3C == 0x0C or takers:
        by = [name for i, name in enumerate(_OWNERS) if takers >> i & 1]
        if not by:
            return "RAM that vm.stage2.protect() has taken a right of: nobody answers"
        row = "snapshot_first_write" if takers & 8 else "watch_neighbour"
        return f"RAM, in C: {' and '.join(by)} has taken a right of that page, and sees each such access to it; {_cost(row)}; its off() or remove() gives it back"
    return f"RAM, in C: it was not touched before; zeroed and mapped 64 KB at a time, once; {_cost('ram_granule', 'with all registers saved')}"


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
    if mapped:
        state = f"{rights(run[3])} {memory(run[3])}"
    else:
        state = "not touched yet" if inside else "not mapped"
    lines.append(f"IPA {ipa:#x}, {'RAM' if inside else 'no RAM'}, stage 2: {state}")
    takers, hooks = vm._vm.who(_LOAD, ipa)
    for i, owner in enumerate(_OWNERS):
        if takers >> i & 1:
            lines.append(f"a right of its page is taken by {owner}")
    if not inside:
        lines += ["answered by: " + _hook(hook, _LOAD, ipa) for hook in hooks]
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
