# SPDX-License-Identifier: MIT
"""What an exception syndrome says, in the ARM ARM's words (DDI 0487 D13.2.37, ESR_ELx)."""

from _hv import sysreg

# Exception class, the words for it.
_CLASSES = (
    (0x00, "Unknown reason"),
    (0x01, "Trapped WFI or WFE"),
    (0x03, "Trapped MCR or MRC, coproc 15"),
    (0x04, "Trapped MCRR or MRRC, coproc 15"),
    (0x05, "Trapped MCR or MRC, coproc 14"),
    (0x06, "Trapped LDC or STC"),
    (0x07, "Trapped access to SIMD or floating-point"),
    (0x08, "Trapped VMRS"),
    (0x09, "Trapped pointer authentication"),
    (0x0C, "Trapped MRRC, coproc 14"),
    (0x0D, "Branch Target exception"),
    (0x0E, "Illegal Execution state"),
    (0x11, "SVC in AArch32 state"),
    (0x12, "HVC in AArch32 state"),
    (0x13, "SMC in AArch32 state"),
    (0x15, "SVC in AArch64 state"),
    (0x16, "HVC in AArch64 state"),
    (0x17, "SMC in AArch64 state"),
    (0x18, "Trapped MSR, MRS or System instruction"),
    (0x19, "Trapped access to SVE"),
    (0x1A, "Trapped ERET"),
    (0x1C, "Pointer authentication failure"),
    (0x1D, "Trapped access to SME"),
    (0x1F, "IMPLEMENTATION DEFINED exception to EL3"),
    (0x20, "Instruction abort from a lower EL"),
    (0x21, "Instruction abort from the current EL"),
    (0x22, "PC alignment fault"),
    (0x24, "Data abort from a lower EL"),
    (0x25, "Data abort from the current EL"),
    (0x26, "SP alignment fault"),
    (0x28, "Trapped floating-point exception in AArch32 state"),
    (0x2C, "Trapped floating-point exception in AArch64 state"),
    (0x2F, "SError interrupt"),
    (0x30, "Breakpoint from a lower EL"),
    (0x31, "Breakpoint from the current EL"),
    (0x32, "Software Step from a lower EL"),
    (0x33, "Software Step from the current EL"),
    (0x34, "Watchpoint from a lower EL"),
    (0x35, "Watchpoint from the current EL"),
    (0x38, "BKPT in AArch32 state"),
    (0x3A, "Vector Catch in AArch32 state"),
    (0x3C, "BRK in AArch64 state"),
)

# Fault status codes (IFSC, DFSC) without a level; those in fours, by their upper bits, with one.
_FAULTS = (
    (0x10, "synchronous external abort"),
    (0x18, "synchronous parity or ECC error"),
    (0x21, "alignment fault"),
    (0x22, "debug exception"),
    (0x30, "TLB conflict abort"),
    (0x34, "IMPLEMENTATION DEFINED fault (lockdown)"),
    (0x35, "IMPLEMENTATION DEFINED fault (unsupported exclusive or atomic access)"),
    (0x3D, "section domain fault"),
    (0x3E, "page domain fault"),
)
_LEVEL_FAULTS = (
    "address size fault",
    "translation fault",
    "access flag fault",
    "permission fault",
    "",
    "synchronous external abort on a table walk",
    "",
    "synchronous parity or ECC error on a table walk",
)

# Exits that are no exception of the guest's, or one that somebody has answered.
_REASONS = {
    "off": "Powered off: PSCI SYSTEM_OFF, or CPU_OFF of the last vCPU",
    "reset": "The guest asked for a reset: PSCI SYSTEM_RESET",
    "cpu_off": "This vCPU switched itself off: PSCI CPU_OFF",
    "stop": "A handler returned hv.STOP",
    "raised": "A handler raised",
    "timeout": "Stopped from outside: time was up, or pause()",
    "memory": "The machine has no memory left for the guest's RAM: close a VM, and run on",
    "interrupt": "It left the guest because the hypervisor had something to do",
    "idle": "It waits for an interrupt",
    "none": "It has not run yet",
}

_CONDITIONS = "EQNECSCCMIPLVSVCHILSGELTGTLEALNV"
_FP_EXCEPTIONS = "IOF DZF OFF UFF IXF - - IDF"
_IMMEDIATES = ((3, "UAO"), (4, "PAN"), (5, "SPSel"), (30, "DAIFSet"), (31, "DAIFClr"))
_FP_IDS = ((0, "FPSID"), (1, "FPSCR"), (5, "MVFR2"), (6, "MVFR1"), (7, "MVFR0"), (8, "FPEXC"))


