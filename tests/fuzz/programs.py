# SPDX-License-Identifier: MIT
"""Guests made from a seed: what each kind of them does to its machine.

A case is a list of actions for each vCPU; an action is a few words of code that stand for themselves,
so that a case can be made shorter. Registers: x0 to x7 are the actions', x10 and x11 the vectors'.
"""

import base64
import struct
import zlib

import a64
from a64 import load

RAM, CODE, VECTORS, TABLES, PROGRAM = (
    0x4000_0000,
    0x4008_0000,
    0x4000_8000,
    0x4001_0000,
    0x4004_0000,
)
SIZE = 2 << 20
ENTRY = 0x8000  # from one vCPU's code to the next one's
STOP = a64.hvc(0x100)
ODD = (0, 1, 2, 3, 4, 8, 0xFF, 0x7FF, 0xFFF, 0x1000, 0xFFFF_FFFF, 0x8000_0000, RAM, RAM + SIZE - 1)
MASK = (1 << 64) - 1

# On the target: a VM with one device of each sort, the parts of a case in its RAM; how that ended.
TARGET = """
import deflate, io
from binascii import a2b_base64
from hv.virtio import Device
class Echo(Device):
    id = 42
    def request(self, queue, r):
        r.write(r.read(4096))
    def fork(self):
        return Echo(self.legacy)
lan = hv.Switch()

def _devices(vm, legacy):
    vm.rng(legacy=legacy)
    vm.block(64 << 10, legacy=legacy)
    vm.block(bytes(8 << 10), cow=True, legacy=legacy)
    vm.net(lan, legacy=legacy)
    vm.virtio_console(legacy=legacy)
    vm.virtio(Echo(legacy))
    vm.flash(0, "512K")
    vm.mmio(0x0B00_0000, 0x1000, lambda cpu, offset, value: 5)
    vm.rule("mmio", 0x0B00_1000, "shadow")
    vm.hvc(0xC600_0001, lambda cpu, x1, x2: x1 + x2)
    vm.exception(0x24, lambda cpu, esr: hv.ABORT)  # what is no device does not end the case
    vm.irq(33).watch()
    vm.irq(35).watch(lambda irq: True)

def _look(vm, seen):
    str(vm.exit), hv.explain(vm.exit) if vm.exit else None
    for cpu in vm.cpu:
        repr(cpu), str(cpu.exit)
        for va in seen:
            try:
                cpu.translate(va)
            except (ValueError, hv.Fault, OSError):
                pass

def _unpack(packed):
    stream = deflate.DeflateIO(io.BytesIO(a2b_base64(packed)), deflate.ZLIB)
    while head := stream.read(16):
        at, size = struct.unpack("<QQ", head)
        yield at, stream.read(size)

def one(parts, cpus, x, sysreg, pstate, ms, back, devices=False, trace=False, seen=(), taken=(), fire=None):
    vm = hv.VM("fuzz", ram="2M", cpus=cpus)
    try:
        vm.hvc(imm=0x100, handler=lambda cpu: hv.STOP)
        if devices:
            _devices(vm, devices == "legacy")
        if trace:
            vm.trap_el1_exceptions("all", lambda cpu, esr, vector: None)
        for kind, at, control in taken:
            vm._vm.debug(kind, at, control)
        for at, data in _unpack(parts):
            vm.memory[at : at + len(data)] = data
        cpu = vm.cpu[0]
        cpu.reset(0x4008_0000)
        cpu.sp, cpu.pstate = 0x4007_0000, pstate
        for n, value in x:
            cpu.x[n] = value
        for name, value in sysreg:
            cpu.sysreg[name] = value
        if fire is not None:
            _fire(vm, fire, ms)
            vm.pause()
            reason = "timeout"
        elif back:
            vm.start()
            end = time.ticks_add(time.ticks_ms(), ms)
            while vm.running and time.ticks_diff(end, time.ticks_ms()) > 0:
                time.sleep_ms(1)
            vm.pause()
            reason = vm.exit.reason if vm.exit else "timeout"
        else:
            reason = vm.run(ms).reason
        vm.console.write(b"typed")
        _look(vm, seen)
    finally:
        vm.close()
    return reason
"""

# How a guest may end. What EL0 and EL1 can do is emulated, or an exception in the guest: never "trap".
ENDS = {"timeout", "stop", "off", "reset", "cpu_off", "mmio", "fetch", "hvc", "smc"}

