# SPDX-License-Identifier: MIT
"""hv.fdt on the host: what dtc and QEMU write passes unchanged, the malformed is refused."""

import hostpkg
import pytest
from hostkit import Dice, mutate
from machine_tree import machine_tree

fdt = hostpkg.load("fdt")
u32, u64 = fdt.u32, fdt.u64

DTS = """/dts-v1/;
/memreserve/ 0x48000000 0x4000;
/memreserve/ 0x123456789abcdef0 0x1000;
/ {
    model = "Elapid test"; compatible = "elapid,test", "linux,dummy-virt";
    #address-cells = <2>; #size-cells = <2>;
    interrupt-parent = <&gic>;
    aliases { serial0 = &uart; };
    chosen { bootargs = "quiet \\"x\\""; stdout-path = "serial0:115200n8"; };
    gic: interrupt-controller@8000000 {
        compatible = "arm,gic-v3"; #interrupt-cells = <3>; interrupt-controller;
        reg = <0 0x8000000 0 0x10000>, <0 0x80a0000 0 0x20000>;
    };
    soc {
        compatible = "simple-bus"; ranges; #address-cells = <1>; #size-cells = <1>;
        uart: serial@9000000 {
            compatible = "arm,pl011", "arm,primecell"; reg = <0x9000000 0x1000>; odd = [01 02 03];
            clock-names = "uartclk", "apb_pclk"; names = "x"; interrupt-names = "y";
            wide = /bits/ 64 <0x1122334455667788>;
        };
    };
};
"""


def sample():
    """A tree made by hand, small enough to mutate often."""
    tree = fdt.Tree(reserved=[(0x4800_0000, 0x1000)])
    tree.root.update((("#address-cells", 2), ("#size-cells", 2), ("compatible", ["a,b", "c,d"])))
    gic = tree.node("/intc@8000000", (("reg", u64(0x800_0000, 0x1_0000)), ("phandle", 7)))
    gic["interrupt-controller"] = None
    tree.node("/soc", (("#address-cells", 1), ("#size-cells", 1)))
    tree.node("/soc/uart@9000000", (("compatible", "arm,pl011"), ("reg", [0x900_0000, 0x1000])))
    tree.node("/aliases")["serial0"] = "/soc/uart@9000000"
    return tree


def raw(structure, strings=b"", **fields):
    """A blob from its parts, without reservations, with header fields overridden."""
    off_structure = 56
    off_strings = off_structure + len(structure)
    header = {
        "magic": 0xD00DFEED,
        "total": off_strings + len(strings),
        "structure_at": off_structure,
        "strings_at": off_strings,
        "reserved": 40,
        "version": 17,
        "compatible": 16,
        "boot": 0,
        "strings_size": len(strings),
        "structure_size": len(structure),
    }
    names = (
        "magic",
        "total",
        "structure_at",
        "strings_at",
        "reserved",
        "version",
        "compatible",
        "boot",
    )
    names += ("strings_size", "structure_size")
    values = [fields.get(name, header[name]) for name in names]
    return u32(*values) + bytes(16) + structure + strings


BEGIN, END_NODE, PROP, NOP, END = [u32(token) for token in (1, 2, 3, 4, 9)]
EMPTY = BEGIN + bytes(4) + END_NODE + END


def refused(blob, *words):
    """Parsing must fail with ValueError; its text must name an offset and hold the words."""
    try:
        fdt.parse(blob)
    except ValueError as error:
        text = str(error)
        assert text.startswith("device tree, offset 0x"), text
        for word in words:
            assert word in text, text
        return
    raise AssertionError(f"parsed: {blob!r}")


def dtc(source, *options):
    import subprocess

    command = ["dtc", "-q"] + list(options)
    return subprocess.run(command, input=source, capture_output=True, check=True).stdout


def test_round_trip_of_dtc_output_is_exact():
    blob = dtc(DTS.encode(), "-I", "dts", "-O", "dtb")
    tree = fdt.parse(blob)
    assert tree.pack() == blob
    assert tree.reserved == [(0x4800_0000, 0x4000), (0x1234_5678_9ABC_DEF0, 0x1000)]


