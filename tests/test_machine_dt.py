# SPDX-License-Identifier: MIT
"""hv.machine_dt on the host: the tree of the machine a VM is, and users' trees fitted to one."""

import hostpkg
import pytest
from hostkit import Dice, mutate
from machine_tree import machine_tree

fdt = hostpkg.load("fdt")
machine_dt = hostpkg.load("machine_dt")

MB = 1 << 20


def dtc(*arguments, source=b""):
    import subprocess

    return subprocess.run(["dtc"] + list(arguments), input=source, capture_output=True, check=True)


def qemu_tree(tmp_path, machine, cpus=4):
    path = machine_tree(tmp_path, machine, "-smp", str(cpus), "-m", "512")
    return fdt.parse(path.read_bytes())


def test_everything_at_once_is_what_dtc_calls_clean():
    tree = machine_dt.virt(
        64 * MB,
        cpus=4,
        gic=3,
        virtio=range(32),
        flash=[(0, 64 * MB)],
        pmu=True,
        bootargs="console=ttyAMA0",
        initrd=(0x4200_0000, 0x4210_0000),
        rng_seed=bytes(range(32)),
        kaslr_seed=0xFEDC_BA98_7654_3210,
        reserved=[(0x4000_0000, 0x1000)],
        nodes=[("timer@b000000", (("reg", fdt.u64(0xB00_0000, 0x1000)),)), fdt.Node("plain")],
    )
    quiet = "-Wno-interrupt_provider", "-Wno-simple_bus_reg"
    assert dtc("-I", "dtb", "-O", "dtb", *quiet, source=bytes(tree.pack())).stderr == b""


def test_what_a_guest_looks_for():
    tree = machine_dt.virt(64 * MB, cpus=2, virtio=(0, 3), bootargs="quiet")
    assert tree.reg("/memory") == [(0x4000_0000, 64 * MB)]
    assert tree["/memory"].string("device_type") == "memory"
    assert tree["/psci"].strings("compatible") == ["arm,psci-1.0", "arm,psci-0.2"]
    assert tree["/psci"].string("method") == "hvc"
    cpus = tree["/cpus"].children
    assert [cpu.u32("reg") for cpu in cpus] == [0, 1]
    assert all([cpu.string("enable-method") == "psci" for cpu in cpus])
    assert tree["/timer"].cells("interrupts") == (
        1,
        13,
        0x308,
        1,
        14,
        0x308,
        1,
        11,
        0x308,
        1,
        10,
        0x308,
    )
    (path, gic), *more = tree.compatible("arm,cortex-a15-gic")
    assert not more and gic.phandle == tree.root.u32("interrupt-parent")
    assert tree.reg(path) == [(0x800_0000, 0x1_0000), (0x801_0000, 0x1_0000)]
    uart = tree[tree["/chosen"].string("stdout-path")]
    assert uart.is_compatible("arm,pl011") and tree["serial0"] is uart
    assert uart.cells("interrupts") == (0, 1, 4)
    for phandle in uart.cells("clocks"):
        assert tree.phandle(phandle).string("compatible") == "fixed-clock"
    assert tree["/pl031@9010000"].cells("interrupts") == (0, 2, 4)
    slots = [path for path, _ in tree.compatible("virtio,mmio")]
    assert slots == ["/virtio_mmio@a000000", "/virtio_mmio@a000600"]
    assert tree["/virtio_mmio@a000600"].cells("interrupts") == (0, 19, 1)
    assert "dma-coherent" in tree["/virtio_mmio@a000600"]
    assert tree["/chosen"].string("bootargs") == "quiet"
    assert "rng-seed" not in tree["/chosen"] and "linux,initrd-start" not in tree["/chosen"]


def test_gicv3_and_many_cpus():
    tree = machine_dt.virt([(0x4000_0000, 3 << 30), (0x1_4000_0000, 1 << 30)], cpus=18, gic=3)
    assert tree.reg("/intc")[1] == (0x80A_0000, 18 * 0x2_0000)
    assert [cpu.u32("reg") for cpu in tree["/cpus"].children][15:] == [15, 0x100, 0x101]
    assert tree.reg("/memory@140000000") == [(0x1_4000_0000, 1 << 30)]
    assert tree["/timer"].cells("interrupts")[:3] == (1, 13, 8)