# Where registers are: a base, offsets worth trying, and how far it goes.
DISTRIBUTOR = (
    0x0800_0000,
    (
        0,
        4,
        8,
        0x80,
        0x100,
        0x180,
        0x200,
        0x280,
        0x300,
        0x380,
        0x400,
        0x41C,
        0x420,
        0x800,
        0x820,
        0x91C,
        0xC00,
        0xC04,
        0xF00,
        0xF10,
        0xF20,
        0x6100,
        0xFFE8,
    ),
    0x1_0000,
)
CPU_INTERFACE = (0x0801_0000, (0, 4, 8, 0xC, 0x10, 0x14, 0x18, 0xD0, 0xFC, 0x1000), 0x2000)
REDISTRIBUTOR = (
    0x080A_0000,
    (
        0,
        8,
        0x14,
        0x1_0080,
        0x1_0100,
        0x1_0200,
        0x1_0280,
        0x1_0400,
        0x1_0C04,
        0x2_0014,
        0x3_0100,
        0x3_0400,
        0x5_0100,
        0x7_0200,
    ),
    0x8_0000,
)
DEVICES = (
    (0x0900_0000, (0, 4, 0x18, 0x24, 0x2C, 0x30, 0x34, 0x38, 0x3C, 0x40, 0x44, 0xFE0), 0x1000),
    (0x0901_0000, (0, 4, 8, 0xC, 0x10, 0x14, 0x18, 0x1C, 0xFE8), 0x1000),
    (
        0x0A00_0000,
        (
            0,
            8,
            0x10,
            0x14,
            0x20,
            0x24,
            0x28,
            0x30,
            0x34,
            0x38,
            0x3C,
            0x40,
            0x44,
            0x50,
            0x60,
            0x64,
            0x70,
            0x80,
            0x84,
            0x90,
            0xA0,
            0xFC,
            0x100,
            0x104,
            0x1FF,
            0x200,
            0x270,
            0x450,
            0x670,
            0x850,
            0xA70,
        ),
        0x1000,
    ),
    (0, (0, 1, 2, 4, 0xAAA, 0x554, 0x55, 0x1000, 0x7_FFF8), 0x8_0000),  # flash
    (0x0B00_0000, (0, 4, 8, 0xFF8, 0xFFC, 0x1000), 0x2000),  # handlers
)
# ICC_*, ICV_*, CNTP_*, CNTV_*, debug, PMU, ID registers, implementation defined, cache and TLB.
REGISTERS = (0xD518C000, 0xD518CB00, 0xD5184600, 0xD51BE200, 0xD51BE300, 0xD5100000, 0xD5100200, 0xD51B9C00,
             0xD51BE800, 0xD5180000, 0xD518B000, 0xD51BF000, 0xD5087000, 0xD5088000)  # fmt: skip

# opc1, coprocessor, CRn, CRm, opc2
COPROCESSOR = (
    (0, 14, 0, range(16), range(8)), (0, 14, 1, range(16), range(8)), (0, 14, 7, range(16), range(8)),
    (0, 14, 0, (0, 1, 5, 6), (0, 2)), (7, 14, 0, (0, 1), (0,)), (6, 14, 0, (0, 1), (0,)),
    (0, 15, 9, (12, 13, 14), range(8)), (0, 15, 14, range(16), range(8)), (0, 15, 14, (1, 2, 3), (0, 1)),
    (0, 15, 13, (0,), range(5)), (0, 15, 7, (5, 10), (4, 5, 6)), (0, 15, 0, (0, 1, 2), range(8)),
    (1, 15, 0, (0,), range(8)), (0, 15, 1, (0, 1), range(4)), (0, 15, 15, range(16), range(8)),
)  # fmt: skip


class Case:
    """What is done: `actions` by vCPU, and a `program` of EL0, in pieces of bytes; what else one() is told."""

    def __init__(self, actions, program=(), **options):
        self.actions = actions
        self.program = list(program)
        self.options = options

    def pieces(self):
        rows = [*self.actions, self.program]
        return [(row, n) for row, pieces in enumerate(rows) for n in range(len(pieces))]

    def only(self, pieces):
        """The same with these pieces alone."""
        kept, rows = set(pieces), [*self.actions, self.program]
        rows = [
            [piece for n, piece in enumerate(row) if (at, n) in kept]
            for at, row in enumerate(rows)
        ]
        return Case(rows[:-1], rows[-1], **self.options)

    def script(self):
        options = dict(self.options)
        begin, again, skip = (
            options.pop("begin", []),
            options.pop("again", 1),
            options.pop("vectors", VECTOR),
        )
        parts = options.pop("parts", [])
        parts = [(VECTORS, a64.words([*skip, *[0] * (32 - len(skip))] * 16)), *parts]
        for cpu, actions in enumerate(self.actions):
            at = CODE + cpu * ENTRY
            words = list(begin)
            if cpu == 0:
                for other in range(1, len(self.actions)):
                    words += cpu_on(other)
            words += load(28, again if cpu == 0 else MASK)
            body = [word for action in actions for word in action]
            words += [*body, 0xF100079C]  # subs x28, x28, #1
            back = -(len(body) + 1) & 0x7FFFF
            words += [0x54000001 | back << 5, STOP]  # b.ne
            parts.append((at, a64.words(words)))
        if self.program:
            parts.append((PROGRAM, b"".join(self.program)))
        options.setdefault("cpus", len(self.actions))
        packed = base64.b64encode(
            zlib.compress(b"".join(struct.pack("<QQ", at, len(data)) + data for at, data in parts))
        )
        return (
            f"print(one({packed!r}, " + ", ".join(f"{k}={v!r}" for k, v in options.items()) + "))"
        )

    def listing(self):
        lines = [f"  {name} = {repr(value)[:300]}" for name, value in self.options.items()]
        for cpu, actions in enumerate(self.actions):
            lines += [
                f"  cpu {cpu}: " + " ".join(f"{word:08x}" for word in action) for action in actions
            ]
        lines += [f"  program: {piece.hex(' ', 2)}" for piece in self.program]
        return "\n".join(lines)