@pytest.mark.parametrize(
    "options", [("-@",), ("-b", "5"), ("-V", "16"), ("-H", "both"), ("-S", "8192")]
)
def test_round_trip_of_dtc_variants(options):
    blob = dtc(DTS.encode(), "-I", "dts", "-O", "dtb", *options)
    tree = fdt.parse(blob)
    again = tree.pack(len(blob) if "-S" in options else 0)
    assert again == blob or "-V" in options
    assert dtc(again, "-I", "dtb", "-O", "dts") == dtc(blob, "-I", "dtb", "-O", "dts")
    assert tree.boot_cpu == (5 if "-b" in options else 0)


@pytest.mark.parametrize("machine", ["gic-version=2", "gic-version=3,virtualization=on"])
def test_round_trip_of_qemu_trees(machine, tmp_path):
    blob = machine_tree(tmp_path, machine, "-smp", "4").read_bytes()
    tree = fdt.parse(blob)
    again = tree.pack()
    assert dtc(again, "-I", "dtb", "-O", "dts") == dtc(blob, "-I", "dtb", "-O", "dts")
    assert fdt.parse(again).pack() == again
    assert tree.reg("/pl011@9000000") == [(0x900_0000, 0x1000)]
    assert len(tree["/cpus"].children) == 5  # with cpu-map
    assert tree["/psci"].string("method") in ("hvc", "smc")


def test_dtc_reads_what_is_packed():
    tree = sample()
    tree["/aliases"]["text"] = ["one", "two"]
    source = dtc(bytes(tree.pack()), "-I", "dtb", "-O", "dts").decode()
    assert 'text = "one\\0two"' in source or 'text = "one", "two"' in source
    assert "/memreserve/" in source


def test_values_are_encoded_and_decoded():
    node = fdt.Node("n@1")
    node["none"] = None
    node["cell"] = 0xFFFF_FFFF
    node["text"] = "a b"
    node["texts"] = ["x", "yy"]
    node["mixed"] = [1, u64(1 << 63), "s", b"\x01"]
    node["view"] = memoryview(b"abcd")[1:3]
    assert node["none"] == b"" and node["cell"] == b"\xff\xff\xff\xff"
    assert node["texts"] == b"x\0yy\0" and node["view"] == b"bc"
    assert node["mixed"] == b"\0\0\0\x01\x80\0\0\0\0\0\0\0s\0\x01"
    assert node.u32("cell") == 0xFFFF_FFFF
    assert node.u64("cell") == 0xFFFF_FFFF
    assert node.string("texts") == "x" and node.strings("texts") == ["x", "yy"]
    node["wide"] = u64(1 << 63)
    assert node.u64("wide") == 1 << 63 and node.cells("wide") == (0x8000_0000, 0)
    assert node.u32("nothing", 5) == 5 and node.string("nothing", "d") == "d"
    assert node.u64("nothing", 6) == 6 and node.get("nothing") is None
    assert "text" in node and "nothing" not in node
    del node["text"]
    node.discard("cell", "nothing")
    assert "text" not in node and "cell" not in node


@pytest.mark.parametrize("value", [-1, 1 << 32, [1 << 40]])
def test_numbers_that_do_not_fit_are_refused(value):
    with pytest.raises(ValueError):
        fdt.Node("n")["x"] = value


def test_wrong_types_and_values_name_the_property():
    node = sample()["/soc/uart@9000000"]
    for wrong in (1.5, {}, object()):
        with pytest.raises(TypeError):
            node["x"] = wrong
    node["three"] = b"abc"
    for read in (node.u32, node.u64, node.cells, node.strings, node.string):
        with pytest.raises(ValueError, match="three"):
            read("three")
    with pytest.raises(ValueError, match="reg"):
        node.u32("reg")
    with pytest.raises(KeyError, match="missing"):
        node["missing"]
    with pytest.raises(KeyError, match="missing"):
        del node["missing"]


def test_paths_aliases_and_lookups():
    tree = sample()
    uart = tree["/soc/uart@9000000"]
    assert tree["/soc/uart"] is uart and tree["serial0"] is uart
    assert tree["serial0:115200n8"] is uart and tree["/"] is tree.root
    assert tree.get("/soc/none") is None and tree.get("nobody", 1) == 1
    assert "/soc" in tree and "/sock" not in tree and "nobody" not in tree
    with pytest.raises(KeyError, match="/soc/none"):
        tree["/soc/none"]
    assert tree.compatible("arm,pl011") == [("/soc/uart@9000000", uart)]
    assert tree.compatible("arm,pl01", "pl011", "arm,pl0111") == []
    assert tree.root.is_compatible("c,d")
    assert tree.parent("serial0").name == "soc" and tree.parent("/soc") is tree.root
    assert tree.reg("/soc/uart@9000000") == [(0x900_0000, 0x1000)]
    assert tree.reg("/intc") == [(0x800_0000, 0x1_0000)]
    assert tree.phandle(7).name == "intc@8000000" and tree.phandle(8) is None
    assert tree.new_phandle() == 8
    paths = [path for path, _ in tree.walk()]
    assert paths == ["/", "/intc@8000000", "/soc", "/soc/uart@9000000", "/aliases"]


