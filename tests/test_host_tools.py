# SPDX-License-Identifier: MIT
"""The command `elapid` on a target in the background: pictures, cores, drgn, completion."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import elapid
import pytest
from elapid import cli, core, drgn_bridge, vmcoreinfo
from elapid.say import Stop
from harness import ROOT

ELAPID = [sys.executable, "-m", "elapid"]
DEBUGGEE = ROOT / "build/guests/hello.elf"


def run(command, env=None, **options):
    done = subprocess.run(
        list(map(str, command)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | (env or {}),
        **options,
    )
    return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def serving(folder, *words):
    """A target in the background: its $ELAPID_STATE, to run() with, and the line that it announces."""
    env = {"ELAPID_STATE": str(folder)}
    status, said, errors = run([*ELAPID, "serve", *words], env)
    assert status == 0, errors
    yield env, said.strip().splitlines()[-1]
    run([*ELAPID, "stop"], env)


@pytest.fixture(scope="module")
def state(image, tmp_path_factory):
    """$ELAPID_STATE of a target in the background whose VM `mine` stands in print_dec()."""
    with serving(tmp_path_factory.mktemp("state"), "--smp", 2) as (env, line):
        with elapid.connect(line) as target:
            vm = target.vm("mine", ram="8M")
            vm.load(DEBUGGEE)
            vm.hvc(0xC600_0001, target.call("lambda cpu, a, b, *more: a + b"))
            vm.on("print_dec", action="stop")
            vm.run()
            assert vm.symbol(vm.cpu[0].pc) == "print_dec"
        yield env


def test_maps(state, tmp_path):
    picture = tmp_path / "map.svg"
    assert run([*ELAPID, "map", "mine", "-o", picture], state)[0] == 0
    assert "stage 2 of mine" in picture.read_text() and "0x000040080000" in picture.read_text()
    for words, shows in (([], ">EL2<"), (["mine", "--exits"], "data abort|HVC")):
        status, said, errors = run([*ELAPID, "map", *words], state)
        assert status == 0 and said.startswith("<svg ") and re.search(shows, said), errors
    status, said, errors = run([*ELAPID, "map", "other"], state)
    assert status == 1 and errors == "elapid: no VM other at the target's prompt; there is: mine\n"


def test_a_core_is_gdbs(state, tmp_path):
    path = tmp_path / "mine.core"
    status, said, errors = run([*ELAPID, "core", "mine", path], state)
    assert status == 0 and "is the core of mine" in said, errors
    status, said, errors = run(
        ["gdb-multiarch", "-batch", "-ex", "bt", "-ex", "info threads", DEBUGGEE, path]
    )
    assert re.search(r"^#0 +print_dec \(value=\d+\)", said, re.M), said + errors
    assert re.search(r"^#1 .* guest_main", said, re.M) and "LWP 1" in said, said
    assert path.stat().st_blocks * 512 <= path.stat().st_size  # holes where there are zeros


# What was wrong with the words, in one line: before anything is started, and in the middle of it.
WRONG = """
elapid: the following arguments are required: VERB; elapid --help tells more
nonsense|elapid: argument VERB: invalid choice: 'nonsense' (choose from 'run', 'repl', ...
run|elapid run: the following arguments are required: script; elapid run --help tells more
run nosuch.py|elapid: no such file: nosuch.py
repl --gic 4|elapid repl: argument --gic: invalid choice: 4 (choose from 2, 3); ...
repl --smp 0|elapid repl: argument --smp: a number from 1 on, not 0; ...
serve extra|elapid: unrecognized arguments: extra; ...
gdb|elapid gdb: the following arguments are required: elf; ...
gdb nosuch.elf|elapid gdb: argument elf: no such file: nosuch.elf; ...
debug nosuch.elf|elapid debug: argument elf: no such file: nosuch.elf; ...
map other|elapid: no VM other at the target's prompt; there is: mine
map mine -o /nosuch/x|elapid map: argument -o/--output: /nosuch/x: there is no folder /nosuch; ...
core mine|elapid core: the following arguments are required: FILE; ...
core mine /|elapid core: argument FILE: / is a folder; ...
core mine /dev/full|elapid: No space left on device
drgn mine -s nosuch|elapid drgn: argument -s/--symbols: no such file: nosuch; ...
drgn mine -s README.md|elapid: README.md is no 64-bit little-endian ELF file
trace|elapid trace: the following arguments are required: VM; ...
trace mine foo|elapid: ValueError: no exits of kind 'foo': exit, irq, ...
trace mine exit --seconds -1|elapid trace: argument --seconds: seconds, above 0, not -1; ...
trace mine exit --seconds nan|elapid trace: argument --seconds: seconds, above 0, not nan; ...
trace mine exit --size big|elapid: ValueError: a size is bytes or "64K", "64M", "1G", not 'big'
trace mine exit --script nosuch.py|elapid trace: argument --script: no such file: nosuch.py; ...
trace mine exit -o tests|elapid trace: argument -o/--output: tests is a folder; ...
pcap lan|elapid: no switch lan at the target's prompt; there is: none
pcap lan --frames none|elapid pcap: argument --frames: a number from 1 on, not none; ...
fuzz nosuch.elf|elapid fuzz: argument GUEST: no such file: nosuch.elf; ...
fuzz README.md --rounds 0|elapid fuzz: argument --rounds: a number from 1 on, not 0; ...
look --port 99999|elapid look: argument --port: a port is 0, for a free one, to 65535, not 99999; ...
lines README.md|elapid: aarch64-linux-gnu-nm: README.md: file format not recognized
draw map|elapid: no lines of a dump in what was printed
draw exits|elapid: no exits in what was printed, or none have been made yet
completion csh|elapid completion: argument shell: invalid choice: 'csh' (choose from 'bash', 'zsh', 'fish'); ...
"""


def wrong(capsys, words):
    """(status, stdout, stderr) of a command that ends while its words are read."""
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    return end.value.code, *capsys.readouterr()


def test_wrong_words(state, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    for case in WRONG.strip().splitlines():
        words, _, says = case.rpartition("|")
        command = words.split()
        if (
            says.startswith("elapid: ")
            and command
            and words != "nonsense"
            and "extra" not in words
        ):
            status, said, errors = run([*ELAPID, *command], state, cwd=ROOT)
        else:
            status, said, errors = wrong(capsys, command)
        begin = says.removesuffix("...").rstrip()
        assert status and not said and errors.startswith(begin), (words, errors)
        assert errors.count("\n") == 1 and (says != begin or errors == f"{begin}\n"), (
            words,
            errors,
        )
    # Who reads it may go; what is wrong with drgn's code is said as Python says it.
    status, _, errors = run([*ELAPID, "drgn", "mine", "-e", "1 / 0"], state)
    assert status == 1 and errors.startswith(
        'Traceback (most recent call last):\n  File "-e", line 1'
    )
    command = " ".join(map(str, [*ELAPID, "map"]))
    status, _, errors = run(["sh", "-c", f"{command} | true"], state)
    assert status == 0 and not errors


def test_drgn(state):
    """On a guest of our own with DWARF, without build ID."""
    code = "print(prog.symbol('print_dec').name, stack(), prog.type('unsigned long').size, hex(vm.cpu[0].pc))"
    code += "; print(prog.read(prog.symbol('_start').address, 4).hex(), vm.memory[0x4008_0000:0x4008_0004].hex())"
    command = [*ELAPID, "drgn", "mine", "-s", DEBUGGEE, "-e"]
    status, said, errors = run([*command, code], state)
    assert (
        status == 0 and said.startswith("print_dec #0  print_dec (") and "guest_main (" in said
    ), said + errors
    first, second = said.strip().splitlines()[-1].split()
    assert first == second != "00000000"
    status, said, errors = run([*command, "prog.read(1 << 40, 4)"], state)
    assert status != 0 and "FaultError: no such address in the guest" in errors
    with pytest.raises(Stop, match="no 64-bit little-endian ELF file"):
        drgn_bridge.loaded_at(ROOT / "README.md")


def test_the_prompt_is_as_it_was(state):
    with elapid.connect((Path(state["ELAPID_STATE"]) / "pty").read_text().strip()) as target:
        assert (
            target.exec("print(mine.cpu[0].where().frames[0][1], '_elapid' in globals())")
            == "print_dec False\n"
        )


def test_without_a_target(tmp_path):
    for words in (
        ["map"],
        ["core", "vm", tmp_path / "x"],
        ["drgn", "vm"],
        ["trace", "vm"],
        ["pcap"],
    ):
        status, said, errors = run([*ELAPID, *words], {"ELAPID_STATE": str(tmp_path)})
        assert status == 1 and errors.startswith("elapid: no target in the background"), words


def test_help_and_completion():
    status, said, errors = run([*ELAPID, "--help"])
    verbs = re.findall(r"^    (\w+) +\w", said, re.M)
    asked = "run repl serve gdb trace pcap core drgn fuzz map look"
    assert status == 0 and set(asked.split()) <= set(verbs)
    for verb in verbs:
        status, said, errors = run([*ELAPID, verb, "--help"])
        assert status == 0 and said.startswith(f"usage: elapid {verb}"), errors
    assert "complete" in run([*ELAPID, "completion", "bash"])[1]
    if shutil.which("bash"):
        asked = {
            "_ARGCOMPLETE": "1",
            "COMP_LINE": "elapid dr",
            "COMP_POINT": "9",
            "_ARGCOMPLETE_STDOUT_FILENAME": "/dev/stdout",
        }
        assert set(run([*ELAPID[:2], "elapid"], asked)[1].split("\v")) == {"draw", "drgn"}
    assert run([*ELAPID, "--version"])[1] == f"elapid {elapid.__version__}\n"


def test_linux_by_vmcoreinfo(image, tmp_path):
    """An unmodified Debian kernel, no debug information: its VMCOREINFO, its page tables, its core."""
    import drgn

    subprocess.run([sys.executable, ROOT / "tools/fetch_guests.py", "6.1-cloud"], check=True)
    with elapid.Target(mem="512M", disk=ROOT / "build/guests-debian/6.1-cloud") as target:
        vm = target.vm("linux", ram="256M")
        vm.linux("/disk/vmlinuz", initrd="/disk/initrd.gz", cmdline="console=ttyAMA0 quiet")
        assert vmcoreinfo.find(vm) is None
        vm.run_until("/ # ", seconds=120)
        vm.pause()
        info = vmcoreinfo.find(vm)
        assert info.startswith(b"OSRELEASE=6.1.") and b"\nSYMBOL(swapper_pg_dir)=" in info
        live = drgn_bridge.program(vm)
        assert live.flags & drgn.ProgramFlags.IS_LINUX_KERNEL
        names = int(re.search(rb"SYMBOL\(init_uts_ns\)=(\w+)", info)[1], 16)
        said = bytes(live.read(names, 400))  # by drgn's own walk of the tables
        assert said == vm.cpu[0].read(names, 400) and b"Linux\0" in said
        path = tmp_path / "linux.core"
        core.save(vm, path)
        dead = drgn.Program()
        dead.set_core_dump(str(path))
        assert dead.flags & drgn.ProgramFlags.IS_LINUX_KERNEL
        assert bytes(dead.read(names, 400)) == said