VECTOR = a64.RET_FROM_EXCEPTION


def cpu_on(other):
    return [
        *load(0, 0xC400_0003),
        *load(1, other),
        *load(2, CODE + other * ENTRY),
        *load(3, other),
        a64.hvc(),
    ]


def vectors():
    return [*load(9, VECTORS), 0xD518C009]  # msr vbar_el1, x9


def floats():
    return [*load(9, 3 << 20), 0xD5181049, a64.ISB]  # msr cpacr_el1, x9


def mmu(attributes, extra=0):
    """Stage 1 on: the first 2 GB as they are, of these attributes; so that unaligned accesses get out."""
    begin = []
    registers = ((0xD518A200, attributes), (0xD5182040, 0x2_8000_3519), (0xD5182000, TABLES))
    for register, value in registers:  # MAIR, TCR, TTBR0
        begin += [*load(9, value), register | 9]
    begin += [*load(9, 0x30D0_0801 | extra), a64.ISB, 0xD5181009, a64.ISB]  # SCTLR
    return begin


def identity(rights=0):
    """Level 1, 1 GB blocks: devices by attribute 1, RAM by 0, and EL1's alone unless by these rights."""
    table = [1 << 10 | 1 << 6 | 1 << 2 | 1, RAM | 1 << 10 | rights | 1]
    return [(TABLES, b"".join(entry.to_bytes(8, "little") for entry in table) + bytes(4080))]


def value(dice):
    some = (
        0xFFFF_FFFF,
        dice.getrandbits(32),
        1 << dice.randrange(32),
        dice.randrange(64),
        dice.choice(ODD),
        dice.choice((MASK, MASK - 1, 1 << 63, dice.getrandbits(64))),
    )
    return dice.choice(some)


def place(dice, gic):
    """An address in some device, at a register or anywhere, aligned or not."""
    places = (DISTRIBUTOR, CPU_INTERFACE if gic == 2 else REDISTRIBUTOR, *DEVICES, DEVICES[2])
    base, likely, size = dice.choice(places)
    offset = dice.choice(likely) if dice.random() < 0.7 else dice.randrange(size)
    if dice.random() < 0.25:
        offset = max(0, offset + dice.randrange(-8, 9))
    return base + offset


# Kinds. Each: f(dice, machine) -> Case


def insn(dice, machine):
    """Random instructions of the families in which interesting ones are, at EL1 and EL0."""
    families = (
        (0xFFFFFFFF, 0), (0x001FFFFF, 0xD5000000), (0x003FFFFF, 0xD5000000), (0x000FFFFF, 0xD5100000),
        (0x000FFFFF, 0xD5300000), (0x0007FFFF, 0xD5080000), (0x001FFFE3, 0xD4000000), (0xC7FFFFFF, 0x38000000),
        (0xC7FFFFFF, 0x28000000), (0xC0FFFFFF, 0x08000000), (0xC3FFFFFF, 0x38000000), (0x40FFFFFF, 0x0C000000),
        (0x03FFFFFF, 0x14000000), (0xC1FFFFFF, 0x34000000), (0x01FFFFFF, 0xD6000000), (0x6FFFFFFF, 0x10000000),
        (0xEFFFFFFF, 0x0B000000), (0x8000FFFF, 0x52800000), (0xE0FFFFFF, 0x0E000000), (0x20FFFFFF, 0x1E000000),
    )  # fmt: skip
    places = (0, RAM, 0x4010_0000, 0x401F_FFF8, 0x4020_0000, 0x0900_0000, 0x0800_0000, 0x0801_0000, 0x080A_0000,
              0x7000_0000, 1 << 39, 1 << 63)  # fmt: skip
    names = ("TTBR0_EL1", "TTBR1_EL1", "TCR_EL1", "SCTLR_EL1", "MAIR_EL1", "CPACR_EL1", "SP_EL0", "ELR_EL1",
             "SPSR_EL1", "CNTKCTL_EL1", "CONTEXTIDR_EL1", "MDSCR_EL1", "CNTV_CTL_EL0")  # fmt: skip
    code = []
    for _ in range(64):
        mask, fixed = dice.choice(families)
        code.append([dice.getrandbits(32) & mask | fixed])
    sysreg = [("VBAR_EL1", dice.choice((VECTORS, VECTORS, CODE, 0, 0x7000_0000)))]
    sysreg.append(("CPACR_EL1", dice.choice((0, 3 << 20))))
    if dice.random() < 0.3:
        sysreg.append((dice.choice(names), dice.getrandbits(64)))
    x = [(n, dice.choice(places) + dice.choice((0, 0, dice.getrandbits(8)))) for n in range(28)]
    options = {"x": x, "sysreg": sysreg, "pstate": dice.choice((0x3C5, 5, 4, 0, 0x3C0, 0x3C5))}
    return Case([code], ms=5, back=False, trace=dice.random() < 0.3, **options)