def explain(esr, far=None, hpfar=None, pc=None, ipa=None):
    """One line on a syndrome. `esr` is ESR_ELx, or an Exit, which brings the addresses itself;
    `far` and `hpfar` are FAR_ELx and HPFAR_EL2 as read, used where they are valid."""
    why = None
    if not isinstance(esr, int):
        if not hasattr(esr, "esr"):
            raise TypeError(f"a syndrome is ESR_ELx or an Exit, not {esr!r}")
        reason = getattr(esr, "reason", None)
        why = _REASONS.get(reason)
        if why and reason not in ("stop", "raised"):
            return f"{why}; PC {esr.pc:#010x}"
        esr, far, ipa, pc = esr.esr, esr.va, esr.ipa, esr.pc
    esr &= 0xFFFF_FFFF
    ec, iss = esr >> 26, esr & 0x1FF_FFFF
    text = f"{class_name(ec) or 'Reserved exception class'} (EC {ec:#04x})"
    detail = _detail(ec, iss)
    if detail is None and iss:
        detail = f"ISS {iss:#x}"
    if detail:
        text += ": " + detail
    text += _address(ec, iss, far, hpfar, ipa)
    if not esr >> 25 & 1 and ec:
        text += "; 16-bit instruction"
    if pc is not None:
        text += f"; PC {pc:#010x}"
    return f"{why}: {text}" if why else text


def fault_status(fsc):
    """The words for a fault status code: bits 5:0 of an abort's ISS."""
    if fsc < 0x20 and _LEVEL_FAULTS[fsc >> 2]:
        return f"{_LEVEL_FAULTS[fsc >> 2]}, level {fsc & 3}"
    return _named(_FAULTS, fsc) or f"reserved fault status {fsc:#04x}"


def register(iss):
    """The name of the system register that a trap's ISS is of."""
    op0, op1, op2 = iss >> 20 & 3, iss >> 14 & 7, iss >> 17 & 7
    if op0 == 0:  # an immediate's: no register is behind it
        return f"S0_{op1}_C{iss >> 10 & 15}_C{iss >> 1 & 15}_{op2}"
    return sysreg(op0 << 14 | op1 << 11 | (iss >> 10 & 15) << 7 | (iss >> 1 & 15) << 3 | op2)[0]


def class_name(ec):
    """The words for an exception class; None: it is reserved."""
    return _named(_CLASSES, ec)


def _named(table, key):
    for entry in table:
        if entry[0] == key:
            return entry[1]
    return None


def _detail(ec, iss):
    if ec == 0x01:
        return ("WFI", "WFE", "WFIT", "WFET")[iss & 3] + _condition(iss)
    if ec in (0x03, 0x05):
        return _mcr(15 if ec == 0x03 else 14, iss) + _condition(iss)
    if ec in (0x04, 0x0C):
        return _mcrr(15 if ec == 0x04 else 14, iss) + _condition(iss)
    if ec == 0x06:
        return _ldc(iss) + _condition(iss)
    if ec == 0x07:
        return _condition(iss)[2:]
    if ec == 0x08:
        register = iss >> 10 & 15
        name = _named(_FP_IDS, register) or f"FP system register {register}"
        return f"VMRS x{iss >> 5 & 31}, {name}" + _condition(iss)
    if ec == 0x13:
        maybe = iss >> 19 & 1  # CCKNOWNPASS: 0, it was unconditional or its condition held
        return "SMC" + (_condition(iss) if maybe else "")
    if 0x11 <= ec <= 0x17:
        return f"{('SVC', 'HVC', 'SMC')[(ec & 3) - 1]} #{iss & 0xFFFF:#x}"
    if ec == 0x18:
        return _msr(iss)
    if ec in (0x20, 0x21):
        return fault_status(iss & 63) + _walk(iss) + _external(iss)
    if ec in (0x24, 0x25):
        return fault_status(iss & 63) + _walk(iss) + _external(iss) + "; " + _access(ec, iss)
    if ec in (0x28, 0x2C):
        return _fp_exceptions(iss)
    if ec == 0x2F:
        kind = "IMPLEMENTATION DEFINED" if iss >> 24 else "architected"
        return f"{kind} syndrome {iss & 0xFF_FFFF:#x}"
    if ec in (0x32, 0x33):
        return "a load-exclusive was stepped" if iss >> 24 and iss >> 6 & 1 else ""
    if ec in (0x34, 0x35):
        return "cache maintenance" if iss >> 8 & 1 else ("load", "store")[iss >> 6 & 1]
    if ec in (0x38, 0x3C):
        return f"{'BKPT' if ec == 0x38 else 'BRK'} #{iss & 0xFFFF:#x}"
    return "" if ec in (0x30, 0x31, 0x3A) else None  # their fault status only says "debug"


