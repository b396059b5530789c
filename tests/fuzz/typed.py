# SPDX-License-Identifier: MIT
"""Lines typed at the prompt: statements made of the API's names and unlikely values, and mere keys.

Left out is what is said to stop the machine or to change it under itself: poweroff, reset, writes to
memory by address, hv.mmu, and `unsafe`.
"""

import gen_registers

VALUES = """
snap rec bp w tr fz late lan disk 'deep' 'again' native viper 0x40080008 '0x40080000' ('x0','x1') ('pc',) 'wrong.bin' 'snap.bin' 'rec.txt'
0 1 -1 2 7 32 255 4096 0x4000_0000 0x4008_0000 0x0900_0000 0x0a00_0000 1<<31 1<<32 1<<40 1<<63 1<<64 -1<<63 10**40
None True '' 'x' 'x'*5000 b'' b'abc' bytes(4096) bytearray(100) 1.5 float('nan') float('inf') -0.0 1j
() (1,2) [] [1]*100 {} {'a':1} set() object() range(10) ... lambda:0 lambda*a:1 lambda*a:1/0 print hv vm cpu irq int str
vm.memory vm.cpu vm.console hv.STOP hv.PASS hv.VM vm.run '64M' '1K' '-1' '0' 'rw' 'rwx' 'HCR_EL2' 'ACTLR_EL1' 'const'
range(1<<60) iter(range(1<<60)) 7**30000 1<<100000 deep pair wide itself 'a'*40 '(a|a)*b' '('*4000 '['*9999 '%999999999d' 1e300 'count' 'log' 'shadow' 'deny' 'mmio' 'hvc' 'all' 'irq' 'abort' memoryview(b'abc') vm.memory.view(0x40000000,64) iter([1])
""".split()

CALLS = """
vm.load vm.run vm.start vm.pause vm.reset vm.irq vm.hvc vm.smc vm.sysreg vm.mmio vm.exception vm.default vm.wfi vm.rule
vm.block vm.net vm.rng vm.virtio vm.virtio_console vm.flash vm.symbol vm.device_tree vm.linux vm.trap_el1_exceptions
vm.memory.find vm.memory.view vm.memory.clean vm.stage2.map vm.stage2.unmap vm.stage2.protect vm.stage2.walk
vm.stage2.translate vm.console.read vm.console.write vm.console.readline vm.console.readinto cpu.reset cpu.translate cpu.inject
cpu.dump irq.set irq.pulse irq.watch irq.unwatch hv.VM hv.explain hv.read hv.events hv.mem hv.fdt.parse hv.Switch
hv.net.Switch hv.block.Block hv.block.store hv.loader.identify hv.platform hv.virtio.Device hv.initrd repr str len iter next
list tuple sorted hash int float bytes bytearray memoryview dict set sum min max abs divmod pow round chr ord hex bin dir
help type isinstance getattr setattr hasattr id zip map filter enumerate reversed eval compile open
json.dumps json.loads time.sleep time.sleep_ms machine.lightsleep machine.time_pulse_us machine.idle sys.stdin.read struct.pack struct.unpack struct.calcsize re.compile re.match re.search re.sub binascii.hexlify binascii.crc32
hashlib.sha256 deflate.DeflateIO array.array heapq.heapify uctypes.bytes_at uctypes.sizeof framebuf.FrameBuffer cryptolib.aes any all collections.deque collections.OrderedDict collections.namedtuple heapq.heappush
io.BytesIO io.StringIO random.randrange random.randint random.uniform random.seed random.getrandbits random.choice math.sqrt math.factorial cmath.exp
time.sleep_us time.localtime time.mktime machine.Timer machine.Signal machine.UART machine.RTC machine.Disk
os.listdir os.stat os.mkdir os.remove os.rename os.chdir vfs.VfsFat vfs.VfsRom vfs.mount vfs.umount select.poll
micropython.schedule micropython.const micropython.opt_level micropython.stack_use micropython.mem_info gc.threshold
vm.on vm.until vm.watch vm.trace vm.count vm.why vm.explain vm.core vm.capsule vm.on_crash vm.fuzz vm.goes_back vm.snapshot
vm.back vm.history one.record one.replay one.run one.back one.close one.virtio one.block vm.inject.irq vm.inject.load vm.inject.disk vm.inject.clock vm.symbols.add vm.address
vm.breaks vm.watches vm.faults vm.wfe vm.passthrough cpu.step cpu.next cpu.finish cpu.where cpu.read cpu.write
cpu.string hv.share hv.load hv.serial hv.consoles hv.gdb hv.capsule.OnCrash hv.pcap.Capture hv.blob snap.fork snap.save
snap.drop rec.to rec.back rec.replay rec.check rec.save rec.stop rec.drop bp.on bp.off bp.remove w.on w.off w.remove tr.stop
tr.save fz.run fz.add fz.words fz.export fz.load fz.replay fz.close late.remove lan.tap lan.pcap lan.forward lan.join lan.leave
hv.replay.record hv.snapshot.take hv.fork.fork vm.console.printed machine.Serial machine.NIC native viper vm.symbols.tables
hv.regs.SCTLR_EL2.write hv.regs.HCR_EL2.write hv.regs.HCR_EL2.decode hv.regs.MIDR_EL1.read hv.passthrough.find
""".split()