def mmio(dice, machine):
    """Every device, at every width and alignment, from several vCPUs at once; stage 1 off, or on with the
    devices as memory, so that unaligned and cached accesses get as far as EL2."""
    cpus = dice.choice((1, 2, 3, 4))
    on = dice.random() < 0.7
    begin = [
        *vectors(),
        *floats(),
        *(mmu(dice.choice((0xFFFF, 0x00FF, 0x44FF, 0x04FF))) if on else []),
    ]

    def action():
        if dice.random() < 0.8:
            at = place(dice, machine["gic"])
            return [
                *load(0, at),
                *load(1, value(dice)),
                *load(2, value(dice)),
                a64.access(dice, 0, 1),
            ]
        if dice.random() < 0.1:  # CNTV_CVAL_EL0, then CNTV_CTL_EL0
            at = dice.choice((MASK, MASK, value(dice)))
            return [*load(0, at), 0xD51BE340, *load(1, dice.choice((1, 3, 0))), 0xD51BE321]
        if dice.random() < 0.8:
            word = (
                dice.choice(REGISTERS) | dice.getrandbits(6) << 5 | dice.getrandbits(1) << 21 | 1
            )
            return [*load(1, value(dice)), word]
        if dice.random() < 0.3:
            return [*load(0, 0xC600_0001), *load(1, value(dice)), a64.hvc()]
        return [dice.choice((a64.WFI, a64.NOP, a64.UNMASK, a64.MASK, a64.YIELD))]

    actions = [[action() for _ in range(40)] for _ in range(cpus)]
    return Case(actions, begin=begin, again=dice.choice((1, 10, 200)), parts=identity(), devices=True, x=[], sysreg=[],
                pstate=0x3C5, ms=25, back=dice.random() < 0.5)  # fmt: skip


def psci(dice, machine):
    """Every PSCI and SMCCC function with any arguments, from several vCPUs at once."""
    cpus = dice.choice((1, 2, 4, 8))

    def action():
        function = dice.choice((0x8400_0000, 0xC400_0000)) + dice.choice(
            (*range(0x16), dice.randrange(0x40))
        )
        if dice.random() < 0.15:
            function = dice.choice(
                (
                    0x8000_0000,
                    0x8000_0001,
                    0x8000_3FFF,
                    0x8600_FF01,
                    0xC600_FF01,
                    dice.getrandbits(32),
                )
            )
        if function & 0xFF in (8, 9) and dice.random() < 0.8:  # the end of the case, seldom
            function = 0x8400_0000
        first = dice.choice(
            (dice.randrange(10), dice.randrange(10), value(dice), 0x8000_0000, function, MASK)
        )
        entry = dice.choice(
            (
                CODE,
                *[CODE + n * ENTRY for n in range(cpus)],
                value(dice),
                RAM + 2,
                dice.getrandbits(64),
            )
        )
        call = (
            a64.hvc(1)
            if dice.random() < 0.01
            else dice.choice((a64.hvc(), a64.hvc(), a64.smc(), a64.smc(5)))
        )
        return [*load(0, function), *load(1, first), *load(2, entry), *load(3, value(dice)), call]

    actions = [[action() for _ in range(30)] for _ in range(cpus)]
    return Case(actions, begin=vectors(), again=dice.choice((1, 20)), x=[], sysreg=[], pstate=0x3C5, ms=25,
                back=dice.random() < 0.5)  # fmt: skip