def _condition(iss):
    if not iss >> 24:
        return ", T32 condition in SPSR.IT"
    cond = iss >> 20 & 15
    return "" if cond >= 14 else f", condition {_CONDITIONS[2 * cond : 2 * cond + 2]}"


def _mcr(coproc, iss):
    return (
        f"{'MRC' if iss & 1 else 'MCR'} p{coproc}, {iss >> 14 & 7}, x{iss >> 5 & 31}, "
        f"c{iss >> 10 & 15}, c{iss >> 1 & 15}, {iss >> 17 & 7}"
    )


def _mcrr(coproc, iss):
    return (
        f"{'MRRC' if iss & 1 else 'MCRR'} p{coproc}, {iss >> 16 & 15}, x{iss >> 5 & 31}, "
        f"x{iss >> 10 & 31}, c{iss >> 1 & 15}"
    )


def _ldc(iss):
    base = "PC" if iss >> 3 & 1 else f"x{iss >> 5 & 31}"
    offset = f"#{'-+'[iss >> 4 & 1]}{(iss >> 12 & 255) * 4}"
    form = ("[{0}]", "[{0}], {1}", "[{0}, {1}]", "[{0}, {1}]!")[iss >> 1 & 3]
    return f"{'LDC' if iss & 1 else 'STC'} p14, c5, " + form.format(base, offset)


def _msr(iss):
    op0, op1, op2 = iss >> 20 & 3, iss >> 14 & 7, iss >> 17 & 7
    crn, crm, rt, read = iss >> 10 & 15, iss >> 1 & 15, iss >> 5 & 31, iss & 1
    if op0 == 0:
        field = _named(_IMMEDIATES, op1 << 3 | op2) if crn == 4 else None
        return f"MSR {field or 'op0=0'}, #{crm}"
    name = register(iss)
    x = "xzr" if rt == 31 else f"x{rt}"
    if op0 > 1:
        if read:
            return f"MRS {x}, {name}"
        # One encoding, two registers: what is read is what the debugger sent.
        return f"MSR {'DBGDTRTX_EL0' if name == 'DBGDTRRX_EL0' else name}, {x}"
    if name[:3] == "S1_":
        name = f"SYS #{op1}, C{crn}, C{crm}, #{op2}"
    else:
        name = name.replace("_", " ", 1)
    return name if rt == 31 else f"{name}, {x}"


def _walk(iss):
    return ", on a stage 1 table walk" if iss >> 7 & 1 else ""


def _external(iss):
    return ", EA 1" if iss >> 9 & 1 else ""


def _access(ec, iss):
    if iss >> 8 & 1:
        return "cache maintenance or AT instruction"
    store = iss >> 6 & 1
    if not iss >> 24:
        return ("load", "store")[store] + (" (ISV 0)" if ec == 0x24 else "")
    size, rt, wide = iss >> 22 & 3, iss >> 16 & 31, iss >> 15 & 1
    register = "wx"[wide] + ("zr" if rt == 31 else str(rt))
    signed = "sign-extending " if iss >> 21 & 1 else ""
    kinds = ("load into", "store from", "load-acquire into", "store-release from")
    return f"{1 << size}-byte {signed}{kinds[iss >> 13 & 2 | store]} {register}"


def _fp_exceptions(iss):
    if not iss >> 23 & 1:
        return "not told which (TFV 0)"
    names = _FP_EXCEPTIONS.split()
    return " ".join([names[bit] for bit in (7, 4, 3, 2, 1, 0) if iss >> bit & 1])


def _address(ec, iss, far, hpfar, ipa):
    if ec not in (0x20, 0x21, 0x22, 0x24, 0x25, 0x34, 0x35):
        return ""
    abort = ec in (0x20, 0x21, 0x24, 0x25)
    fsc, walk = iss & 63, iss >> 7 & 1
    if abort and fsc == 0x10 and iss >> 10 & 1:
        return ", FAR not valid"
    # HPFAR_EL2 is UNKNOWN after the other faults: a permission fault's above all.
    if ipa is None and hpfar is not None and abort and (fsc < 12 or walk):
        ipa = (hpfar >> 4 & 0xFFF_FFFF_FFFF) << 12
        if far is not None and not walk:
            ipa |= far & 0xFFF
    places = []
    if far is not None:
        places.append(f"VA {far:#010x}")
    if ipa is not None:
        places.append(f"{'table at ' if walk else ''}IPA {ipa:#010x}")
    return " at " + ", ".join(places) if places else ""