def test_edits():
    tree = sample()
    tree.remove("/soc/uart@9000000")
    assert tree["/soc"].children == [] and tree.get("serial0") is None
    node = tree.node("/chosen", {"bootargs": "x"})
    assert tree.node("/chosen") is node
    for wrong in ("", "a/b", "a b", "x" * 256, "\n"):
        with pytest.raises(ValueError):
            tree.root.add(wrong)
    with pytest.raises(ValueError, match="chosen"):
        tree.root.add("chosen")
    with pytest.raises(ValueError):
        tree.remove("/")
    with pytest.raises(KeyError):
        tree.remove("/nobody")
    with pytest.raises(ValueError, match="reg"):
        tree["/soc"]["reg"] = b"abc"
        tree.reg("/soc")


def test_names_share_their_tails_as_in_dtc():
    tree = fdt.Tree()
    for name in ("interrupt-names", "names", "ames", "name", "interrupt-names"):
        tree.root[name] = None
    assert bytes(tree.pack()).endswith(b"\x09interrupt-names\0name\0")


def test_limits_of_what_is_packed():
    tree = fdt.Tree()
    tree.root["big"] = bytes(fdt.MAX_SIZE)
    with pytest.raises(ValueError, match="limit"):
        tree.pack()
    tree = fdt.Tree()
    tree.node("/a" * 70)
    with pytest.raises(ValueError, match="deep"):
        tree.pack()
    assert len(sample().pack(0x1000)) == 0x1000
    assert fdt.parse(sample().pack(0x1000)).pack() == sample().pack()


def test_small_oddities_are_read():
    assert fdt.parse(raw(EMPTY)).root.children == []
    assert (
        fdt.parse(raw(NOP + BEGIN + bytes(4) + NOP + END_NODE + NOP + END + b"tail")).root.name
        == ""
    )
    assert fdt.parse(raw(BEGIN + b"/\0\0\0" + END_NODE + END)).root.name == ""
    assert fdt.parse(bytearray(raw(EMPTY)) + b"behind it").root.name == ""
    assert fdt.parse(memoryview(raw(EMPTY))).pack() == raw(EMPTY)
    assert fdt.parse(raw(EMPTY, structure_size=0, version=16)).root.name == ""
    two = BEGIN + b"a\0\0\0" + END_NODE
    tree = fdt.parse(raw(BEGIN + bytes(4) + two + two + END_NODE + END))
    assert len(tree.root.children) == 2  # of one name: no parser minds


def test_malformed_headers():
    refused(b"", "truncated")
    refused(raw(EMPTY)[:39], "truncated")
    refused(raw(EMPTY)[:-1], "truncated")
    refused(raw(EMPTY, magic=0xEDFE0DD0), "0xedfe0dd0")
    for total in (0, 39, 0xFFFF_FFFF):
        refused(raw(EMPTY, total=total))
    refused(raw(EMPTY, total=0x20_0001) + bytes(0x20_0000), "0x200001")
    for version, compatible in ((15, 15), (3, 1), (18, 18), (0xFFFF_FFFF, 0xFFFF_FFFF)):
        refused(raw(EMPTY, version=version, compatible=compatible), "version")
    for at in (0, 2, 58, 1 << 31, 0xFFFF_FFFC):
        refused(raw(EMPTY, structure_at=at), "structure")
        refused(raw(EMPTY, strings_at=at * (at != 58), strings_size=8), "strings")
    for at in (0, 44, 0xFFFF_FFF8):
        refused(raw(EMPTY, reserved=at), "reserv")
    for size in (0xFFFF_FFFF, 0x8000_0000, 0x1000):
        refused(raw(EMPTY, structure_size=size))
        refused(raw(EMPTY, strings_size=size))
    endless = raw(NOP * 100)
    refused(endless[:40] + b"\1" * (len(endless) - 40), "without an end")