PLACES = """
vm.cpu[0].x[{}] vm.cpu[0].sysreg[{}] vm.memory[{}] vm.memory[{}:{}] vm.el2[{}] cpu.q[{}] cpu.pc cpu.sp cpu.pstate
vm.stop_time cpu.pin cpu.fpcr vm.console vm.name cpu.x
""".split()

FORMS = (
    "hv.regs.{register}.write({})",
    "hv.regs.{register}",
    "hv.regs.{register}.read()",
    "cpu.sysreg['{register}']={}",
    "vm.el2['{register}']={}",
    "{}**{}",
    "{}//{}",
    "{}<<{}",
    "{}%{}",
    "repr({})[:9]",
    "json.dumps({})[:9]",
    "sorted([{},{},{}],key=lambda x:{})",
    "{}=={}",
    "for x in {}: y={}",
    "hash(({},{}))",
    "random.choice({})",
    "'{{}}'.format({})",
    "machine.Timer(-1,period={},callback={}).deinit()",
    "machine.UART(0).read({})",
    "select.poll().poll({})",
    "os.urandom({})[:4]",
    "framebuf.FrameBuffer(bytearray(99),9,9,5).line({},{},{},{},{})",
    "a=[];a.append(a);{}==a",
    "(lambda f:f(f))(lambda f:f(f))",
    "'%s'%({},)",
    "[*range({})][:5]",
    "{}+{}",
    "{}*{}",
    "{}<{}",
    "{} in {}",
    "{}[{}]",
    "{}[{}:{}]",
    "str({})[:200]",
    "hash({})",
    "hv.VM('v',ram={},cpus={})",
    "with hv.VM('w',ram='1M') as w: w.run({})",
    "for i in range(3): vm.run({})",
    "class C:\n def __call__(s,*a): return {}\n\nvm.hvc(imm=9,handler=C())\n",
    "def f(*a): return {}\n\nvm.mmio(0xb000000,4,f)\n",
    "vm.cpu[0].pc=0x40080000;vm.run({})",
    "import gc;gc.collect()",
    "x=bytearray({})",
    "'x'*({})",
    "vm.close()",
    "vm.back();vm.run({})",
    "snap=vm.snapshot();vm.run({});vm.back(snap)",
    "vm.start();snap=vm.snapshot();vm.back({})",
    "f=snap.fork();f.run({});f.close()",
    "rec=one.record();one.run({});rec.to({})",
    "hv.share({});vm.start();cpu.now",
    "vm.hvc(imm=9,handler=lambda *a:{})",
    "vm.hvc(imm=9,handler=lambda cpu:vm.back({}))",
    "vm.hvc(imm=9,handler=lambda cpu:vm.close())",
    "vm.hvc(imm=9,handler=native)",
    "vm.hvc(imm=9,handler=viper)",
    "bp=vm.on({},f={});vm.run({})",
    "w=vm.watch({},{},'rw',{});vm.run({})",
    "w=vm.watch(ipa={},size={},f={});vm.run({})",
    "tr=vm.trace({});vm.run({});list(tr)[:2]",
    "tr=vm.count({},{});vm.run(9);tr.counts()",
    "fz=vm.fuzz({},{},{});fz.run({})",
    "fz=vm.fuzz(0x40080000,('x0','x1'),(0x40080010,),oracle=lambda *a:{});fz.run({})",
    "vm.goes_back(type('D',(),dict(save=lambda s:{},load=lambda s,x:{}))());vm.back(vm.snapshot())",
    "late=vm.inject.{}({});vm.run({})",
    "vm.history({},{});vm.run({});vm.back(ms={})",
    "rec.{}({})",
    "snap.{}({})",
)