def virtqueue(dice, machine):
    """Drivers whose rings are anything: loops, nowhere, indirect in indirect, kicked while another vCPU
    writes them."""
    legacy = dice.random() < 0.3
    rings = RAM + 0x10_0000
    slot = dice.randrange(6)
    base = 0x0A00_0000 + slot * 0x200
    places = (
        rings,
        rings + 0x3000,
        rings + 0x8000,
        RAM + SIZE - 8,
        RAM + SIZE,
        0,
        0x0900_0000,
        MASK - 7,
        CODE + 0x1F000,
    )
    lengths = (0, 1, 4, 16, 64, 512, 528, 1024, 4096, 0x1_0000, 0xFFFF_FFFF, 0x8000_0000)
    pages = (4096, 4096, 4096, 16, 1, 0, 3, 0x8000_0000, 0xFFFF_FFFF)

    def descriptor():
        flags = dice.choice((0, 1, 1, 2, 3, 3, 4, 5, 6, dice.getrandbits(16)))
        where = dice.choice(places) if dice.random() < 0.3 else rings + dice.randrange(0x8_0000)
        size = dice.choice(lengths[:9]) if dice.random() < 0.8 else dice.choice(lengths)
        follow = dice.choice((dice.randrange(16), dice.randrange(16), 0xFFFF))
        return (
            (where & MASK).to_bytes(8, "little")
            + size.to_bytes(4, "little")
            + b"".join(n.to_bytes(2, "little") for n in (flags, follow))
        )

    table = b"".join(descriptor() for _ in range(256))
    available = dice.getrandbits(16).to_bytes(2, "little") + dice.choice(
        (1, 4, 16, 17, 0xFFFF)
    ).to_bytes(2, "little")
    available += b"".join(
        dice.choice((n % 16, dice.getrandbits(16))).to_bytes(2, "little") for n in range(20)
    )
    headers = b"".join(
        dice.choice((0, 1, 4, 8, 11, 13)).to_bytes(4, "little")
        + bytes(4)
        + dice.choice((0, 1, 100, 1 << 40)).to_bytes(8, "little")
        for _ in range(64)
    )
    parts = [
        (rings, table),
        (rings + 0x1000, available),
        (rings + 0x8000, headers),
        (rings + 0xC000, table),
    ]
    if legacy:
        parts.append((rings + 16 * 16, available))  # behind the table, of a queue of 16

    def put(offset, number):
        return [*load(0, base + offset), *load(1, number), 0xB9000001]

    def setup():
        queue = dice.randrange(3)
        size = dice.choice((8, 16, 16, 256, 0, 3, 0x8000))
        steps = [
            put(0x70, 0),
            put(0x70, 3),
            put(0x24, 1),
            put(0x20, dice.choice((1, 1, 3, 0))),
            put(0x24, 0),
        ]
        steps += [
            put(0x20, dice.choice((0, 0, 0x1000_0000, 0xFFFF_FFFF))),
            put(0x70, 11),
            put(0x30, queue),
            put(0x38, size),
        ]
        for at, where in ((0x80, rings), (0x90, rings + 0x1000), (0xA0, rings + 0x2000)):
            where = where if dice.random() < 0.9 else dice.choice(places) & MASK
            steps += [put(at, where & 0xFFFF_FFFF), put(at + 4, where >> 32)]
        steps += [put(0x44, 1), put(0x70, 15), put(0x50, queue)]
        if legacy:  # no ready bit: what is written last is where the ring is
            steps = [
                *steps[:5],
                put(0x20, dice.choice((0, 0, 0xFFFF_FFFF))),
                put(0x70, 3),
                put(0x28, dice.choice(pages)),
            ]
            steps += [put(0x30, queue), put(0x38, size), put(0x3C, dice.choice(pages))]
            steps += [
                put(0x40, dice.choice((rings >> 12, rings >> 12, 0, value(dice) & 0xFFFF_FFFF)))
            ]
            steps += [put(0x70, 7), put(0x50, queue)]
        if dice.random() < 0.2:
            steps.pop(dice.randrange(len(steps)))
        return steps

    def driver():
        steps = setup()
        for _ in range(12):
            word = dice.choice((0x50, 0x50, 0x50, 0x64, 0x60, 0x70))
            steps.append([*put(word, dice.randrange(3)), 0xB9400002])
            steps.append([*load(0, rings + 0x1002), *load(1, dice.getrandbits(16)), 0x79000001])
            if dice.random() < 0.1:
                steps += setup()
        return steps

    def scribbler():
        steps = []
        for _ in range(30):
            where = rings + dice.choice(
                (
                    dice.randrange(0x1000),
                    0x1000 + dice.randrange(64),
                    0x8000 + dice.randrange(1024),
                )
            )
            steps.append(
                [
                    *load(0, where),
                    *load(1, dice.choice((value(dice), dice.getrandbits(64)))),
                    a64.access(dice, 0, 1),
                ]
            )
        return steps

    actions = [driver(), *[dice.choice((driver, scribbler))() for _ in range(dice.randrange(3))]]
    begin = [*vectors(), *floats(), *mmu(0x00FF)]
    return Case(actions, begin=begin, again=dice.choice((1, 5, 50)), parts=[*identity(), *parts], devices="legacy" if legacy else True, x=[],
                sysreg=[], pstate=0x3C5, ms=40, back=dice.random() < 0.5)  # fmt: skip