def test_less_is_possible():
    tree = machine_dt.virt(MB, uart=False, rtc=False)
    assert tree.compatible("arm,primecell") == [] and "stdout-path" not in tree["/chosen"]
    tree = machine_dt.virt(MB, cpus=[0x8000, 0x1_0000_0000], gic=3)
    assert tree["/cpus"].children[1].cells("reg") == (1, 0)


@pytest.mark.parametrize(
    "wrong",
    [{"gic": 4}, {"cpus": 0}, {"cpus": 9}, {"virtio": (32,)}, {"virtio": (1, 1)}, {"cpus": []}],
)
def test_impossible_machines_are_refused(wrong):
    with pytest.raises(ValueError):
        machine_dt.virt(64 * MB, **wrong)


@pytest.mark.parametrize("gic", [2, 3])
def test_qemus_own_tree_fitted(tmp_path, gic):
    tree = qemu_tree(tmp_path, f"virtualization=on,gic-version={gic}")
    old_rng = tree["/chosen"].get("rng-seed")
    tree.reserved = [(0x4000_0000, 0x1000), (0x4800_0000, 0x1000)]
    same = machine_dt.adapt(tree, 64 * MB, 2, gic, bootargs="quiet", rng_seed=b"x" * 32)
    assert same is tree and fdt.parse(tree.pack()).pack() == tree.pack()
    assert [path for path, node in tree.walk() if "memory" in node.name] == ["/memory@40000000"]
    assert tree.reg("/memory") == [(0x4000_0000, 64 * MB)]
    assert tree.reserved == [(0x4000_0000, 0x1000)]
    assert [cpu.name for cpu in tree["/cpus"].children] == ["cpu@0", "cpu@1"]
    assert tree["/psci"].string("method") == "hvc"
    frames = [
        (0x800_0000, 0x1_0000),
        (0x801_0000, 0x1_0000) if gic == 2 else (0x80A_0000, 0xF6_0000),
    ]
    assert tree.reg("/intc") == frames and tree["/intc"].children == []
    assert tree["/chosen"].get("rng-seed") == b"x" * 32 != old_rng
    assert "kaslr-seed" not in tree["/chosen"] and tree["/chosen"].string("bootargs") == "quiet"
    assert tree["/chosen"].string("stdout-path") == "/pl011@9000000"
    for gone in machine_dt.ABSENT:
        assert tree.compatible(gone) == []
    assert len(tree.compatible("virtio,mmio")) == 32


def test_fitting_more_cpus_and_fewer_slots(tmp_path):
    tree = qemu_tree(tmp_path, "gic-version=3", cpus=1)
    machine_dt.adapt(tree, 64 * MB, 4, 3, virtio=[1], drop=())
    assert len(tree["/cpus"].children) == 4
    assert [path for path, _ in tree.compatible("virtio,mmio")] == ["/virtio_mmio@a000200"]
    gic = tree.phandle(tree["/virtio_mmio@a000200"].u32("interrupt-parent"))
    assert gic.is_compatible("arm,gic-v3") and tree.compatible("cfi-flash")


BOARD = b"""/dts-v1/;
/ {
    #address-cells = <1>; #size-cells = <1>;
    aliases { serial0 = &uart; ethernet0 = &eth; };
    chosen { stdout-path = "serial0:115200"; kaslr-seed = <1 2>; linux,initrd-start = <1>; };
    memory { device_type = "memory"; reg = <0 0x1000>; };
    reserved-memory {
        #address-cells = <1>; #size-cells = <1>; ranges;
        firmware@80000000 { reg = <0x80000000 0x1000>; no-map; };
        log@40001000 { reg = <0x40001000 0x1000>; };
        pool { size = <0x100000>; };
    };
    cpus {
        #address-cells = <2>; #size-cells = <0>;
        cpu-map { };
        cpu0: cpu@0 { device_type = "cpu"; compatible = "arm,cortex-a53"; reg = <0 0>;
            enable-method = "spin-table"; cpu-release-addr = <0 0xd8>; };
    };
    psci_old { compatible = "arm,psci"; method = "smc"; cpu_on = <3>; };
    pmu { compatible = "arm,cortex-a53-pmu"; interrupts = <1 7 4>; interrupt-affinity = <&cpu0>; };
    soc {
        #address-cells = <1>; #size-cells = <1>; ranges;
        gic: interrupt-controller@f9010000 { compatible = "arm,gic-400"; #interrupt-cells = <3>;
            interrupt-controller; reg = <0xf9010000 0x10000>, <0xf9020000 0x20000>,
            <0xf9040000 0x20000>, <0xf9060000 0x20000>; interrupts = <1 9 0xf04>; };
        uart: serial@9000000 { compatible = "arm,pl011"; reg = <0x9000000 0x1000>; };
        eth: ethernet@1 { compatible = "gpio-keys"; reg = <1 1>; };
    };
};
"""


