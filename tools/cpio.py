# SPDX-License-Identifier: MIT
"""Writes cpio archives in the "newc" form that Linux unpacks as an initramfs.

    data = cpio.archive([cpio.directory("dev"), cpio.device("dev/console", 5, 1),
                         cpio.file("init", b"...", 0o755)])

The same entries give the same bytes: inode numbers count up, times are zero, owner is root.
"""

import stat
from dataclasses import dataclass

TRAILER = "TRAILER!!!"


@dataclass(frozen=True)
class Entry:
    """A file of any type: path without a leading slash, mode with the type, contents, device."""

    path: str
    mode: int
    data: bytes = b""
    device: tuple = (0, 0)
    links: int = 1


def directory(path, mode=0o755):
    return Entry(path, stat.S_IFDIR | mode, links=2)


def file(path, data, mode=0o644):
    return Entry(path, stat.S_IFREG | mode, data)


def symlink(path, target):
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def device(path, major, minor, mode=0o600):
    """A character device."""
    return Entry(path, stat.S_IFCHR | mode, device=(major, minor))


def archive(entries):
    """The archive's bytes; directories have to come before what is in them."""
    seen = {""}
    parts = []
    for inode, entry in enumerate(entries, 1):
        _check_path(entry.path, seen)
        seen.add(entry.path)
        parts.append(_record(entry, inode))
    parts.append(_record(Entry(TRAILER, 0), 0))
    out = b"".join(parts)
    return out + bytes(-len(out) % 512)


def _check_path(path, seen):
    """Linux would drop, or misplace, what these refuse."""
    if path in ("", TRAILER) or path.startswith("/") or path in seen:
        raise ValueError(f"{path!r}: empty, absolute or in the archive already")
    if path.rpartition("/")[0] not in seen:
        raise ValueError(f"{path!r}: its directory has to come before it in the archive")


def _record(entry, inode):
    name = entry.path.encode() + b"\0"
    fields = (inode, entry.mode, 0, 0, entry.links, 0, len(entry.data), 0, 0, *entry.device)
    header = "070701" + "".join(f"{field:08X}" for field in (*fields, len(name), 0))
    return _padded(header.encode() + name) + _padded(entry.data)


def _padded(data):
    return data + bytes(-len(data) % 4)
