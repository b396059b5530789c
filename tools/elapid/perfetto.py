# SPDX-License-Identifier: MIT
"""Files that ui.perfetto.dev opens: the Trace Event Format (JSON, Chrome's too), and Perfetto's own protobuf, which is
a fifth as long. A VM is a process and its vCPUs are threads; the processes of a Linux are slices of tracks beside them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from .recording import Event, Recording


class Slice(NamedTuple):
    track: int
    name: str
    category: str
    begin: int
    end: int


def things(events: Iterable[Event], cpus: int) -> Iterator[Slice | Event]:
    """Slices, by when they end, and exits as they come. Tracks 0 to cpus - 1 are vCPUs, the next as many their processes."""
    inside: dict[int, int] = {}
    runs: dict[int, tuple[str, int]] = {}
    ns = 0
    for event in events:
        ns, cpu = event.ns, event.cpu
        if event.kind == "enter":
            inside[cpu] = ns
        elif event.kind == "leave":
            if cpu in inside:
                yield Slice(cpu, f"on core {event.core}", "sched", inside.pop(cpu), ns)
        elif event.kind == "switch":
            if cpu in runs:
                yield Slice(cpus + cpu, *_named(runs[cpu], ns))
            runs[cpu] = f"{event.what}-{event.value}", ns
        else:
            yield event
    for cpu, run in runs.items():
        yield Slice(cpus + cpu, *_named(run, ns))


def _named(run: tuple[str, int], end: int) -> tuple[str, str, int, int]:
    return run[0], "switch", run[1], end


def _title(event: Event) -> str:
    return f"{event.kind} {event.what}".rstrip()


def _details(event: Event) -> dict[str, str | int]:
    found: dict[str, str | int] = {"pc": hex(event.pc), "value": hex(event.value)}
    found["core"] = event.core
    return found | {name: text for name, text in (("at", event.at), ("task", event.task)) if text}


def tracks(recording: Recording) -> dict[int, str]:
    """Their names."""
    cpus = recording.cpus
    named = {n: f"vCPU {n}" for n in range(cpus)}
    used = sorted({event.cpu for event in recording if event.kind == "switch"})
    return named | {cpus + n: f"processes of vCPU {n}" for n in used}


def save(recording: Recording, path: Path) -> None:
    """JSON where the name ends so, else protobuf."""
    if path.suffix == ".json":
        with path.open("w") as text:
            write_json(recording, text)
    else:
        with path.open("wb") as file:
            write_protobuf(recording, file)


PID = 1
FIRST = 1000 * PID  # of a process's threads: 0 is none for Perfetto's reader of JSON


def write_json(recording: Recording, file: IO[str]) -> None:
    def about(tid: int, kind: str, name: str) -> dict[str, object]:
        return {"ph": "M", "pid": PID, "tid": FIRST + tid, "name": kind, "args": {"name": name}}

    first = [about(0, "process_name", recording.name)]
    first += [about(tid, "thread_name", name) for tid, name in tracks(recording).items()]
    file.write('{"displayTimeUnit": "ns", "traceEvents": [\n')
    file.write(",\n".join(map(json.dumps, first)))
    for thing in things(recording, recording.cpus):
        made: dict[str, object] = {"pid": PID}
        if isinstance(thing, Slice):
            made |= {
                "ph": "X",
                "tid": FIRST + thing.track,
                "name": thing.name,
                "cat": thing.category,
            }
            made |= {"ts": thing.begin / 1000, "dur": (thing.end - thing.begin) / 1000}
        else:
            made |= {"ph": "i", "s": "t", "tid": FIRST + thing.cpu, "name": _title(thing)}
            made |= {"cat": thing.kind, "ts": thing.ns / 1000, "args": _details(thing)}
        file.write(",\n" + json.dumps(made))
    file.write("\n]}\n")


# Protobuf: numbers of the fields are those of protos/perfetto/trace/ in Perfetto's source: TracePacket, TrackDescriptor,
# ProcessDescriptor, ThreadDescriptor, TrackEvent, DebugAnnotation.
BEGIN, END, INSTANT = 1, 2, 3


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _packet(*fields: bytes) -> bytes:
    return _field(1, b"".join(fields) + _field(10, 1))  # trusted_packet_sequence_id


def _track(number: int) -> int:
    return 0x1000 + number  # uuid; 0x1 is the process


def _event(kind: int, track: int, ns: int, *fields: bytes) -> bytes:
    said = _field(9, kind) + _field(11, _track(track)) + b"".join(fields)
    return _packet(_field(8, ns), _field(11, said))


def write_protobuf(recording: Recording, file: IO[bytes]) -> None:
    process = _field(1, PID) + _field(6, recording.name)
    file.write(_packet(_field(60, _field(1, 1) + _field(3, process)), _field(13, 1)))
    for number, name in tracks(recording).items():
        thread = _field(1, PID) + _field(2, PID + 1 + number) + _field(5, name)
        file.write(_packet(_field(60, _field(1, _track(number)) + _field(4, thread))))
    for thing in things(recording, recording.cpus):
        if isinstance(thing, Slice):
            named = _field(22, thing.category) + _field(23, thing.name)
            file.write(_event(BEGIN, thing.track, thing.begin, named))
            file.write(_event(END, thing.track, thing.end))
            continue
        said = [_field(22, thing.kind), _field(23, _title(thing))]
        for name, value in _details(thing).items():
            said.append(_field(4, _field(10, name) + _field(3 if name == "core" else 6, value)))
        file.write(_event(INSTANT, thing.cpu, thing.ns, *said))