def stage1(dice, machine):
    """Translation tables that say anything, of every granule; what walks them: the guest, AT, Python."""
    tables = RAM + 0x10_0000

    def entry():
        where = dice.choice((tables + 0x1000 * dice.randrange(16), tables + 0x4000 * dice.randrange(4), RAM, CODE, 0,
                             0x0900_0000, 0x0800_0000, 0x7000_0000, dice.getrandbits(48)))  # fmt: skip
        bits = dice.choice((0, 1, 3, 3, 3)) | dice.choice(
            (0x400, 0x400, 0x700, 0x4, 0x7C0, 0, dice.getrandbits(12) & ~3)
        )
        return (
            where & ~0xFFF & (1 << 48) - 1
            | bits
            | dice.choice((0, 0, 0, dice.getrandbits(12) << 52))
        ).to_bytes(8, "little")

    blob = b"".join(entry() for _ in range(1024)) * 4
    near = [dice.getrandbits(dice.choice((20, 31, 39, 48))) for _ in range(12)] + [
        MASK - dice.getrandbits(39),
        CODE,
        RAM,
    ]
    tcr = dice.choice(
        (
            0x2_8000_3519,
            0x2_8000_3519,
            0x5_B519_3519,
            0x2_8000_7519,
            0x2_8000_B519,
            dice.getrandbits(38),
        )
    )
    steps = [[*load(9, dice.getrandbits(64)), 0xD518A209], [*load(9, tcr), 0xD5182049]]
    steps += [[*load(9, tables + dice.choice((0, 0x1000, 0x4000, 8, 0x20))), 0xD5182009]]
    steps += [[*load(9, dice.choice((tables, RAM, 0x7000_0000, 0x0900_0000))), 0xD5182029]]
    steps += [
        [
            *load(9, 0x30D0_0801 | dice.choice((0, 4, 0x1004, 1 << 19, 1 << 25))),
            a64.ISB,
            0xD5181009,
            a64.ISB,
        ]
    ]
    for _ in range(24):
        at = load(0, dice.choice(near) & MASK)
        steps.append(
            [*at, dice.choice((0xD5087800, 0xD5087820, 0xD5087840, 0xD5087860)), 0xD5387401]
        )  # AT; PAR
        steps.append([*at, *load(1, value(dice)), a64.access(dice, 0, 1)])
        steps.append(
            [dice.choice((0xD508871F, 0xD508831F, 0xD5087300 | 0x20, a64.ISB, a64.DSB))]
        )  # TLBI
        if dice.random() < 0.2:
            steps.append(
                [
                    *load(0, tables + dice.randrange(0x8000)),
                    *load(1, dice.getrandbits(64)),
                    0xF9000001,
                ]
            )
    begin = [*vectors(), *floats()]
    return Case([steps, *([steps] if dice.random() < 0.3 else [])], begin=begin, again=dice.choice((1, 3)),
                parts=[(tables, blob)], x=[], sysreg=[], pstate=0x3C5, ms=20, back=dice.random() < 0.3,
                seen=near)  # fmt: skip


