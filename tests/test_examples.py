# SPDX-License-Identifier: MIT
"""Each example, run as its first line says, on both kinds of machine; and by make run SCRIPT=..."""

import re
import subprocess

import pytest
from harness import ROOT

# Lines that an example must print, in this order, others between them. `...` stands for anything.
SHOWS = {
    "registers": """
        MIDR_EL1 0x410fd034 (Implementer=0x41 Architecture=0xf PartNum=0xd03 Revision=4)
        SCTLR_EL2 0x30c5183d (I=1 SA=1 C=1 M=1)
        the counter runs at 62.5 MHz
        Cortex-A53
        MAIR_EL1 0xff000000 (Attr3=0xff)
        HCR_EL2
        HCR_EL2 0x80000001 (RW=1 VM=1) 0x80000001
        ESR_EL2 0x5a000007 (EC=0x16 IL=1 ISS=7)
        Data abort from a lower EL (EC 0x24): translation fault, level 1; 4-byte load into w2
        Fault: S3_7_C15_C15_7 cannot be read: ...
        ValueError: SCTLR_EL2: EL2's own MMU and caches (unsafe=True insists)
    """,
    "stage2": """
        stop with 1 in memory
        0x0040100000-0x004010ffff ... 16 x 4K rwx normal
        <Exit mmio: cpu 0 at pc 0x40080008, esr 0x93c1804f, write at ipa 0x40100000, va 0x40100000>
        Data abort from a lower EL (EC 0x24): permission fault, level 3; 8-byte store from x1
        stop with 2 in memory
        stop with 3 in memory
        0x0040100000-0x0040100fff ... 1 x 4K rw- normal*
        0x0080000000-0x0080000fff ... 1 x 4K rwx normal*
        ['0x80000000', '0x...'] are the IPA and the machine's address
    """,
    "mmio_device": """
        guest: this text comes from Python, byte by byte
        python: 0x9000000 stored at offset 4, pc 0x40080018
        <Exit off: cpu 0 at pc 0x40080024>
        python: 49 bytes went to the console
    """,
    "sysreg_trap": """
        HCR_EL2 ... TVM=1 ... TID3=1 ...
        the guest writes SCTLR_EL1 0x30d01800 (I=1) at 0x4008000c
        <Exit stop: cpu 0 at pc 0x40080014>
        the core has ID_AA64ISAR0_EL1 0x11120 (CRC32=1 SHA2=1 SHA1=1 AES=2)
        the guest sees ID_AA64ISAR0_EL1 0x11100 (CRC32=1 SHA2=1 SHA1=1)
        ACTLR_EL1 read as 0x42, 1 time
    """,
    "exceptions": """
        vector 0x200 from 0x40080010: SVC in AArch64 state (EC 0x15): SVC #0x7
        vector 0x200 from 0x40080014: Unknown reason (EC 0x00)
        vector 0x200 from 0x40080018: BRK in AArch64 state (EC 0x3c): BRK #0x3
        <Exit stop: cpu 0 at pc 0x4008001c>
        the system call gave 420
    """,
}


def shows(name, text):
    lines = (
        re.escape(line.strip()).replace(r"\.\.\.", ".*")
        for line in SHOWS[name].strip().split("\n")
    )
    assert re.search(r"\n(.*\n)*".join(lines), text), f"{text}\nis not as\n{SHOWS[name]}"
    assert "Traceback" not in text


@pytest.mark.parametrize("name", SHOWS)
def test_mpremote_run(each_target, name):
    script = f"examples/{name}.py"
    assert f"mpremote run {script}" in (ROOT / script).read_text().splitlines()[0]
    shows(name, each_target.mpremote("run", script).replace("\r", ""))


def test_make_run(image):
    """The example's names are at the prompt afterwards, as after typing it."""
    done = subprocess.run(
        ["make", "-s", "run", "SCRIPT=examples/stage2.py", "GIC=3", "SMP=4"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done
    shows("stage2", done.stdout)
