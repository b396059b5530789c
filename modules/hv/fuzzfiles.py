# SPDX-License-Identifier: MIT
"""Files of a fuzzer: AFL++'s directory, and drcov."""

import os
import struct


def _make(path):
    try:
        os.mkdir(path)
    except OSError:
        os.stat(path)  # it is there


def _names(path):
    return sorted([name for name in os.listdir(path) if name[0] != "."])


def _write(folder, n, more, data):
    try:
        with open(f"{folder}/id:{n:06},{more}", "wb") as file:
            file.write(data)
    except OSError:
        with open(f"{folder}/id_{n:06}", "wb") as file:
            file.write(data)


def _clear(folder):
    # Of an export before.
    for name in _names(folder):
        if name[:2] == "id":
            os.remove(f"{folder}/{name}")


def export(fz, path):
    _make(path)
    for kind, folder in (("corpus", "queue"), ("crashes", "crashes"), ("hangs", "hangs")):
        folder = f"{path}/{folder}"
        _make(folder)
        _clear(folder)
        for n in range(fz._native(kind)):
            data, found, _, parent, end = fz._native(kind, n)
            if found == 0:
                more = f"time:0,execs:0,orig:{n}"
            else:
                more = f"src:{parent:06},time:0,execs:{found},op:havoc"
            _write(folder, n, ("sig:11," if kind == "crashes" else "") + more, data)
    stats = (
        ("execs_done", fz.rounds),
        ("corpus_count", fz._native("corpus")),
        ("saved_crashes", fz._native("crashes")),
        ("saved_hangs", fz._native("hangs")),
        ("edges_found", len(fz.covered)),
        ("total_edges", len(fz.blocks)),
        ("exec_timeout", fz._ms),
        ("afl_banner", fz._vm.name),
        ("afl_version", "elapid"),
        ("target_mode", fz.cover),
    )
    with open(f"{path}/fuzzer_stats", "w") as file:
        for name, value in stats:
            file.write(f"{name:<18}: {value}\n")


def load(fz, path):
    try:
        os.stat(f"{path}/queue")
        path += "/queue"
    except OSError:
        pass  # a folder of inputs
    names = _names(path)
    for name in names:
        with open(f"{path}/{name}", "rb") as file:
            fz.add(file.read(fz.max))
    return len(names)


def drcov(fz, path, base):
    from .flow import sizes

    if fz.cover not in ("blocks", "steps"):
        raise ValueError('drcov is of addresses, which cover="blocks" and "steps" know')
    covered = fz.covered
    known = fz.blocks or sizes(fz._vm.cpu[fz._n], covered)
    base = min(known or (0,)) & -4096 if base is None else base
    end = max([at + size for at, size in known.items()] or [base])
    with open(path, "wb") as file:
        file.write(
            "DRCOV VERSION: 2\nDRCOV FLAVOR: elapid\nModule Table: version 2, count 1\n"
            "Columns: id, base, end, entry, path\n"
            f" 0, {base:#018x}, {end:#018x}, {0:#018x}, {fz._vm.name}\n"
            f"BB Table: {len(covered)} bbs\n".encode()
        )
        for at in covered:
            file.write(struct.pack("<IHH", at - base, known.get(at, 4), 0))
    return len(covered)
