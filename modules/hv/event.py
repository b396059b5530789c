# SPDX-License-Identifier: MIT
"""hv.events(): what rules with action "log" have seen."""

from collections import namedtuple

from _hv import event, mrs

from .syndrome import register


class Event(namedtuple("Event", ("us", "vmid", "cpu", "what", "write", "value", "pc", "lost"))):
    """What a rule with action "log" has seen. us: of the machine's counter; what: "hvc 0xc6000001",
    "SCTLR_EL1", "mmio 0xb000000"; lost: events overwritten before this one was taken out."""

    def __repr__(self):
        arrow = " = " if self.write else " "
        text = f"<Event {self.us} us: VMID {self.vmid} cpu {self.cpu} {self.what}{arrow}{self.value:#x} at pc {self.pc:#x}"
        return text + (f", {self.lost} lost before>" if self.lost else ">")


_MOST = 256  # as many as the ring has
_seen = []  # what peek() has taken out of the ring


def events() -> list:
    """Take all events out of the ring: a list, oldest first."""
    got = peek()
    _seen.clear()
    return got


def peek():
    """All events, which stay for events()."""
    got, frequency = _seen, mrs("CNTFRQ_EL0")
    while e := event():
        ticks, key, pc, value, cpu, ec, write, vmid, lost = e
        if ec == 0x18:  # the key is laid out as in ESR_EL2.ISS
            what = register(key)
        else:
            kind = {0x16: "hvc", 0x17: "smc", 0x3C: "break"}.get(ec, "mmio")
            what = f"{kind} {key:#x}"
        us = ticks * 1_000_000 // frequency
        got.append(Event(us, vmid, cpu, what, write, value, pc, lost))
    del got[:-_MOST]
    return list(got)
