# SPDX-License-Identifier: MIT
"""hv.events(): what rules with action "log" have seen."""

from collections import namedtuple

from _hv import event, mrs, sysreg

# us: of the machine's counter. what: "hvc 0xc6000001", "SCTLR_EL1", "mmio 0xb000000". lost: events that
# were overwritten before this one was taken out.
Event = namedtuple("Event", ("us", "vmid", "cpu", "what", "write", "value", "pc", "lost"))


def events():
    """Take all events out of the ring: a list, oldest first."""
    got = []
    while e := event():
        ticks, key, pc, value, cpu, ec, write, vmid, lost = e
        if ec == 0x18:  # the key is laid out as in ESR_EL2.ISS
            op0, op2, op1, crn, crm = key >> 20, key >> 17 & 7, key >> 14 & 7, key >> 10 & 15, key >> 1 & 15
            what = sysreg(op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2)[0]
        else:
            what = f"{ {0x16: 'hvc', 0x17: 'smc'}.get(ec, 'mmio') } {key:#x}"
        got.append(Event(ticks * 1_000_000 // mrs("CNTFRQ_EL0"), vmid, cpu, what, write, value, pc, lost))
    return got
