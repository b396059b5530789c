# SPDX-License-Identifier: MIT
"""gdb on guests: hv.gdb(), by gdb-multiarch itself, and by hand where it would never go."""

import os
import random
import re
import select
import signal
import subprocess
import time

import pytest
from elapid.child import dies_with_parent
from harness import PATIENCE, ROOT
from secondline import SecondLine

HELLO = "build/guests/hello.elf"
DEBUGGEE = "build/guests/debuggee.elf"

SETUP = """
import hv
vm = hv.VM("guest", ram="16M", cpus=cpus)
vm.load(name)
@vm.hvc(0xC600_0001)
def add(cpu, x1, x2):
    return x1 + x2
@vm.mmio(0x0B00_0000, 0x1000)
def device(cpu, offset, value):
    return 0xCAFE
g = hv.gdb(vm)
"""


class Gdb:
    """gdb-multiarch, and a person at it."""

    def __init__(self, where, elf, *options):
        words = ["gdb-multiarch", "-nx", "-q", elf, "-ex", "set pagination off", *options]
        words += ["-ex", "set confirm off", "-ex", f"target remote {where}"]
        self.process = subprocess.Popen(
            words,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=dies_with_parent,
        )
        self.seen = ""
        self.prompts = 0
        try:
            self.banner = self("info inferiors")
        except AssertionError:
            self.close()
            raise

    def type(self, command):
        """Without waiting for what it says."""
        self.prompts += 1
        line = f"{command}\necho \\n@{self.prompts}@\\n\n"
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()

    def answer(self, seconds=20):
        """What the last command said."""
        return self.until(f"\n@{self.prompts}@\n", seconds).replace("(gdb) ", "").strip()

    def until(self, text, seconds=20):
        end, fresh = time.monotonic() + seconds * PATIENCE, b""
        while text not in self.seen:
            left = end - time.monotonic()
            if left > 0 and select.select([self.process.stdout], [], [], left)[0]:
                fresh = os.read(self.process.stdout.fileno(), 65536)
            if left <= 0 or not fresh:
                raise AssertionError(f"gdb did not say {text!r}; it said {self.seen}")
            self.seen += fresh.decode()
        said, _, self.seen = self.seen.partition(text)
        return said

    def __call__(self, *commands, seconds=20):
        """What gdb says at these, one after another."""
        said = []
        for command in commands:
            self.type(command)
            said.append(self.answer(seconds))
        return "\n".join(said).strip()

    def interrupt(self, target):
        """Ctrl-C at a `continue` that was typed, when the guest runs; what it says."""
        self.until("Continuing.")
        end = time.monotonic() + 20 * PATIENCE
        while "EL1h" not in target.monitor("info registers -a"):
            assert time.monotonic() < end, "the guest does not run"
        self.process.send_signal(signal.SIGINT)
        return self.answer()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Machine:
    """A target with a second line, and a guest."""

    def __init__(self, boot, gic, smp):
        self.line = SecondLine()
        self.debugger = None
        self.target = boot(gic=gic, smp=smp, args=self.line.args)

    def guest(self, elf, cpus=1):
        name = elf.rpartition("/")[2]
        if not self.target.eval(f"{name!r} in __import__('os').listdir()"):
            self.target.mpremote("cp", elf, ":")
        self.target.exec(f"cpus, name = {cpus}, {name!r}\n{SETUP}")
        return self.target

    def gdb(self, elf, *options):
        self.close()
        self.debugger = Gdb(self.line.path, elf, *options)
        return self.debugger

    def close(self):
        if self.debugger:
            self.debugger.close()
        self.debugger = None


@pytest.fixture(params=[(2, 1), (3, 1), (2, 4), (3, 4)], ids="gicv{0[0]}-smp{0[1]}".format)
def machine(request, boot):
    machine = Machine(boot, *request.param)
    yield machine
    machine.close()


two_machines = pytest.mark.parametrize(
    "machine", [(2, 1), (3, 4)], ids="gicv{0[0]}-smp{0[1]}".format, indirect=True
)


def test_session(machine):
    """break, stepi, next, step, finish, bt, registers of all kinds, monitor, detach: over to a prompt that lives."""
    target = machine.guest(HELLO)
    gdb = machine.gdb(HELLO)
    assert "Breakpoint 1, guest_main (x0=0) at hello/hello.c" in gdb(
        "break guest_main", "continue"
    )
    assert re.search(r"#0  guest_main .*\n#1 .* in _start", gdb("backtrace"))
    assert "<guest_main+" in gdb("stepi", "info registers pc sp")
    assert gdb("set $x5 = 0x1234", "p/x $x5").endswith("= 0x1234")
    assert gdb("set $v3.s[1] = 1.5", "p $v3.s[1]").endswith("= 1.5")
    assert gdb("p/x $VBAR_EL1").endswith("= 0x40080800")
    assert gdb("set $TPIDR_EL1 = 77", "monitor cpu.sysreg['TPIDR_EL1'], cpu.x[5]") == "(77, 4660)"
    assert gdb("monitor late = 5; print('late is', late)") == "late is 5"
    assert gdb("monitor 1/0") == "ZeroDivisionError: divide by zero"
    assert "Could not write" in gdb("set $ESR_EL2 = 1")
    assert ", print (text=" in gdb("break print", "continue")
    assert "Run till exit" in (text := gdb("finish")) and "hello/hello.c:" in text
    assert "(cpu 0 of guest, EL1)" in gdb("info threads")
    gdb("delete", "next")
    assert "print (text=" in gdb("step")
    assert "<VM guest: 1 cpus" in gdb("monitor vm")
    assert "gdb holds guest" in target.repl("vm.start()")
    assert "detached" in gdb("detach")
    assert target.eval("late") == 5
    # It has gone on by itself, with nothing left of gdb's in it.
    target.exec("import time\nwhile vm.running: time.sleep_ms(1)\nprint(vm.exit.reason)")
    said = target.eval("vm.console.read()").decode()
    assert "guest: 20 + 22 = 42\r\n" in said and "powering off" in said
    assert target.repl("1 + 1") == "2"