# The guest asks for everything: a call, a device, a register.
BEGIN = """
import framebuf, cryptolib, uctypes, sys
import hv, json, struct, re, binascii, hashlib, deflate, array, collections, heapq, io, random, math, cmath, time, machine
import os, vfs, select, micropython, gc, hv.regs, hv.fdt, hv.block, hv.net, hv.loader, hv.virtio, hv.passthrough
from hv.regs import HCR_EL2, SCTLR_EL2, MIDR_EL1
vm = hv.VM("typed", ram="2M", cpus=2)
vm.memory[0x4008_0000:0x4008_0018] = bytes.fromhex("21 01 00 d4 20 10 38 d5 03 01 40 39 1f 20 03 d5 21 01 00 d4 fb ff ff 17")
vm.cpu[0].reset(0x4008_0000)
vm.cpu[0].x[8] = 0x0b00_0000
one = hv.VM("one", ram="2M")
one.memory[0x4008_0000:0x4008_0018] = vm.memory[0x4008_0000:0x4008_0018]
one.cpu[0].reset(0x4008_0000)
one.cpu[0].x[8] = 0x0b00_0000
cpu, irq, lan = vm.cpu[0], vm.irq(40), hv.Switch()
disk, net = one.block(65536), one.net(lan)
snap = one.snapshot()
one.run(1)
snap.save("snap.bin")
rec = one.record()
one.run(1)
rec.save("rec.txt")
tr = one.trace("exit")
bp, w, late = vm.on(0x4008_0008, action="count"), vm.watch(0x4010_0000, 5000), vm.inject.irq(33, drop=0.1)
fz = None
@micropython.native
def native(*a): return a[0]
@micropython.viper
def viper(cpu, x: int) -> int: return x
deep, pair, wide, itself = [], (), [1], []
itself.append(itself)
for n in range(5000): deep, pair = [deep], (pair, n)
for n in range(60): wide = [wide, wide]
"""

KEYS = (b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x1b[H", b"\x1b[F", b"\x1b[3~", b"\x1b", b"\t", b"\t\t", b"\x7f",
        b"\x08", b"\x0b", b"\x15", b"\x17", b"\x02", b"\x06", b"\x10", b"\x0e", b"\xe6", b"\x00", b"\xff",
        b"import ", b"vm.", b"hv.", b"(", b"'", b"\\", b"\"\"\"", b"\r")  # fmt: skip

REGISTERS = sorted(row.name for row in gen_registers.rows())


def value(dice):
    return dice.choice(VALUES)


def line(dice):
    chance = dice.random()
    if chance < 0.6:
        arguments = [value(dice) for _ in range(dice.choice((0, 1, 1, 2, 2, 3, 4)))]
        return f"{dice.choice(CALLS)}({','.join(arguments)})"
    if chance < 0.8:
        place = dice.choice(PLACES)
        while "{}" in place:
            place = place.replace("{}", value(dice), 1)
        return dice.choice(
            (f"{place}={value(dice)}", place, f"{place}=vm.cpu[0].x[3]", f"del {place}")
        )
    form = dice.choice(FORMS).replace("{register}", dice.choice(REGISTERS))
    if "{{}}" in form:
        return form.replace("{{}}", "{:999999999}").replace("({})", f"({value(dice)})")
    while "{}" in form:
        form = form.replace("{}", value(dice), 1)
    return form


def keys(dice):
    return b"".join(
        dice.choice((dice.choice(KEYS), bytes([dice.randrange(32, 127)])))
        for _ in range(dice.randrange(40))
    )


def lines(dice):
    """What is typed in a case, as bytes: each is followed by a look at the prompt."""
    typed = []
    for _ in range(12):
        chance = dice.random()
        if chance < 0.85:
            typed.append(line(dice).encode().replace(b"\n", b"\r") + b"\r")
        elif chance < 0.95:
            typed.append(keys(dice) + b"\r")
        else:
            typed.append(line(dice).encode() * dice.choice((20, 200)) + b"\r")
    return typed
