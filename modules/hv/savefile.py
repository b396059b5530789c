# SPDX-License-Identifier: MIT
"""Files of snapshots: s.save(path), hv.load(path).

b"ELAPID\\x1a\\n", a version, then records: a kind of four letters, where it belongs (8 bytes), how many bytes it is and how
many of them are here (4 each: fewer are an LZ4 block), a CRC-32 of all that and of what follows. The first one is "head", JSON; "end "
has the number of those before it. "ram " and "disk" are of 64 KB, without those of zeros.
"""

import json
import os
import struct
from binascii import crc32

import _hv

from .block import CHUNK, SECTOR, Block, File, Overlay
from .loader import Loaded
from .net import Net, Switch
from .progress import Bar
from .source import Parsed, open_file
from .version import __version__
from .virtio import Console, Rng
from .whole import Whole

MAGIC = b"ELAPID\x1a\n"
VERSION = 1
_HEAD = "<4sQIII"
_BYTES = 24


# ---- Records ------------------------------------------------------------------------------------


class Writer:
    """Records into a file."""

    def __init__(self, vm, file):
        self.vm, self.file, self.count = vm._vm, file, 0
        # Views keep what they are of; that is not in the heap, where a collection would look through it.
        self.data = memoryview(_hv.Pages(CHUNK))
        self.small = memoryview(_hv.Pages(CHUNK))
        file.write(MAGIC + struct.pack("<II", VERSION, 0))

    def add(self, kind, where, data):
        packed = 0 if kind == b"head" else self.vm.hold("pack", data, self.small)
        stored = self.small[:packed] if 0 < packed < len(data) else data
        head = struct.pack("<4sQII", kind, where, len(data), len(stored))
        self.file.write(head + struct.pack("<I", crc32(stored, crc32(head))))
        self.file.write(stored)
        self.count += 1

    def long(self, kind, data):
        for at in range(0, len(data), CHUNK):
            self.add(kind, at, memoryview(data)[at : at + CHUNK])


class Reader:
    """Records out of a file. ValueError: it is none, or not as it was written."""

    def __init__(self, path):
        self.path, self.count, self.vm = path, 0, None
        self.data = memoryview(_hv.Pages(CHUNK))
        self.small = memoryview(_hv.Pages(CHUNK))
        self.file = open_file(path, "rb")
        try:
            self.size, self.done = self.file.seek(0, 2), 16
            self.file.seek(0)
            head = self.file.read(16)
            if head[:8] != MAGIC or len(head) < 16:
                self.fail("is no file of a snapshot")
            version = struct.unpack("<I", head[8:12])[0]
            if version != VERSION:
                self.fail(f"is of version {version}, and this Elapid reads version {VERSION}")
            self.next()
        except BaseException:
            self.file.close()
            raise

    def fail(self, why):
        raise ValueError(f"{self.path} {why}")

    def _into(self, view):
        if len(view) and self.file.readinto(view) != len(view):
            self.fail(f"is truncated: it ends at {self.size}, in record {self.count}")
        self.done += len(view)
        return view

    def next(self):
        """To the next one: kind, where, and item()."""
        head = bytearray(_BYTES)
        self._into(memoryview(head))
        self.kind, self.where, size, stored, crc = struct.unpack(_HEAD, head)
        if size > CHUNK or stored > size:
            self.fail(f"is damaged: record {self.count} is of {size} bytes")
        data = self._into(self.small[:stored])
        if crc32(data, crc32(memoryview(head)[:20])) != crc:
            self.fail(f"is damaged: record {self.count} does not have its checksum")
        if self.kind == b"end " and self.where != self.count:
            self.fail(f"is damaged: it has {self.count} of {self.where} records")
        self.size_of, self.stored = size, data
        self.count += 1

    def item(self):
        """What it is, until the next one."""
        if len(self.stored) == self.size_of:
            return self.stored
        data = self.data[: self.size_of]
        if not self.vm or self.vm.hold("unpack", self.stored, data) != len(data):
            self.fail(f"is damaged: record {self.count - 1} does not unpack")
        return data

    def long(self, kind):
        """All of a kind, as bytes."""
        parts = []
        while self.kind == kind:
            parts.append(bytes(self.item()))
            self.next()
        return b"".join(parts)


