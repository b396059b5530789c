# SPDX-License-Identifier: MIT
"""The guest fetcher's parts that need no network: cpio, modules and their order, files."""

import hashlib
import io
import lzma
import os
import stat
import subprocess
import sys

import cpio
import fetch_guests
import pytest
from elapid.say import Stop


def read_back(data):
    """{path: (mode, contents, device)} of an archive, by Linux's buffer-format.rst."""
    assert len(data) % 512 == 0
    stream = io.BytesIO(data)
    found = {}
    while True:
        assert stream.read(6) == b"070701"
        fields = [int(stream.read(8), 16) for _ in range(13)]
        _, mode, _, _, _, _, size, _, _, major, minor, name_size, check = fields
        path = stream.read(name_size)[:-1].decode()
        stream.seek(-stream.tell() % 4, os.SEEK_CUR)
        contents = stream.read(size)
        stream.seek(-stream.tell() % 4, os.SEEK_CUR)
        assert check == 0
        if path == "TRAILER!!!":
            assert not stream.read().strip(b"\0")
            return found
        found[path] = mode, contents, (major, minor)


ENTRIES = [
    cpio.directory("dev"),
    cpio.device("dev/console", 5, 1),
    cpio.file("init", b"#!/bin/sh\n", 0o755),
    cpio.file("empty", b""),
    cpio.symlink("sh", "busybox"),
    *(cpio.file("n" * size, b"x" * size) for size in range(1, 9)),
]


def test_cpio_holds_what_was_put_in():
    found = read_back(cpio.archive(ENTRIES))
    assert list(found) == [entry.path for entry in ENTRIES]
    assert found["dev"] == (stat.S_IFDIR | 0o755, b"", (0, 0))
    assert found["dev/console"] == (stat.S_IFCHR | 0o600, b"", (5, 1))
    assert found["init"] == (stat.S_IFREG | 0o755, b"#!/bin/sh\n", (0, 0))
    assert found["sh"] == (stat.S_IFLNK | 0o777, b"busybox", (0, 0))
    assert all(found["n" * size][1] == b"x" * size for size in range(1, 9))


def test_cpio_is_the_same_every_time():
    assert cpio.archive(ENTRIES) == cpio.archive(ENTRIES)


def test_cpio_refuses_what_linux_would_lose():
    for paths in (["a", "a"], ["no/dir"], [""], ["/a"], ["TRAILER!!!"]):
        with pytest.raises(ValueError, match="archive"):
            cpio.archive([cpio.file(path, b"") for path in paths])


def module(tmp_path, *pairs):
    """An object file with a .modinfo section, as a kernel module has."""
    source = tmp_path / "module.S"
    text = "".join(f'.asciz "{pair}"\n' for pair in pairs)
    source.write_text(f'.text\nnop\n.section .modinfo,"a"\n{text}')
    path = tmp_path / "module.ko"
    subprocess.run(["aarch64-linux-gnu-gcc", "-c", "-o", path, source], check=True)
    return path.read_bytes()


def test_modules_are_found_with_what_they_need(tmp_path):
    modules = {
        "virtio_blk": module(tmp_path, "license=GPL", "depends=virtio-ring,builtin", "name=x"),
        "virtio_ring": lzma.compress(module(tmp_path, "depends=virtio")),
        "virtio": module(tmp_path, "depends="),
        "other": module(tmp_path, "license=GPL"),
    }
    chosen = fetch_guests.with_dependencies(["virtio-blk", "virtio"], modules, {"builtin"})
    assert [name for name, _ in chosen] == ["virtio", "virtio_ring", "virtio_blk"]
    assert all(data.startswith(b"\x7fELF") for _, data in chosen)
    assert ("license", "GPL") in fetch_guests.module_info(modules["other"])
    with pytest.raises(Stop, match="missing"):
        fetch_guests.with_dependencies(["missing"], modules, set())


def test_module_names():
    assert fetch_guests.module_name("lib/modules/6/kernel/drivers/rtc-pl031.ko.xz") == "rtc_pl031"
    assert fetch_guests.module_name("ext4.ko") == "ext4"


