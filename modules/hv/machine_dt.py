# SPDX-License-Identifier: MIT
"""The device tree a guest sees: made for the machine a VM offers, or the user's own, fitted to it.

The machine is QEMU's "virt" as far as a guest can tell, so that what runs there runs here. Plain
numbers in, an `fdt.Tree` out; nothing here knows the VM.
"""

from .fdt import Node, Tree, u64

RAM_BASE = 0x4000_0000
GICD, GICC, GICR = 0x0800_0000, 0x0801_0000, 0x080A_0000
GIC_FRAME = 0x1_0000  # GICD, GICC
GICR_FRAMES = 0x2_0000  # per CPU: RD_base and SGI_base
UART, UART_SPI = 0x0900_0000, 1
RTC, RTC_SPI = 0x0901_0000, 2
VIRTIO, VIRTIO_STRIDE, VIRTIO_SPI, VIRTIO_SLOTS = 0x0A00_0000, 0x200, 16, 32

TIMER_PPIS = (13, 14, 11, 10)  # secure physical, physical, virtual, hypervisor
PMU_PPI = 7

# Interrupt specifiers of the GIC binding: kind, number, trigger.
_SPI, _PPI = 0, 1
_EDGE, _HIGH, _LOW = 1, 4, 8

_CLOCK_PHANDLE, _GIC_PHANDLE = 1, 2

_GICV2 = ("arm,cortex-a15-gic", "arm,gic-400", "arm,cortex-a7-gic", "arm,cortex-a9-gic")
_PSCI = ["arm,psci-1.0", "arm,psci-0.2"]

# What QEMU's own tree describes and the VM does not have. A probe of one of these would abort.
ABSENT = (
    "arm,gic-v2m-frame",
    "arm,gic-v3-its",
    "arm,pl061",
    "arm,smmu-v3",
    "cfi-flash",
    "gpio-keys",
    "gpio-poweroff",
    "gpio-restart",
    "pci-host-ecam-generic",
    "qemu,fw-cfg-mmio",
    "qemu,platform",
)


def virt(
    ram,
    cpus=1,
    gic=2,
    *,
    cpu="arm,cortex-a53",
    uart=True,
    rtc=True,
    virtio=(),
    flash=(),
    pmu=False,
    nodes=(),
    reserved=(),
    model="linux,dummy-virt",
    **chosen,
):
    """The tree of a virt-compatible machine.

    ram      bytes from 0x4000_0000, or [(address, size)]
    cpus     how many, or the list of their MPIDR affinity values
    gic      2 or 3
    virtio   the virtio-mmio slots in use, 0..31
    flash    [(address, size)] of CFI flash banks
    nodes    more nodes for the root: fdt.Node, or (name, properties)
    reserved memory reservations, [(address, size)]
    chosen   bootargs=, initrd=(start, end), rng_seed=bytes, kaslr_seed=int
    """
    mpidrs = _affinities(cpus, gic)
    root = Node("", (("interrupt-parent", _GIC_PHANDLE), ("model", model)))
    root.update((("#size-cells", 2), ("#address-cells", 2), ("compatible", "linux,dummy-virt")))
    root.add("chosen")
    root.add("aliases")
    for address, size in _ranges(ram):
        root.add(_memory(address, [u64(address, size)]))
    root.add(_cpus(mpidrs, cpu))
    root.add("psci", (("compatible", _PSCI), ("method", "hvc")))
    root.add(_gic(gic, len(mpidrs)))
    root.add(_timer(gic, len(mpidrs)))
    if pmu:
        ppi = [_PPI, PMU_PPI, _HIGH | _cpu_mask(gic, len(mpidrs))]
        root.add("pmu", (("compatible", "arm,armv8-pmuv3"), ("interrupts", ppi)))
    if uart or rtc:
        root.add(_clock())
    if uart:
        node = root.add(_primecell("pl011", UART, UART_SPI, ("uartclk", "apb_pclk")))
        root.child("aliases")["serial0"] = "/" + node.name
        root.child("chosen")["stdout-path"] = "/" + node.name
    if rtc:
        root.add(_primecell("pl031", RTC, RTC_SPI, ("apb_pclk",)))
    for slot in virtio:
        root.add(_virtio(slot))
    if flash:
        root.add(_flash(flash))
    for node in nodes:
        root.add(node) if isinstance(node, Node) else root.add(*node)
    tree = Tree(root, reserved)
    choose(tree, **chosen)
    return tree


def choose(tree, bootargs=None, initrd=None, rng_seed=None, kaslr_seed=None):
    """Set what is given in /chosen; stale seeds and initrd addresses go in any case."""
    chosen = tree.node("/chosen")
    chosen.discard("linux,initrd-start", "linux,initrd-end", "rng-seed", "kaslr-seed")
    if bootargs is not None:
        chosen["bootargs"] = bootargs
    if initrd is not None:
        chosen["linux,initrd-start"] = u64(initrd[0])
        chosen["linux,initrd-end"] = u64(initrd[1])
    if rng_seed is not None:
        chosen["rng-seed"] = rng_seed
    if kaslr_seed is not None:
        chosen["kaslr-seed"] = u64(kaslr_seed)