def test_two_cpus(machine):
    """Threads, conditions, finish, all backtraces, memory written, Ctrl-C, and attached again to what runs."""
    target = machine.guest(DEBUGGEE, cpus=2)
    target.exec("vm.start()")
    gdb = machine.gdb(DEBUGGEE)
    assert "Thread 1.1" in (text := gdb("info threads")) and "Thread 1.2" in text
    assert "work (w=" in gdb("break work if w->cpu == 1 && w->rounds % 7 == 3", "continue")
    assert gdb("p w->cpu", "p w->rounds % 7").endswith("= 3")
    text = gdb("thread apply all backtrace")
    assert re.search(r"#\d+ .*in guest_main", text) and re.search(
        r"#\d+ .*in guest_secondary", text
    )
    assert gdb("up", "p w->cpu", "down").partition("$")[2].startswith("3 = 1")
    before = int(gdb("p workers[1].rounds").split()[-1])
    assert "Run till exit" in gdb("finish")
    assert int(gdb("p workers[1].rounds").split()[-1]) == before + 1
    for n in (1, 2):  # stopped at each of its own: not one is missed
        assert "work (w=" in gdb("continue")
        assert int(gdb("p workers[1].rounds").split()[-1]) == before + 7 * n
    gdb("delete")
    for _ in range(10):
        gdb("stepi")
    assert "mix (sum=" in gdb("tbreak mix", "continue")
    assert "work (w=" in gdb("break work", "continue", "delete")
    assert "mix" in gdb("step", "step", "backtrace")
    assert "work (w=" in gdb("finish", "next")
    text = gdb("watch total", "continue")
    assert "hit Hardware watchpoint" in text and "work (w=" in text
    old, new = (int(n) for n in re.findall(r"(?:Old|New) value = (\d+)", text))
    assert new == old + 1
    text = gdb("delete", "rwatch workers[1].sum", "continue", "delete")
    assert "Thread 2 hit Hardware read watchpoint" in text
    gdb.type("continue")
    assert target.repl("1 + 1") == "2"
    assert "SIGINT" in gdb.interrupt(target)
    gdb.type("continue")
    target.exec("while not vm.running: pass")
    assert "True" in target.repl("vm.pause()")
    assert "SIGSTOP" in gdb.answer()
    assert "detached" in gdb("detach")
    assert target.eval("vm.running") is True
    gdb = machine.gdb(DEBUGGEE)
    gdb("set var enough = 77", "detach")
    target.exec("import time\nwhile vm.running: time.sleep_ms(1)\nprint(vm.exit.reason)")
    assert (
        "debuggee: 2 cpus, enough is 77, rounds right" in target.eval("vm.console.read()").decode()
    )


@two_machines
def test_ends(machine):
    """A guest that crashes, whose handler raises, that ends, that is closed: gdb is told, and the prompt lives."""
    target = machine.guest(HELLO)
    gdb = machine.gdb(HELLO)
    target.exec("vm.mmio(0x0B00_0000, 0x1000, None)")
    text = gdb("continue")
    assert "<Exit mmio: cpu 0" in text and "SIGSEGV" in text and "guest_main" in gdb("backtrace")
    target.exec("vm.mmio(0x0B00_0000, 0x1000, lambda cpu, offset, value: 1 // 0)")
    text = gdb("continue")
    assert "<Exit raised" in text and "SIGABRT" in text
    target.exec("vm.mmio(0x0B00_0000, 0x1000, None); vm.mmio(0x0B00_0000, 0x1000, device)")
    assert "exited normally" in gdb("continue")
    assert target.eval("vm.exit.reason") == "off"
    assert "is stopped" in target.repl("g")
    target.exec("vm.reset()")
    gdb = machine.gdb(HELLO)
    assert "_start" in gdb("p $pc")
    target.exec("vm.close()")
    assert "terminated with signal" in gdb("continue")
    assert "gdb: closed" in target.repl("g")
    target = machine.guest(DEBUGGEE, cpus=2)
    gdb = machine.gdb(DEBUGGEE)
    assert "work" in gdb("break work", "continue", "delete")
    gdb.type("continue")
    target.exec("while not vm.running: pass\nvm.close()")
    assert "terminated with signal" in gdb.answer()