def test_malformed_structures():
    node = BEGIN + b"a\0\0\0"
    root = BEGIN + bytes(4)
    prop = PROP + u32(0, 0)
    good = root + prop + END_NODE + END
    assert "p" in fdt.parse(raw(good, b"p\0")).root
    cases = (
        (b"", "ends early"),
        (END, "without one"),
        (END_NODE, "did not begin"),
        (prop, "outside a node"),
        (root, "ends early"),
        (root + END, "inside a node"),
        (root + END_NODE, "ends early"),
        (EMPTY[:-4] + root + END_NODE + END, "second root"),
        (root + END_NODE + END_NODE + END, "did not begin"),
        (root + u32(5) + END_NODE + END, "0x5 is no token"),
        (root + u32(0x0100_0000) + END_NODE + END, "no token"),
        (root + node + END_NODE + prop + END_NODE + END, "after a child"),
        (root + prop + prop + END_NODE + END, "second time"),
        (root + PROP + u32(0xFFFF_FFFF, 0) + END_NODE + END, "beyond"),
        (root + PROP + u32(9, 0) + END_NODE + END, "beyond"),
        (root + PROP + u32(0, 2) + END_NODE + END, "strings block"),
        (root + PROP + u32(0, 0xFFFF_FFFF) + END_NODE + END, "strings block"),
        (root + PROP + u32(0, 1) + END_NODE + END, "strings block"),
        (root + PROP, "ends early"),
        (root + PROP + u32(0), "ends early"),
        (BEGIN + b"a b\0" + END_NODE + END, "no name"),
        (root + BEGIN + bytes(4) + END_NODE + END_NODE + END, "no name"),
        (root + BEGIN + b"a/b\0" + END_NODE + END_NODE + END, "no name"),
        (root + BEGIN + b"\xff\xfe\0\0" + END_NODE + END_NODE + END, "no name"),
        (root + BEGIN + b"abcd", "without an end"),
        (root + BEGIN + b"a" * 300 + bytes(4) + END_NODE + END_NODE + END, "without an end"),
    )
    for structure, words in cases:
        refused(raw(structure, b"p\0"), words)
    refused(raw(good, b"p"), "strings block")
    refused(raw(good, b" \0"), "strings block")
    refused(raw(good, b"p" * 300 + b"\0"), "strings block")


def test_bombs():
    deep = BEGIN + bytes(4) + (BEGIN + b"a\0\0\0") * 100_000
    refused(raw(deep), "too deep")
    assert fdt.parse(raw(deep[: 8 * 65] + END_NODE * 65 + END)).root.children
    wide = BEGIN + bytes(4) + (BEGIN + b"a\0\0\0" + END_NODE) * 20_000 + END_NODE + END
    refused(raw(wide), "too many")
    names = b"".join([b"p%d\0" % number for number in range(2000)])
    many = BEGIN + bytes(4)
    at = 0
    for number in range(2000):
        many += PROP + u32(0, at)
        at += len(b"p%d\0" % number)
    refused(raw(many + END_NODE + END, names), "more than")
    refused(raw(NOP * 200_000), "ends early")
    refused(raw(BEGIN + bytes(4) + (PROP + u32(0, 0)) * 50_000, b"p\0"), "second time")


def test_every_truncation_is_refused():
    blob = bytes(sample().pack())
    for size in range(len(blob)):
        refused(blob[:size])
        # ... also with a header that does not promise more
        cut = blob[:4] + u32(size) + blob[8:size] if size >= 8 else blob[:size]
        refused(cut)


def test_fuzz():
    blobs = [bytes(sample().pack()), raw(EMPTY), bytes(sample().pack(600))]
    dice = Dice(1)
    survivors = 0
    for _ in range(5000):
        blob = mutate(dice.pick(blobs), dice, hot=200)
        try:
            tree = fdt.parse(blob)
        except ValueError as error:
            assert str(error).startswith("device tree, offset 0x")
            continue
        survivors += 1
        again = bytes(tree.pack())
        assert fdt.parse(again).pack() == again
        for path, _ in tree.walk():
            try:
                tree.reg(path) if path != "/" else None
            except (ValueError, KeyError):
                pass
    assert 100 < survivors < 4500