def _affinities(cpus, gic):
    """MPIDR affinity values, 16 CPUs to a cluster: as many as an SGI reaches. GICv2 ends at 8."""
    if gic not in (2, 3):
        raise ValueError(f"a GICv{gic}; 2 and 3 exist")
    if isinstance(cpus, int):
        cpus = [cpu % 16 | cpu // 16 << 8 for cpu in range(cpus)]
    if not cpus or (gic == 2 and len(cpus) > 8):
        raise ValueError(f"{len(cpus)} CPUs; 1 to 8 with a GICv2, 1 or more with a GICv3")
    return list(cpus)


def _ranges(ram):
    return [(RAM_BASE, ram)] if isinstance(ram, int) else list(ram)


def _memory(address, reg):
    return Node(f"memory@{address:x}", (("device_type", "memory"), ("reg", reg)))


def _cpus(mpidrs, compatible):
    wide = 2 if max(mpidrs) >> 32 else 1
    cpus = Node("cpus", (("#address-cells", wide), ("#size-cells", 0)))
    for mpidr in mpidrs:
        cpu = cpus.add(f"cpu@{mpidr:x}", (("device_type", "cpu"), ("compatible", compatible)))
        cpu.update((("reg", _cells(mpidr, wide)), ("enable-method", "psci")))
    return cpus


def _cells(value, count):
    """A number as so many cells."""
    return [value >> 32 * cell & 0xFFFF_FFFF for cell in range(count - 1, -1, -1)]


def _gic(version, ncpus):
    node = Node(f"intc@{GICD:x}", (("phandle", _GIC_PHANDLE), ("#interrupt-cells", 3)))
    node.update((("interrupt-controller", None), ("#address-cells", 2), ("#size-cells", 2)))
    node["ranges"] = None
    if version == 2:
        node["compatible"] = "arm,cortex-a15-gic"
        node["reg"] = u64(GICD, GIC_FRAME, GICC, GIC_FRAME)
    else:
        node["compatible"] = "arm,gic-v3"
        node["#redistributor-regions"] = 1
        node["reg"] = u64(GICD, GIC_FRAME, GICR, ncpus * GICR_FRAMES)
    return node


def _cpu_mask(gic, ncpus):
    """Bits 15:8 of a PPI's flags: the CPUs it goes to. Only the GICv2 binding has them."""
    return ((1 << ncpus) - 1) << 8 if gic == 2 else 0


def _timer(gic, ncpus):
    interrupts = []
    for ppi in TIMER_PPIS:
        interrupts += [_PPI, ppi, _LOW | _cpu_mask(gic, ncpus)]
    node = Node("timer", (("compatible", ["arm,armv8-timer", "arm,armv7-timer"]),))
    node.update((("interrupts", interrupts), ("always-on", None)))
    return node


def _clock():
    node = Node("apb-pclk", (("compatible", "fixed-clock"), ("#clock-cells", 0)))
    node.update((("clock-frequency", 24_000_000), ("clock-output-names", "clk24mhz")))
    node["phandle"] = _CLOCK_PHANDLE
    return node


def _primecell(name, address, spi, clocks):
    node = Node(f"{name}@{address:x}", (("compatible", [f"arm,{name}", "arm,primecell"]),))
    node.update((("reg", u64(address, 0x1000)), ("interrupts", [_SPI, spi, _HIGH])))
    node.update((("clocks", [_CLOCK_PHANDLE] * len(clocks)), ("clock-names", clocks)))
    return node


def _virtio(slot):
    if not 0 <= slot < VIRTIO_SLOTS:
        raise ValueError(f"virtio slot {slot}; there are 0 to {VIRTIO_SLOTS - 1}")
    address = VIRTIO + slot * VIRTIO_STRIDE
    node = Node(f"virtio_mmio@{address:x}", (("compatible", "virtio,mmio"),))
    node.update(
        (("reg", u64(address, VIRTIO_STRIDE)), ("interrupts", [_SPI, VIRTIO_SPI + slot, _EDGE]))
    )
    node["dma-coherent"] = None
    return node


def _flash(banks):
    node = Node(f"flash@{banks[0][0]:x}", (("compatible", "cfi-flash"), ("bank-width", 4)))
    node["reg"] = [u64(*bank) for bank in banks]
    return node


def adapt(tree, ram, cpus=1, gic=2, *, virtio=None, drop=ABSENT, **chosen):
    """Fit a user's tree, in place, to a VM: arguments as for `virt`; returns the tree.

    Memory, CPUs, PSCI, /chosen and, if given, the virtio slots become the VM's. The GIC keeps only
    the frames a guest has; its ITS and MSI frames go, as do other nodes compatible with one of
    `drop` and reservations outside RAM.
    """
    ram = _ranges(ram)
    try:
        _drop_nodes(tree, drop)
        _fit_memory(tree.root, ram)
        _fit_reserved(tree, ram)
        _fit_cpus(tree, _affinities(cpus, gic))
        _fit_psci(tree)
        phandle = _fit_gic(tree, gic)
        if virtio is not None:
            _fit_virtio(tree, virtio, phandle)
        _fit_chosen(tree)
    except KeyError as error:
        raise ValueError(f"the device tree cannot be fitted: {error.args[0]}") from None
    choose(tree, **chosen)
    return tree


def _drop_nodes(tree, drop):
    for path, _ in tree.compatible(*drop):
        if path in tree:  # not gone with its parent
            tree.remove(path)
    for _, node in tree.walk():
        node.discard("msi-parent", "msi-map", "iommus", "iommu-map")


def _fit_memory(root, ram):
    address_cells = root.u32("#address-cells", 2)
    size_cells = root.u32("#size-cells", 1)
    if not 1 <= address_cells <= 4 or not 1 <= size_cells <= 4:
        raise ValueError(f"/: #address-cells {address_cells} and #size-cells {size_cells}")
    root.children = [node for node in root.children if not _is_memory(node)]
    for address, size in ram:
        if size >> 32 * size_cells or address >> 32 * address_cells:
            raise ValueError(
                f"/: its #address-cells or #size-cells cannot say {size:#x} bytes at {address:#x}"
            )
        root.add(_memory(address, _cells(address, address_cells) + _cells(size, size_cells)))


def _is_memory(node):
    return node.get("device_type") == b"memory\0" or node.name.split("@")[0] == "memory"


def _fit_reserved(tree, ram):
    tree.reserved = [
        (address, size) for address, size in tree.reserved if _inside(ram, address, size)
    ]
    for node in (
        tree.root.child("reserved-memory").children[:] if "/reserved-memory" in tree else ()
    ):
        path = "/reserved-memory/" + node.name
        if "reg" in node and not all([_inside(ram, *pair) for pair in tree.reg(path)]):
            tree.remove(path)


def _inside(ram, address, size):
    return any([base <= address and address + size <= base + length for base, length in ram])


def _fit_cpus(tree, mpidrs):
    old = tree.get("/cpus")
    have = (
        [] if old is None else [node for node in old.children if node.name.split("@")[0] == "cpu"]
    )
    model = have[0].get("compatible", b"arm,armv8\0") if have else b"arm,armv8\0"
    cpus = _cpus(mpidrs, model)
    for new, node in zip(cpus.children, have):
        if node.phandle is not None:
            new["phandle"] = node.phandle
    if old is None:
        tree.root.add(cpus)
    else:
        tree.root.children[tree.root.children.index(old)] = cpus
    for _, node in tree.walk():
        node.discard("interrupt-affinity", "cpu-idle-states")


def _fit_psci(tree):
    for path, _ in tree.compatible("arm,psci", "arm,psci-0.2", "arm,psci-1.0", "arm,psci-1.1"):
        tree.remove(path)
    tree.node("/psci", (("compatible", _PSCI), ("method", "hvc")))


def _fit_gic(tree, version):
    """Returns the GIC's phandle."""
    found = tree.compatible(*_GICV2) or tree.compatible("arm,gic-v3")
    if not found:
        raise ValueError("the device tree has no GIC that can be offered to a guest")
    path, node = found[0]
    if node.is_compatible("arm,gic-v3") != (version == 3):
        raise ValueError(f"{path}: the device tree has another GIC than the VM's GICv{version}")
    frames = tree.reg(path)
    if tree.parent(path) is tree.root and frames[0][0] != GICD:
        raise ValueError(
            f"{path}: the VM's GIC distributor is at {GICD:#x}, not {frames[0][0]:#x}"
        )
    keep = 2 if version == 2 else 1 + node.u32("#redistributor-regions", 1)
    node["reg"] = node["reg"][: len(node["reg"]) // len(frames) * keep]
    node.discard("interrupts", "#msi-cells", "msi-controller", "mbi-ranges")
    if node.phandle is None:
        node["phandle"] = tree.new_phandle()
    return node.phandle


def _fit_virtio(tree, slots, gic_phandle):
    for path, _ in tree.compatible("virtio,mmio"):
        tree.remove(path)
    for slot in slots:
        tree.root.add(_virtio(slot))["interrupt-parent"] = gic_phandle


def _fit_chosen(tree):
    """Drop the aliases and the console path that point nowhere (any more)."""
    aliases = tree.node("/aliases")
    for name in list(aliases.props):
        if tree.get(name) is None:
            del aliases[name]
    chosen = tree.node("/chosen")
    if "stdout-path" not in chosen or chosen.string("stdout-path") not in tree:
        chosen.discard("stdout-path")
        uarts = tree.compatible("arm,pl011")
        if uarts:
            chosen["stdout-path"] = uarts[0][0]