@two_machines
def test_another_gdb(machine):
    """gdb is killed in the middle, at a breakpoint and while the guest runs: the next one finds all as it was."""
    target = machine.guest(DEBUGGEE, cpus=2)
    target.exec("vm.start()")
    for going in (False, True):
        gdb = machine.gdb(DEBUGGEE)
        word = gdb("x/wx work")
        gdb("break work", "continue")
        if going:
            gdb("delete")
            gdb.type("continue")
        gdb.close()
        assert target.repl("1 + 1") == "2"
        gdb = machine.gdb(DEBUGGEE)
        assert gdb("x/wx work") == word
        assert "cpu 1 of guest" in gdb("info threads")
        gdb("detach")
        assert target.eval("vm.running")
    target.exec("before = vm.memory.view(vm.symbol('total'), 8)[0]")
    target.exec("while vm.memory.view(vm.symbol('total'), 8)[0] == before: pass", seconds=30)
    target.exec("g.close(); vm.pause()")


def packet(text):
    data = text if isinstance(text, bytes) else text.encode()
    return b"$%s#%02x" % (data, sum(data) & 255)


MALFORMED = """m M X x g0 G G12 Gzz p pzz pffffffff P P5 P5= Pzz=00 P5=zz P22=11223344556677889900 P21=ffffffff Z Z0 Z9,0,4 Z0,zz
z0 z0,0 Z0,ffffffffffffffff,4 Z0,3,4 Z1,10000000000000000,4 H Hg Hgzz Hgp9.9 Hg7 T T9 Tp1.9 vCont vCont; vCont;q vCont;s:p9.1 vCont;r
vCont;r1 vCont;rz,z vKill;9 qXfer qXfer:features:read qXfer:features:read:target.xml:zz,1 qXfer:features:read:none.xml:0,10
qXfer:features:read:target.xml:ffffffff,10 qXfer:memory-map:read::0,fff qXfer:auxv:read::0,1000 qRcmd qRcmd, qRcmd,zz qRcmd,2f
qThreadExtraInfo qThreadExtraInfo,9 qC qC0 qSymbol:: qOffsets QNonStop:1 QThreadEvents:1 vFile:open:0 vRun; vAttach;1 ! R00
m0,4 m0,ffffffff mffffffffffffffff,8 M40080000,4 M40080000,4:12 X40080000,4:1 m40080000,0 M40080000,0: vMustReplyEmpty v q Q _ \x7f
qcall q__init__ qclose vclose q_class__ qRcmd,616263 qRcmd,31""".split()


@two_machines
def test_garbage(machine):
    """What no gdb sends, and what a line that is bad makes of what it does."""
    target = machine.guest(HELLO)
    line = machine.line.connect()
    line.send(packet("qSupported:error-message+"))
    assert b"PacketSize" in line.until(b"#", 20)
    line.until(2)
    line.send(packet("QStartNoAckMode"))
    line.until(b"+$OK#9a")
    for text in MALFORMED:
        line.send(packet(text))
        line.send(packet("qAttached"))  # the one before has been answered, or not, in some way
        assert line.until(b"$1#31"), text
    noise = random.Random(13)
    for n in range(200):
        line.send(noise.randbytes(noise.randrange(300)))
        line.send(b"$" + noise.randbytes(10).replace(b"#", b"") + b"#00#$" + b"z" * (n * 20))
    line.send(b"$" + b"m" * 100_000 + b"\x03\x03\x03" + b"+-" * 1000 + b"#")
    line.send(packet("qSupported:x+") + packet("QStartNoAckMode") + packet("?"))
    assert b"T05thread:p1.1;" in line.until(b"T05thread:p1.1;", 30)
    assert target.repl("1 + 1") == "2"
    machine.line.disconnect()
    gdb = machine.gdb(HELLO)
    assert "_start" in gdb("p $pc")
    assert "exited normally" in gdb("continue")


@two_machines
def test_over_the_console(machine):
    """With no second line the console is gdb's until it detaches; Ctrl-C gives it back when there is no gdb."""
    target = machine.guest(DEBUGGEE, cpus=2)
    target.exec("g.close()")
    for n in range(2):
        target.send("hv.gdb(vm, 0)\r")
        target.until("Ctrl-C: not now after all\n")
        gdb = Gdb(target.lend(), DEBUGGEE)
        assert "work (w=" in gdb("break work", "continue")
        assert re.search(r"#1 .*loop", gdb("backtrace"))
        assert "2" in gdb("monitor 1+1", "delete")
        gdb.type("continue")
        assert "SIGINT" in gdb.interrupt(target)
        if n == 0:
            assert "detached" in gdb("detach")
            assert target.eval("vm.running")
        gdb.close()
    target.send(b"\x03\x03")
    target.wait_prompt()
    assert target.eval("vm.running") is False
    target.send("hv.gdb(vm, 0)\r")
    target.until("Ctrl-C: not now after all\n")
    target.send(b"\x03")
    target.wait_prompt()
    assert target.repl("1 + 1") == "2"