def a32(dice, machine):
    """Programs at EL0 in AArch32, A32 and T32, little- and big-endian: coprocessors, devices, IT blocks."""
    thumb, big = dice.random() < 0.5, dice.random() < 0.3
    places = (
        0x0900_0000,
        0x0901_0000,
        0x0800_0000,
        0x0A00_0000,
        0x0B00_0000,
        0x0B00_1000,
        RAM + 0x8_1000,
    )

    def coprocessor():
        condition = 0xE if thumb or dice.random() < 0.7 else dice.randrange(16)
        if dice.random() < 0.5:  # those that are: debug, PMU, thread IDs, barriers, timers
            opc1, number, crn, crm, opc2 = dice.choice(COPROCESSOR)
            word = (
                condition << 28
                | 0x0E000010
                | opc1 << 21
                | crn << 16
                | number << 8
                | dice.choice(opc2) << 5
                | dice.choice(crm)
            )
            return word | dice.getrandbits(1) << 20 | dice.choice((0, 6, 7, 8, 15)) << 12
        if dice.random() < 0.2:  # MRRC, MCRR: PMCCNTR, CNTPCT, CNTVCT, CNTP_CVAL, DBGDRAR, DBGDSAR
            number, opc1, crm = dice.choice(
                ((15, 0, 9), (15, 0, 14), (15, 1, 14), (15, 2, 14), (14, 0, 1), (14, 0, 2))
            )
            return (
                condition << 28
                | 0x0C460000
                | dice.getrandbits(1) << 20
                | 7 << 12
                | number << 8
                | opc1 << 4
                | crm
            )
        form = dice.choice(
            (0x0E000010, 0x0E000010, 0x0E000010, 0x0C400000, 0x0C000000, 0x0E000000)
        )
        number = dice.choice((14, 14, 15, 15, 15, 10, 11, dice.randrange(16)))
        mask = (
            0x00FFF0EF if form == 0x0E000010 else 0x000FF0FF if form == 0x0C400000 else 0x01FFF0FF
        )
        word = condition << 28 | form | number << 8 | dice.getrandbits(28) & mask
        if form == 0x0C400000:
            word |= dice.getrandbits(1) << 20
        if dice.random() < 0.5:  # the counters of time and their like: c9, c13, c14
            word = word & ~0x000F0000 | dice.choice((9, 13, 14, 7, 0)) << 16
        return word

    def transfer():
        register = dice.randrange(6)
        if dice.random() < 0.3:  # LDM, STM, LDRD, LDREX
            kinds = (
                0xE8900000,
                0xE8800000,
                0xE1C000D0,
                0xE1C000F0,
                0xE1900F9F,
                0xE1D000B0,
                0xE1C000B0,
                0xE1D000D0,
            )
            word = dice.choice(kinds) | register << 16
            return word | (dice.getrandbits(6) << 6 & 0xFC0 if word >> 25 == 0x74 else 6 << 12)
        kinds = (0xE5900000, 0xE5800000, 0xE5D00000, 0xE5C00000, 0xE4900004, 0xE5B00004)
        return dice.choice(kinds) | register << 16 | (6 + dice.getrandbits(1)) << 12

    def a32_word():
        chance = dice.random()
        if chance < 0.5:
            return coprocessor()
        if chance < 0.8:
            return transfer()
        hints = (0xE320F003, 0xE320F002, 0xE320F001, 0xE1200070, 0xF1010200, 0xF1010000, 0xE1600070, 0xE1400070,
                 0xF57FF06F, 0xF57FF04F, 0xE10F0000, 0xE129F000)  # fmt: skip
        return dice.choice((*hints, dice.getrandbits(32)))

    def t32_halves():
        chance = dice.random()
        if chance < 0.3:
            word = coprocessor() | (0x10000000 if dice.random() < 0.2 else 0)
            return [word >> 16, word & 0xFFFF]
        if chance < 0.6:  # LDR, STR and the like of 16 bits: Rn 0 to 5, Rt 6, 7
            kinds = (0x6800, 0x6000, 0x7800, 0x7000, 0x8800, 0x8000, 0x5000, 0x5E00)
            return [dice.choice(kinds) | dice.randrange(6) << 3 | dice.choice((6, 7))]
        if chance < 0.75:
            return [0xBF00 | dice.getrandbits(8)]  # IT and hints
        if chance < 0.9:
            words = (
                0xF8D06000,
                0xF8C06000,
                0xF8906000,
                0xE9D06700,
                0xE9C06700,
                0xF3AF8003,
                0xF8536B04,
            )
            word = dice.choice(words) | dice.randrange(6) << 16
            return [word >> 16, word & 0xFFFF]
        return [dice.getrandbits(16)]

    def halves():
        if thumb:
            return t32_halves()
        word = a32_word()
        return [word & 0xFFFF, word >> 16]

    program = [halves() for _ in range(48)]
    program += [
        [0xDF00, 0xE7FE] if thumb else [0, 0xEF00, 0xFFFE, 0xEAFF]
    ]  # SVC, and a branch to itself
    program = [b"".join(half.to_bytes(2, "little") for half in piece) for piece in program]
    spsr = 0x10 | thumb << 5 | big << 9 | dice.choice((0, 0, 0xC0)) | dice.getrandbits(4) << 28
    on = dice.random() < 0.4
    begin = [*vectors(), *floats(), *load(9, dice.choice((0, 0x3FF, 3))), 0xD518E109]  # CNTKCTL
    begin += mmu(0x00FF, 1 << 26 if dice.random() < 0.5 else 0) if on else []
    start = [[*load(9, spsr), 0xD5184009, *load(9, PROGRAM), 0xD5184029]]
    start += [
        load(n, dice.choice(places) + dice.choice((0, 0, 4, dice.randrange(64)))) for n in range(6)
    ]
    start += [[0xD69F03E0]]
    # Behind the instruction, of 2 bytes or 4; an SVC, or the 200th exception, ends it.
    vector = [0xD538520A, 0xD35AFD4B, 0xF100457F, 0x54000041, STOP, 0xF10006F7, 0x54000041, STOP]
    vector += [0xD359654A, 0xD37FF94A, 0x9100094A, 0xD538402B, 0x8B0A016B, 0xD518402B, 0xD69F03E0]
    parts = identity(3 << 6)  # read-only at both
    return Case([start], program, begin=[*begin, *load(23, 200)], vectors=vector, parts=parts, devices=True, x=[], sysreg=[],
                pstate=0x3C5, ms=20, back=False)  # fmt: skip