# ---- What a script's devices have kept ----------------------------------------------------------


def _plain(value, whose):
    # JSON has neither bytes nor tuples, and only strings as keys.
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": value.hex()}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [_plain(one, whose) for one in value]}
    if isinstance(value, dict):
        return {"dict": [[_plain(a, whose), _plain(b, whose)] for a, b in value.items()]}
    raise ValueError(
        f"what {whose!r} has saved has a {type(value).__name__} in it, which no file holds"
    )


def _value(plain):
    if not isinstance(plain, dict):
        return plain
    kind, what = list(plain.items())[0]
    if kind == "bytes":
        return bytes.fromhex(what)
    if kind == "dict":
        return {_value(a): _value(b) for a, b in what}
    return {"list": list, "tuple": tuple}[kind]([_value(one) for one in what])


# ---- Saving -------------------------------------------------------------------------------------


def _kind(device):
    """ "Block", "Net", ...: what can be made anew; another one's class has its name in brackets."""
    name = type(device).__name__
    if type(device) in (Block, Net, Rng, Console):
        return name
    return "Net" if hasattr(device, "was") and isinstance(device, Net) else f"({name})"


def _base(device):
    return device.store.base if isinstance(device.store, Overlay) else device.store


def _by_path(device):
    # What nobody writes to is not in the file.
    return isinstance(_base(device), File) and (device.readonly or not device._lent)


def _about(device, state):
    about = {"kind": _kind(device), "id": device.id, "legacy": device.legacy}
    if isinstance(device, Block):
        store = device.store
        about.update(
            size=store.size, unit=getattr(store, "unit", SECTOR), readonly=device.readonly
        )
        about["path"] = _base(device).path if _by_path(device) else None
    else:
        about["state"] = _plain(state, device)
    if isinstance(device, Net):
        was = getattr(device, "was", None)
        about.update(mac=device.mac.hex(), spoof=device.spoof, was=was and was.hex())
    return about


def _head(s):
    vm, states = s._vm, {id(device): state for device, state in s._devices}
    slots = vm._virtio.items()
    return {
        "made": __version__,
        "name": vm.name,
        "ram": vm.memory.size,
        "cpus": len(vm.cpu),
        "flash": vm._flash,
        "virtio": [(slot, _about(device, states.get(id(device)))) for slot, device in slots],
        "kept": [(type(d).__name__, _plain(states.get(id(d)), d)) for d in vm._kept],
        "images": [image for image in vm._images if isinstance(image[0], str)],
        "linux": vm._linux and [vm._linux.kind, vm._linux.entry, vm._linux.base, vm._linux.end],
        "machine": _machine(vm),
    }


def _machine(vm):
    midr = _hv.mrs("MIDR_EL1") & ~0xF0_000F  # without variant and revision
    return {"gic": vm._gic(), "core": midr, "counter": _hv.mrs("CNTFRQ_EL0")}