def test_initramfs():
    found = read_back(fetch_guests.initramfs(b"\x7fELF", [("virtio", b"1"), ("ext4", b"2")]))
    assert found["modules/order"][1] == b"virtio.ko\next4.ko\n"
    assert found["modules/ext4.ko"][1] == b"2"
    assert found["init"][0] & 0o111 and found["bin/busybox"][0] & 0o111
    assert found["dev/console"][2] == (5, 1)
    subprocess.run(["sh", "-n"], input=found["init"][1], check=True)


def test_files_are_here_only_when_complete(tmp_path):
    guest = tmp_path / "guest"
    assert not fetch_guests.is_here(guest)
    fetch_guests.put(guest, {"b": b"2", "a": b"1"})
    assert fetch_guests.is_here(guest)
    sums = (guest / "SHA256SUMS").read_text()
    assert sums.startswith(hashlib.sha256(b"1").hexdigest() + "  a\n")
    assert subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=guest).returncode == 0
    (guest / "a").write_bytes(b"3")
    assert not fetch_guests.is_here(guest)
    (guest / "a").unlink()
    assert not fetch_guests.is_here(guest)


def test_a_package_gives_only_what_is_asked_for(tmp_path):
    root = tmp_path / "root"
    (root / "DEBIAN").mkdir(parents=True)
    control = "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: x\n"
    (root / "DEBIAN" / "control").write_text(control)
    (root / "boot").mkdir()
    (root / "boot" / "vmlinuz-6").write_bytes(b"kernel" * 1000)
    (root / "boot" / "other").write_bytes(b"no")
    deb = tmp_path / "x.deb"
    subprocess.run(["dpkg-deb", "--build", root, deb], check=True, capture_output=True)
    found = dict(fetch_guests.members(deb, lambda path: path == "boot/vmlinuz-6"))
    assert found == {"boot/vmlinuz-6": b"kernel" * 1000}
    deb.write_bytes(deb.read_bytes()[:-500])
    with pytest.raises(Stop, match="x.deb"):
        dict(fetch_guests.members(deb, lambda path: True))


def test_nothing_is_fetched_that_is_here(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fetch_guests, "ROOT", tmp_path)
    monkeypatch.setattr(fetch_guests, "OUT", tmp_path / "build")
    monkeypatch.setattr(fetch_guests, "Suite", None)
    fetch_guests.put(tmp_path / "build" / "u-boot", {"u-boot.bin": b"x"})
    fetch_guests.fetch(["u-boot"])
    line = f"{hashlib.sha256(b'x').hexdigest()}  build/u-boot/u-boot.bin\n"
    assert capsys.readouterr().out == line


def test_no_network_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch_guests, "OUT", tmp_path / "out")
    monkeypatch.setattr(fetch_guests, "DOWNLOADS", tmp_path / "downloads")
    monkeypatch.setattr(fetch_guests.archive, "mirrors", lambda: ["http://127.0.0.1:9/debian/"])
    with pytest.raises(Stop) as stop:
        fetch_guests.fetch(["u-boot"])
    assert "bookworm" in str(stop.value) and "network" in str(stop.value)
    assert "\n" not in str(stop.value)
    monkeypatch.setattr(fetch_guests.archive, "mirrors", lambda: [])
    with pytest.raises(Stop, match="no sources"):
        fetch_guests.fetch(["edk2"])


def test_unknown_names_are_refused():
    command = [sys.executable, fetch_guests.__file__, "nobody"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "nobody" in done.stderr and "6.1-cloud" in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_a_program_is_linked_to(tmp_path):
    """The names a loader looks for, of a library and of a program that needs it."""

    def build(name, source, *options):
        (tmp_path / "x.c").write_text(source)
        gcc = ["aarch64-linux-gnu-gcc", "-nostdlib", "-fPIC", "x.c", "-o", name, *options]
        subprocess.run(gcc, cwd=tmp_path, check=True)
        return fetch_guests.linked((tmp_path / name).read_bytes())

    library = build("liba.so", "int a(void) { return 1; }", "-shared", "-Wl,-soname,liba.so.1")
    assert library == ("liba.so.1", [])
    program = "int a(void); void _start(void) { a(); for (;;) {} }"
    assert build("p", program, "-L.", "-la") == (None, ["liba.so.1"])
    assert build("q", "void _start(void) {}", "-static") == (None, [])