def board():
    return fdt.parse(dtc("-q", "-I", "dts", "-O", "dtb", source=BOARD).stdout)


def test_a_boards_tree_fitted():
    tree = machine_dt.adapt(board(), [(0x4000_0000, 64 * MB)], 2, 2)
    assert tree.reg("/memory@40000000") == [(0x4000_0000, 64 * MB)]
    assert [node.name for node in tree["/reserved-memory"].children] == ["log@40001000", "pool"]
    first = tree["/cpus/cpu@0"]
    assert first.string("enable-method") == "psci" and "cpu-release-addr" not in first
    assert first.string("compatible") == "arm,cortex-a53" and first.phandle is not None
    assert len(tree.compatible("arm,psci", "arm,psci-1.0")) == 1
    assert "interrupt-affinity" not in tree["/pmu"]
    gic = "/soc/interrupt-controller@f9010000"
    assert tree.reg(gic) == [(0xF901_0000, 0x1_0000), (0xF902_0000, 0x2_0000)]
    assert "interrupts" not in tree[gic]
    assert list(tree["/aliases"].props) == ["serial0"]
    assert list(tree["/chosen"].props) == ["stdout-path"]


def test_what_cannot_be_fitted_says_why():
    with pytest.raises(ValueError, match="GICv3"):
        machine_dt.adapt(board(), 64 * MB, 1, 3)
    with pytest.raises(ValueError, match="cells"):
        machine_dt.adapt(board(), [(1 << 32, 64 * MB)])
    tree = board()
    tree.remove("/soc/interrupt-controller")
    with pytest.raises(ValueError, match="no GIC"):
        machine_dt.adapt(tree, 64 * MB)
    tree = machine_dt.virt(64 * MB)
    tree["/intc"]["reg"] = fdt.u64(0xF901_0000, 0x1000, 0xF902_0000, 0x1000)
    with pytest.raises(ValueError, match="0x8000000"):
        machine_dt.adapt(tree, 64 * MB)


def test_what_is_made_needs_no_fitting():
    tree = machine_dt.virt(64 * MB, 2, 3, virtio=(5,), bootargs="x")
    again = machine_dt.adapt(fdt.parse(tree.pack()), 64 * MB, 2, 3)
    assert sorted([path for path, _ in tree.walk()]) == sorted([path for path, _ in again.walk()])
    for path, node in tree.walk():
        assert dict(again[path].props) == dict(node.props), path


def test_fuzz_of_fitting():
    tree = machine_dt.virt(64 * MB, 2, 3, virtio=(5,), bootargs="x", initrd=(1 << 30, 2 << 30))
    tree.node("/reserved-memory/a@40000000", (("reg", fdt.u64(0x4000_0000, 0x1000)),))
    tree["/reserved-memory"].update((("#address-cells", 2), ("#size-cells", 2)))
    blob = bytes(tree.pack())
    dice = Dice(2)
    fitted = 0
    for _ in range(1500):
        try:
            tree = fdt.parse(mutate(blob, dice))
            machine_dt.adapt(tree, 32 * MB, 1, 3, virtio=(1,), bootargs="y")
        except ValueError:
            continue
        assert fdt.parse(tree.pack()).pack() == tree.pack()
        fitted += 1
    assert fitted > 100