# DBGBVR, DBGBCR, DBGWVR, DBGWCR<n>; MDSCR; OSLAR, OSLSR, OSDLR, DBGPRCR; the PMU's of CRn 9 and 14.
BVR, BCR, WVR, WCR = 0xD5100080, 0xD51000A0, 0xD51000C0, 0xD51000E0
MDSCR, OSLAR, OSDLR, PRCR = 0xD5100240, 0xD5101080, 0xD5101380, 0xD5101480
PMU_EL0, PMU_EL1, PMU_EVENT = 0xD51B9C00, 0xD5189E00, 0xD51BE800
MDSCRS = (0, 1, 0x8000, 0xA000, 0xA001, 0x2001, 0x8001, 0xA000, 0xFFFF_FFFF)


def debug(dice, machine):
    """Breakpoints, watchpoints, steps, the OS lock and the counters at random, of EL1 and EL0, on several vCPUs; beside
    what the hypervisor has taken."""
    cpus = dice.choice((1, 2, 3))

    def somewhere():
        return dice.choice(
            (CODE, CODE + ENTRY, PROGRAM, VECTORS, VECTORS + 0x200)
        ) + 4 * dice.randrange(64)

    def pair():
        n = dice.randrange(16) if dice.random() < 0.1 else dice.randrange(6)
        which = dice.choice((BVR, BCR, BCR, WVR, WCR, WCR)) | n << 8
        if which & 0x20:
            likely = dice.choice((0x1E0, 0x1FF8, 0x1FE0)) | dice.randrange(8) | 1
            number = likely | (dice.getrandbits(32) if dice.random() < 0.3 else 0)
        else:
            number = somewhere() if dice.random() < 0.9 else dice.getrandbits(64)
        return [*load(1, number), which | 1]

    def other():
        if dice.random() < 0.6:
            return [*load(1, dice.choice(MDSCRS)), MDSCR | 1]
        word = dice.choice((OSLAR, OSLAR, OSDLR, PRCR)) | 1
        return [*load(1, dice.choice((0, 0, 0, 1, MASK))), word]

    def counters():
        base = dice.choice((PMU_EL0, PMU_EL0, PMU_EL1, PMU_EVENT))
        word = base | dice.getrandbits(6 if base == PMU_EL1 else 7 if base == PMU_EL0 else 8) << 5
        return [*load(1, value(dice)), word | 1]

    def read():
        words = [word for made in (pair, other, counters) for word in made()[-1:]]
        return [dice.choice(words) | 1 << 21]

    def leave():  # by an ERET, with SS or without, to EL0 or to EL1
        pstate = dice.choice((0, 0x1C0, 5, 0x3C5, 0x1C5, 4)) | dice.getrandbits(1) << 21
        return [*load(1, somewhere()), 0xD5184021, *load(1, pstate), 0xD5184001, 0xD69F03E0]

    def action():
        made = dice.choice((pair, pair, other, counters, counters, read, None, None))
        if dice.random() < 0.02:
            return leave()
        if made is not None:
            return made()
        if dice.random() < 0.4:
            return [*load(0, somewhere()), a64.access(dice, 0, 1)]
        return [dice.choice((a64.NOP, 0xD50348FF, 0xD50348DF, a64.YIELD, 0xD4200000))]

    taken = []
    for _ in range(dice.choice((0, 0, 1, 3))):
        taken.append(("break", somewhere(), 0x1E1 | dice.choice((2, 4, 6))))
        taken.append(("watch", somewhere() & ~7, 0x1FF9 | dice.choice((2, 4, 6))))
    actions = [[action() for _ in range(40)] for _ in range(cpus)]
    program = [a64.words([0x91000400, 0xD53B9D01, a64.NOP, 0xF9400001, 0xD4000001] * 12)]
    return Case(actions, program, begin=[*vectors(), *load(0, RAM)], again=dice.choice((1, 10)), x=[], sysreg=[],
                pstate=dice.choice((0x3C5, 0x1C5)), ms=25, back=dice.random() < 0.5, taken=taken)  # fmt: skip


KINDS = {kind.__name__: kind for kind in (insn, mmio, psci, virtqueue, stage1, a32, debug)}
