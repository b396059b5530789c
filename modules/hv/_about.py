# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from what it tells.
"""help(thing): what the things of the package hv offer."""

TEXT = {
    "hv": """\
import hv: Elapid from Python: virtual machines, the core's ...
  ABORT -- From a handler: the guest gets a synchronous external ...
  bench() -- Print what exits cost, each the mean of 1,000: in ...
  blob(address, size) -- Memory outside RAM, such as flash, read-only
  block -- Disks for guests: virtio block devices (virtio 1.1, 5.2), ...
  consoles(*vms) -- Print what these guests print, line by line behind their ...
  demo() -- Launch a guest of 14 instructions: it prints, asks Python ...
  events() -- Take all events out of the ring: a list, oldest first
  Exit -- Why a guest stopped, or is stopped now
  explain(esr, far, hpfar, pc, ipa) -- One line on a syndrome
  Fault -- An access that no memory or register answers
  fdt -- Flattened device trees (Devicetree Specification v0.4, ...
  initrd() -- What the machine was started with as its initrd
  loader -- Puts images into guest RAM: ELF, arm64 Image, flat ...
  machine_dt -- The device tree a guest sees: made for the machine a VM ...
  mem() -- The memory that VMs are made of: bytes that are free, ...
  mmu -- EL2's own address space, where Python lives
  net -- Networks of guests: a switch, and the virtio network ...
  PASS -- From a handler: do what would be done without it
  passthrough -- Devices of this machine for a guest alone: what the ...
  platform() -- What the machine is: model, boot_el, cpus, ram_base, ...
  poweroff() -- Switch the machine off, by PSCI SYSTEM_OFF
  read(address, size) -- Load `size` bytes, 1, 2, 4 or 8, at an address of EL2, as ...
  regs -- System registers by name, live, on the core that runs Python
  RETRY -- From a handler: run the instruction again, something has ...
  SERROR -- From a handler: an SError becomes pending for the guest ...
  SKIP -- From a handler: go on behind the instruction, registers ...
  STOP -- From a handler: the same, but first vm.run() returns
  Switch -- Learns from their frames which port has which address
  UNDEFINED -- From a handler: the guest gets an undefined instruction ...
  VCPU -- A virtual CPU
  virtio -- Virtio devices for guests, and what one's own are made from
  VM -- A virtual machine
  write(address, value, size) -- Store `size` bytes, 1, 2, 4 or 8, at an address of EL2, ...""",
    "VM": """\
vm = hv.VM("demo", ram="64M", cpus=1): A virtual machine
  name -- For messages
  cpu -- Its vCPUs
  memory -- RAM by IPA
  el2 -- The EL2 registers it is entered with
  exit -- How it last ended in the background
  console -- The other end of its PL011
  load(source, at, entry, dtb) -- Load an ELF, arm64 Image or flat binary (a path, file or ...
  symbol(name) -- The value of a symbol of the ELF file last loaded
  device_tree(**more) -- The tree (hv.fdt.Tree) that describes this VM
  passthrough(ipa, pa, size, irq) -- Give the guest a device of this machine, at `ipa`: ...
  flash(ipa, bytes) -- NOR flash, erased: a power of two from 512 KB on, bytes ...
  virtio(device, slot) -- Plug in a virtio device (hv.virtio.Device) and return it
  block(source, readonly, cow) -- Plug in a disk: see hv.block.Block for what `source` may be
  net(switch, mac) -- Plug in a network device on a switch (hv.Switch)
  virtio_console(output) -- Plug in a console besides the PL011: hv.virtio.Console
  rng() -- Plug in a source of random numbers
  stage2 -- The guest's IPA space: hv.stage2.Stage2
  linux(kernel, initrd, cmdline, dtb) -- Load an arm64 kernel Image (also gzip'd), an initrd and a ...
  run(timeout_ms) -- Run in the foreground, the guest's console on this one
  reset() -- As after power-on: RAM zero, vCPUs and all native devices ...
  start() -- Run in the background, on every core there is
  pause() -- Stop all of its vCPUs
  running -- Whether it runs in the background
  stop_time -- Whether its virtual counter stands still while it is ...
  irq(intid, cpu) -- Interrupt `intid` of the guest's controller, 0 to 287
  attach(key) -- Connect this console to the guest's, all keys but `key` ...
  close() -- End it and give its memory back
  hvc(function, handler, imm) -- Answer HVC with this SMCCC function id in w0, or of this ...
  smc(function, handler) -- As `hvc`, for SMC
  sysreg(name, handler) -- Answer a trapped MRS or MSR: f(cpu, value), value None ...
  mmio(ipa, size, handler) -- A device at [ipa, ipa + size): f(cpu, offset, value), ...
  exception(ec, handler) -- What nothing else answers of exception class `ec` ...
  default(handler) -- What nothing else answers at all: f(cpu, esr)
  wfi(handler) -- Called at each WFI, f(cpu): hv.PASS waits for an ...
  wfe(handler) -- Called at each WFE that traps: HCR_EL2.TWE is set with ...
  trap_el1_exceptions(classes, handler) -- Be asked first about exceptions that the guest takes to ...
  rule(kind, key, action, value, match, pc, nth, every, promote) -- Have C do something at an exit, without Python""",
    "VCPU": """\
cpu = vm.cpu[0]: A virtual CPU
  id -- Its number in the VM
  vm -- The hv.VM it belongs to
  pc -- Where it goes on: ELR_EL2
  sp -- The stack pointer that PSTATE.SP chooses: SP_EL1 or SP_EL0
  pstate -- SPSR_EL2 (C5.2.18): flags, masks, exception level
  x -- x[0] to x[30], 64 bits
  q -- q[0] to q[31], 128 bits
  fpcr -- FPCR, 32 bits
  fpsr -- FPSR, 32 bits
  sysreg -- EL1's system registers by name or encoding, and what the ...
  exit -- Its last exit, always the newest
  pin -- The core it must run on
  exits -- How many exits there were, {exception class: count}, ...
  sp_el2 -- EL2's stack pointer at its last exit
  reset(pc, x0) -- Every register as after a reset: EL1h, interrupts masked, ...
  translate(va, write, el0) -- The IPA and the machine's address of a guest's address, ...
  inject(what, where) -- Give the guest an exception when it next runs: ...
  dump() -- Print everything it has, decoded""",
    "Exit": """\
exit = vm.run(), cpu.exit: Why a guest stopped, or is stopped now
  reason -- "hvc", "smc", "sysreg", "mmio", "fetch", "wfx", ...
  esr -- ESR_EL2: the syndrome (D13.2.37)
  ipa -- The guest physical address of an abort
  va -- FAR_EL2: the guest's own address of an abort
  far -- The same as va
  hpfar -- HPFAR_EL2 as it was read (D13.2.57)
  pc -- Where the instruction is
  value -- What is stored, or written to a register
  size -- The width of a load or store in bytes
  write -- Whether it is a store, or an MSR
  cpu -- The vCPU it is of""",
    "Memory": """\
vm.memory: A VM's RAM by IPA: memory[ipa], memory[ipa:end] as bytes
  base -- The IPA of its first byte
  size -- Its size in bytes
  find(what, start, end) -- The IPA where these bytes are first, or -1
  view(ipa, size) -- The memory itself
  clean(ipa, size) -- Clean and invalidate the data cache to the point of ...""",
    "Stage2": """\
vm.stage2: What a guest's addresses (IPA) mean on this machine
  map(ipa, pa, size, perms, type, unsafe) -- Let the guest reach [pa, pa + size) of this machine at `ipa`
  unmap(ipa, size) -- Take it away: an access is an exit, or a device's
  protect(ipa, size, perms) -- Change the rights of what is mapped there: letters of ...
  walk(ipa) -- The entry for an IPA as (level, entry), or None
  translate(ipa) -- The physical address behind an IPA
  dump() -- Print what is mapped""",
    "EL2Registers": """\
vm.el2: A VM's own HCR_EL2, CPTR_EL2, MDCR_EL2, CNTHCTL_EL2, ...
  set(register, value, unsafe) -- Set one""",
    "Console": """\
vm.console: The other end of a guest's PL011, a stream
  any() -- How many bytes can be read now
  read(size) -- What the guest has printed
  readinto(buf, size) -- The same into a buffer
  readline(size) -- The same up to the end of a line
  write(buf, size) -- Type bytes at the guest""",
    "Rule": """\
rule = vm.rule(...): What vm.rule() has set up
  hits -- How many exits it has matched
  value -- The number that "const" answers and "shadow" keeps
  remove() -- End it""",
    "IRQ": """\
irq = vm.irq(intid): An interrupt of a guest
  intid -- Its number: 0 to 15 an SGI, to 31 a PPI, from 32 on a ...
  enabled -- The guest wants it (GICD_ISENABLER)
  pending -- It has come, and the guest has not taken it yet
  active -- The guest has taken it, and not ended it yet
  level -- Its line is high
  edge -- It is edge-triggered, as the guest has said (GICD_ICFGR)
  hw -- The physical interrupt behind it is active
  priority -- Its priority, 0 the highest (GICD_IPRIORITYR)
  cpu -- The vCPU that gets it
  hits -- How often it rose since it is watched
  set(level) -- The level of its line
  pulse() -- An edge, of a device's interrupt (32 and up)
  watch(handler, drop) -- Count it (hits)
  unwatch() -- End what watch() began
  forward(physical) -- The machine's SPI of this INTID becomes this one""",
    "Register": """\
from hv.regs import HCR_EL2: A system register: prints as its fields, which are ...
  name -- Its name
  enc -- Its encoding, op0<<14 | op1<<11 | CRn<<7 | CRm<<3 | op2
  access -- "RW", "RO", "WO", "SYS" for an instruction such as ...
  fields -- {name: (high bit, low bit)}, by the names of the ARM ARM
  read() -- Its value, 64 bits
  write(value, unsafe) -- Write it, with the barriers that needs
  decode(value) -- The fields of a value, or of its own, that are not zero""",
    "hv.mmu": """\
import hv.mmu: EL2's own address space, where Python lives
  map(va, pa, size, type, unsafe) -- Make [pa, pa + size) appear at `va`, where nothing may be ...
  unmap(va, size, unsafe) -- Take it away: what is touched there raises, or is the end
  protect(va, size, type, unsafe) -- Change the type of what is mapped there
  translate(va, write) -- The physical address, asked of the MMU itself (AT S1E2R ...
  walk(va) -- The entry for an address as (level, entry), or None
  dump() -- Print what is mapped, and which parts are the image's""",
    "hv.virtio": """\
from hv.virtio import Device: Virtio devices for guests, and what one's own are made from
  Device -- id: the device type
  Rng -- Random numbers (virtio 1.1, 5.4)
  Console -- A console (virtio 1.1, 5.3): Linux's /dev/hvc0""",
}


def tell(thing):
    """Print what is known of a module, a class or an instance. False: nothing."""
    text = TEXT.get(getattr(thing, "__name__", type(thing).__name__))
    if text:
        print(text)
    return bool(text)