def _chunks(device, state):
    """(number, view) of what a disk was, or of what was written to it."""
    store, kept = _base(device), state[0] if isinstance(state, tuple) else {}
    numbers = sorted(kept) if _by_path(device) or isinstance(store, Zeros) else None
    room = memoryview(bytearray(CHUNK))
    for number in range((store.size + CHUNK - 1) // CHUNK) if numbers is None else numbers:
        view = room[: min(CHUNK, store.size - number * CHUNK)]
        if number in kept:
            view = kept[number][: len(view)]
        else:
            store.read(number * CHUNK, view)
        yield number, view


def write(writer, s, progress):
    """All records of a snapshot but the last one."""
    vm, hold = s._vm, s._vm._vm.hold
    writer.long(b"head", json.dumps(_head(s)).encode())
    writer.long(b"stat", hold("state", s._id))
    ranges = ((vm.memory.base, vm.memory.size),) + tuple(vm._flash)
    total, done = sum([size for _, size in ranges]), 0
    for base, size in ranges:
        for at in range(base, base + size, CHUNK):
            view = writer.data[: min(CHUNK, base + size - at)]
            if hold("read", s._id, at, view):
                writer.add(b"ram ", at, view)
            done += len(view)
            if progress:
                progress(done, total)
    zeros = bytes(CHUNK)
    for device, state in s._devices:
        if isinstance(device, Block):
            for number, view in _chunks(device, state):
                if _by_path(device) or view != zeros[: len(view)]:
                    writer.add(b"disk", device.port.slot << 48 | number, view)


def save(s, path):
    s._vm._vm.hold("written", s._id)  # it is there
    with Whole(path) as (file, bar):
        writer = Writer(s._vm, file)
        write(writer, s, bar if _hv.interactive() else None)
        writer.add(b"end ", writer.count, b"")


# ---- Loading ------------------------------------------------------------------------------------


class Zeros:
    """What a disk was whose contents are all in the file."""

    def __init__(self, size, unit):
        self.size, self.unit = size, unit

    def read(self, at, view):
        view[:] = bytes(len(view))

    def sync(self):
        pass


def _fits(reader, machine, vm):
    here = _machine(vm)
    for what, text in (
        ("gic", "is of a machine with a GICv{}, and this one has a GICv{}"),
        ("core", "is of a machine with another core: MIDR_EL1 was {:#x}, and is {:#x}"),
        ("counter", "is of a machine whose counter runs at {} Hz, and this one's at {}"),
    ):
        if machine[what] != here[what]:
            reader.fail(text.format(machine[what], here[what]))


_OF_HEAD = {"made": str, "name": str, "ram": int, "cpus": int, "machine": dict}
_OF_DEVICE = {"kind": str, "id": int, "legacy": bool}
_OF_KIND = {
    "Block": {"size": int, "unit": int, "readonly": bool, "path": (str, type(None))},
    "Net": {"mac": str, "spoof": bool, "was": (str, type(None))},
}


def _are(what, kinds):
    for key, kind in kinds.items():
        if not isinstance(what[key], kind):
            raise TypeError(f"{key}: {what[key]!r}")


def _check(head):
    """That it has what the rest takes: any exception when it has not."""
    _are(head, _OF_HEAD)
    for ipa, size in head["flash"]:
        _are((ipa, size), {0: int, 1: int})
    for slot, about in head["virtio"]:
        _are((slot,), {0: int})
        _are(about, _OF_DEVICE)
        _are(about, _OF_KIND.get(about["kind"], {}))
        _value(about.get("state"))
        for mac in (about["mac"], about["was"] or "") if about["kind"] == "Net" else ():
            bytes.fromhex(mac)
    for kind, state in head["kept"]:
        _are((kind,), {0: str})
        _value(state)
    for image in head["images"]:
        path, slide = image
        _are((path, slide), {0: str, 1: int})
    if head["linux"]:
        kind, entry, base, end = head["linux"]
        _are((kind, entry, base, end), {0: str, 1: int, 2: int, 3: int})


def _disk(reader, slot, about):
    size, readonly = about["size"], about["readonly"]
    base = Zeros(size, about["unit"])
    if about["path"]:
        try:
            base = File(about["path"], "rb")
        except OSError as error:
            reader.fail(f"needs the disk of slot {slot}: {error}")
        if base.size != size:
            reader.fail(f"needs {about['path']} of {size} bytes, and it has {base.size}")
    return Block(Overlay(base, size + CHUNK), readonly, False, about["legacy"])


def _device(reader, slot, about, net, given):
    kind = about["kind"]
    if given:
        if given.id != about["id"]:
            reader.fail(f"has a virtio device of type {about['id']} in slot {slot}, not {given!r}")
        return given
    if kind == "Block":
        return _disk(reader, slot, about)
    if kind == "Net":
        mac = bytes.fromhex(about["mac"])
        if about["was"]:
            from .fork import forked_net

            was = bytes.fromhex(about["was"])
            return forked_net(net or Switch(), mac, about["legacy"], about["spoof"], was)
        return Net(net or Switch(), mac, about["legacy"], about["spoof"])
    if kind == "Rng":
        return Rng(about["legacy"])
    if kind == "Console":
        return Console(None, about["legacy"])
    reader.fail(f"has a {kind[1:-1]} in slot {slot}: devices={{{slot}: ...}} gives it one")


def _fill(reader, vm, head, made):
    """RAM and disks. Not of disks that the caller has given."""
    bar, shows = Bar(reader.path), _hv.interactive()
    with bar:
        while reader.kind == b"ram " or reader.kind == b"disk":
            where, item = reader.where, reader.item()
            if reader.kind == b"ram ":
                vm.memory[where : where + len(item)] = item
            elif disk := made.get(where >> 48):
                disk.store.write((where & (1 << 48) - 1) * CHUNK, item)
            reader.next()
            if shows:
                bar(reader.done, reader.size)


def _is_there(path):
    try:
        return os.stat(path)
    except OSError:
        return False


def _into(reader, vm, head, net, given):
    for ipa, size in head["flash"]:
        vm.flash(ipa, size)
    vm._images = tuple([tuple(image) for image in head["images"] if _is_there(image[0])])
    vm._linux = Loaded(*head["linux"]) if head["linux"] else None
    made = {}
    for slot, about in head["virtio"]:
        device = vm.virtio(_device(reader, slot, about, net, given.get(slot)), slot)
        if about["kind"] == "Block" and slot not in given:
            made[slot] = device
    state = reader.long(b"stat")
    _fill(reader, vm, head, made)
    wrong = vm._vm.hold("load", state)
    if wrong:
        reader.fail(
            "is of a VM whose clock is ahead of this machine's counter, which QEMU 10 does not bear: try it later"
            if wrong == 2
            else f"has a state that does not fit: Elapid {head['made']} made it, and this is {__version__}"
        )
    for slot, about in head["virtio"]:
        if about["kind"] != "Block":
            vm._virtio[slot].load(_value(about["state"]))
    vm._states = [(kind, _value(state)) for kind, state in head["kept"]]
    vm._used = True
    vm._loads = (lambda: _no_start(vm, reader.path),)


def _no_start(vm, path):
    vm._failed = path
    raise RuntimeError(
        f"{vm.name} came from {path}: hv.load() has it again, there is no image to start anew"
    )


def _made(reader, head, make, capsule, name, net, given):
    vm = make(name or head["name"], head["ram"], head["cpus"])
    try:
        reader.vm = vm._vm
        _into(reader, vm, head, net, given)
        if reader.kind == b"caps":
            return capsule(reader, vm)
        if reader.kind != b"end ":
            reader.fail(f"is damaged: record {reader.count - 1} is of kind {reader.kind!r}")
    except BaseException:
        vm.close()
        raise
    return vm


def load(path, make, capsule, name, net, given):
    """See hv.load(). make: hv.VM; capsule(reader, vm): what becomes of a file of vm.capsule()'s, from where it is one."""
    reader = Reader(path)
    try:
        with Parsed(path):
            head = json.loads(reader.long(b"head"))
            _check(head)
            _fits(reader, head["machine"], make)
        return _made(reader, head, make, capsule, name, net, given)
    except ValueError as error:
        if str(error).startswith(str(path)):
            raise
        reader.fail(f"is of a VM that cannot be: {error}")
    finally:
        reader.file.close()
