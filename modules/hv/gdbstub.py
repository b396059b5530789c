# SPDX-License-Identifier: MIT
"""gdb on a guest: the remote serial protocol (gdb's manual, appendix E), spoken at EL2.

A VM is a process, a vCPU a thread. All of a VM stops at once, by vm.pause(), and its time with it. Memory is read and
written by the vCPU's own translation. `monitor` is Python, with the names of the prompt, and `vm` and `cpu`.
"""

import struct
from binascii import hexlify, unhexlify

from umachine import UART, Timer

import hv

_PACKET = 0x4000  # bytes of a packet, in either direction
_FEATURES = (
    b"QStartNoAckMode+;multiprocess+;swbreak+;hwbreak+;vContSupported+;qXfer:features:read+"
    b";error-message+;binary-upload+"
)
_SP, _PC, _CPSR, _V0, _FPSR, _FPCR, _EL1 = 31, 32, 33, 34, 66, 67, 68
_SYSREGS = (
    "SCTLR_EL1 TTBR0_EL1 TTBR1_EL1 TCR_EL1 MAIR_EL1 VBAR_EL1 ESR_EL1 FAR_EL1 ELR_EL1 SPSR_EL1 PAR_EL1 SP_EL0 SP_EL1"
    " TPIDR_EL0 TPIDRRO_EL0 TPIDR_EL1 CONTEXTIDR_EL1 CPACR_EL1 CNTKCTL_EL1 MDSCR_EL1"
).split()
_EL2 = (("ESR_EL2", "esr"), ("FAR_EL2", "far"), ("HPFAR_EL2", "hpfar"))  # of the last exit
# gdb's numbers of signals, by what an exit is (hv.Exit.reason).
_SIGNALS = {"mmio": 11, "fetch": 11, "memory": 11, "raised": 6, "stop": 5, "breakpoint": 5}
_SIGNALS.update({"step": 5, "watchpoint": 5, "timeout": 17, "interrupt": 17, "idle": 17})
_INT, _ILL, _TRAP, _STOP = 2, 4, 5, 17

_stubs = []


def gdb(vm, line=None):
    """Let gdb attach to a VM, by a serial line of the machine: a number or a stream of hv.serial(); by itself the
    second one, if there is one. Then the prompt stays, and this returns at once; close() of what it returns ends it.
    The console it takes until gdb detaches; Ctrl-C twice ends it when gdb is gone.
    """
    if not hasattr(vm, "memory"):
        raise TypeError(f"gdb() takes a VM, not {vm!r}")
    if line is None:
        line = hv.serial()[:2][-1]
    elif isinstance(line, int):
        line = hv.serial(line)
    for each in _stubs[:]:
        if each.vm is vm or each.line is line:
            each.close()
    stub = Stub(vm, line)
    if not isinstance(line, UART):
        line.irq(stub.pump)
        return stub
    return stub.take_console()


class _Error(Exception):
    pass


class Stub:
    """gdb's other end, on one line, of one VM."""

    def __init__(self, vm, line):
        self.vm = vm
        self.line = line
        self.engine = None
        self._pid = vm._vm.vmid or 1
        self._memory = bytearray(8192)  # all that a line holds
        self._in = self._out = self._last = b""
        self._timer = None
        self._gone = False  # the VM has been closed
        self._done = False  # the console is to be given back
        self._goes_on = False  # it ran when gdb came, or gdb has let it run
        self._breaks_in_a_row = 0  # Ctrl-C with nothing to interrupt
        self._let_go()
        self.going = vm.running  # the VM runs, and gdb is owed a reply when it stops
        vm._debugger = self
        _stubs.append(self)

    def __repr__(self):
        if self not in _stubs or self._gone:
            return "<gdb: closed>"
        state = "runs" if self.going else "is held" if self.connected else "is stopped"
        return f"<gdb of {self.vm.name}, which {state}, on {self.line}>"

    def _let_go(self):
        # As before gdb came.
        self.connected = False  # gdb has spoken, and not detached
        self._noack = self._messages = self._physical = False
        self._cpu = 0  # that g, m and so on are about
        self._signal = _TRAP
        self._wanted = 0  # why it is being stopped
        engine, self.engine = self.engine, None
        if engine:
            engine.close()

    @property
    def holds(self):
        """Whether the VM stands still because gdb wants it so."""
        return self.connected and not self.going

    def close(self) -> None:
        """No gdb any more. What it had planted is gone; the VM stays as it is."""
        if self in _stubs:
            _stubs.remove(self)
            if not isinstance(self.line, UART):
                self.line.irq(None)
            self._let_go()
            self._done = True
            if self.vm._debugger is self:
                self.vm._debugger = None

    # -- The line

    def take_console(self):
        # Until gdb detaches: the line is the prompt's as well.
        import select

        import micropython

        print("gdb: target remote, on this line. Ctrl-C: not now after all")
        poll = select.poll()
        poll.register(self.line, select.POLLIN)
        try:
            while not self._done:
                poll.poll(-1)
                self.pump(self.line)
                if self.connected:
                    micropython.kbd_intr(-1)
        except KeyboardInterrupt:
            pass
        finally:
            micropython.kbd_intr(3)
            self.close()

    def pump(self, line):
        """Something has come, or there is room again."""
        n = 0
        if not self._flush():
            n = line.readinto(self._memory) or 0
        self._in += bytes(memoryview(self._memory)[:n])
        while self._in and not self._flush() and self._next():
            pass

    def _flush(self):
        # What is left to be written. Between two lines of this, gdb may have answered, and pump() have run.
        while self._out:
            out, self._out = self._out, b""
            n = self.line.write(out) or 0
            if n < len(out):
                self._out = out[n:] + self._out
                return True
        return False

    def _next(self):
        # Takes the next packet, or a byte that is none. False: it has not all come.
        data = self._in
        start = data.find(b"$")
        if start != 0:
            between = data if start < 0 else data[:start]
            self._in = data[len(between) :]
            for _ in range(min(between.count(b"\x03"), 3)):
                self._interrupted()
            if b"-" in between and not self._noack:
                self._out += self._last
            return True
        end = data.find(b"#")
        if end < 0 or len(data) < end + 3:
            if len(data) > 2 * _PACKET + 16:
                self._in = b""  # no packet of ours is so long
            return False
        self._in = data[end + 3 :]
        packet = data[data.rfind(b"$", 0, end) + 1 : end]
        good = b"%02x" % (sum(packet) & 255) == data[end + 1 : end + 3].lower()
        if good and packet.startswith(b"qSupported"):
            self._let_go()  # another gdb: the last one has said no good-bye
            self.going = self.vm.running
        if not self._noack:
            self._out += b"+" if good else b"-"
        if good:
            self._answer(packet)
        return True

    def _send(self, payload):
        if isinstance(payload, str):
            payload = payload.encode()
        self._last = b"$" + payload + b"#%02x" % (sum(payload) & 255)
        self._out += self._last
        self._flush()

    def _say(self, text):
        # In gdb's window.
        data = hexlify(text.encode())
        for at in range(0, len(data), _PACKET - 16):
            self._send(b"O" + data[at : at + _PACKET - 16])

    # -- Packets

    def _answer(self, packet):
        self.connected = True
        self._breaks_in_a_row = 0
        try:
            reply = self._without(packet) if self._gone else self._packet(packet)
        except KeyboardInterrupt:
            raise
        except Exception as error:
            reply = self._error(error)
        if reply is not None:
            self._send(reply)

    def _error(self, error):
        if not self._messages:
            return "E01"
        text = str(error) or type(error).__name__
        clean = [c if " " <= c < "\x7f" and c not in "#$}*" else "?" for c in text[:500]]
        return "E." + "".join(clean)

    def _packet(self, packet):
        kind, rest = packet[:1], packet[1:]
        if kind in b"qQv" and kind:
            name = packet.split(b":")[0].split(b",")[0].split(b";")[0].split(b"?")[0]
            handler = getattr(self, "_" + name.decode(), None) if name.isalpha() else None
            return handler(packet[len(name) + 1 :]) if handler else ""
        handler = getattr(self, _LETTERS.get(kind, ""), None)
        return handler(rest) if handler else ""

    def _qSupported(self, theirs):
        self._messages = b"error-message+" in theirs
        flash = b";qXfer:memory-map:read+" if self.vm._flash else b""
        back = b";ReverseStep+;ReverseContinue+" if len(self.vm.cpu) == 1 else b""
        return b"PacketSize=%x;" % _PACKET + _FEATURES + flash + back

    def _QStartNoAckMode(self, rest):
        self._send("OK")
        self._noack = True

    def _qAttached(self, rest):
        return "1"

    def _qC(self, rest):
        return "QC" + self._thread_id(self._cpu)

    def _qSymbol(self, rest):
        return "OK"

    def _qfThreadInfo(self, rest):
        return "m" + ",".join([self._thread_id(i) for i in range(len(self.vm.cpu))])

    def _qsThreadInfo(self, rest):
        return "l"

    def _qThreadExtraInfo(self, rest):
        cpu = self.vm.cpu[self._thread(rest)]
        return hexlify(f"cpu {cpu.id} of {self.vm.name}, EL{cpu.pstate >> 2 & 3}".encode())

    def _qXfer(self, rest):
        what, verb, annex, part = rest.split(b":", 3)
        text = {b"features": _description, b"memory-map": self._map}.get(what)
        if not text or verb != b"read" or annex not in (b"", b"target.xml"):
            return ""
        start, size = [int(each, 16) for each in part.split(b",")]
        data = text().encode()
        piece = data[start : start + min(size, _PACKET - 16)]
        return (b"m" if start + len(piece) < len(data) else b"l") + _escaped(piece)

    def _map(self):
        # Flash makes gdb take hardware breakpoints; whatever else there may be is RAM to it.
        regions, at = [], 0
        for ipa, size in sorted(self.vm._flash):
            regions += [("ram", at, ipa - at), ("rom", ipa, size)]
            at = ipa + size
        regions.append(("ram", at, (1 << 64) - at))
        lines = [
            f'<memory type="{kind}" start="{start:#x}" length="{size & (1 << 64) - 1:#x}"/>'
            for kind, start, size in regions
            if size
        ]
        return f"<memory-map>{''.join(lines)}</memory-map>"

    def _qRcmd(self, rest):
        code = unhexlify(rest).decode().strip()
        if code in ("phys on", "phys off"):
            self._physical = code == "phys on"
            return "OK"
        said = _run(code or "vm", {"vm": self.vm, "cpu": self.vm.cpu[self._cpu]})
        if said:
            self._say(said)
        return "OK"

    def _vMustReplyEmpty(self, rest):
        return ""

    def _vKill(self, rest):
        self._stop_for_good()
        return "OK"

    def _kill(self, rest):
        self._stop_for_good()

    def _detach(self, rest):
        self._send("OK")
        self._let_go()
        self._done = True
        if self._goes_on and not self.vm.running:
            self.vm.start()
        self.going = self.vm.running

    def _stop_for_good(self):
        self.going = self._goes_on = False
        self.vm.pause()
        self._let_go()
        self._done = True

    # -- Threads

    def _thread_id(self, n):
        return f"p{self._pid:x}.{n + 1:x}"

    def _thread(self, text):
        """The vCPU that a thread-id names; any and all are 0 and -1."""
        if text[:1] == b"p":
            pid, _, text = text[1:].partition(b".")
            if int(pid, 16) not in (0, -1, self._pid):
                raise _Error("no such process")
        n = int(text, 16) if text else -1
        if n <= 0:
            return self._cpu
        if n > len(self.vm.cpu):
            raise _Error("no such thread")
        return n - 1

    def _choose(self, rest):
        n = self._thread(rest[1:])
        if rest[:1] == b"g":
            self._cpu = n
        return "OK"

    def _is_alive(self, rest):
        self._thread(rest)
        return "OK"

    # -- Registers

    def _get_register(self, n):
        cpu = self.vm.cpu[self._cpu]
        if n < _SP:
            return struct.pack("<Q", cpu.x[n])
        if n < _CPSR:
            return struct.pack("<Q", cpu.pc if n == _PC else cpu.sp)
        if n == _CPSR:
            return struct.pack("<I", cpu.pstate & 0xFFFF_FFFF)
        if n < _FPSR:
            return cpu.q[n - _V0].to_bytes(16, "little")
        if n < _EL1:
            return struct.pack("<I", cpu.fpsr if n == _FPSR else cpu.fpcr)
        n -= _EL1
        if n < len(_SYSREGS):
            return struct.pack("<Q", cpu.sysreg[_SYSREGS[n]])
        return struct.pack("<Q", getattr(cpu.exit, _EL2[n - len(_SYSREGS)][1]))

    def _set_register(self, n, data):
        cpu = self.vm.cpu[self._cpu]
        value = int.from_bytes(data, "little")
        if n < _SP:
            cpu.x[n] = value
        elif n == _SP:
            cpu.sp = value
        elif n == _PC:
            cpu.pc = value
        elif n == _CPSR:
            cpu.pstate = value
        elif n < _FPSR:
            cpu.q[n - _V0] = value
        elif n == _FPSR:
            cpu.fpsr = value
        elif n == _FPCR:
            cpu.fpcr = value
        elif n - _EL1 < len(_SYSREGS):
            cpu.sysreg[_SYSREGS[n - _EL1]] = value
        else:
            raise _Error("registers of EL2 are read-only: they tell of the last exit")

    def _read_registers(self, rest):
        # The core's; gdb asks for the others when somebody looks at them.
        return hexlify(b"".join([self._get_register(n) for n in range(_V0)]))

    def _write_registers(self, rest):
        data, at = unhexlify(rest), 0
        for n in range(_V0):
            size = 4 if n == _CPSR else 8
            if at + size <= len(data):
                self._set_register(n, data[at : at + size])
            at += size
        return "OK"

    def _read_register(self, rest):
        return hexlify(self._get_register(int(rest, 16)))

    def _write_register(self, rest):
        n, data = rest.split(b"=")
        self._set_register(int(n, 16), unhexlify(data))
        return "OK"

    # -- Memory

    def _pieces(self, at, size):
        # By page: (offset, how many bytes, IPA or None: that vCPU has no RAM there).
        done = 0
        while done < size:
            some = min(size - done, 0x1000 - (at + done & 0xFFF))
            yield done, some, self._ipa(at + done)
            done += some

    def _ipa(self, at):
        if self._physical:
            return at
        cpu = self.vm.cpu[self._cpu]
        if not cpu.read(at, 1):
            return None
        return cpu.translate(at)[0]  # by now it is there

    def _load(self, rest, most):
        at, size = [int(each, 16) for each in rest.split(b",")]
        data = b""
        for _, some, ipa in self._pieces(at, min(size, most)):
            if ipa is None:
                break
            data += self.vm.memory[ipa : ipa + some]  # without what breakpoints have planted
        if size and not data:
            raise _Error(f"nothing is mapped at {at:#x}, or no RAM")
        return data

    def _store(self, head, data):
        at, size = [int(each, 16) for each in head.split(b",")]
        if len(data) != size:
            raise _Error("not so many bytes")
        pieces = list(self._pieces(at, size))
        for offset, _, ipa in pieces:
            if ipa is None:
                raise _Error(f"nothing is mapped at {at + offset:#x}, or no RAM")
        for offset, some, ipa in pieces:
            self.vm.memory[ipa : ipa + some] = data[offset : offset + some]
        return "OK"

    def _read_hex(self, rest):
        return hexlify(self._load(rest, _PACKET // 2 - 8))

    def _read_binary(self, rest):
        return b"b" + _escaped(self._load(rest, _PACKET // 2 - 8))

    def _write_hex(self, rest):
        head, _, data = rest.partition(b":")
        return self._store(head, unhexlify(data))

    def _write_binary(self, rest):
        head, _, data = rest.partition(b":")
        return self._store(head, _unescaped(data))

    # -- Going and stopping

    def _engine(self):
        if not self.engine:
            from .gdbengine import Engine

            self.engine = Engine(self.vm)
        return self.engine

    def _insert(self, rest):
        return self._point(rest, True)

    def _remove(self, rest):
        return self._point(rest, False)

    def _point(self, rest, insert):
        kind, at, size = [int(each, 16) for each in rest.split(b";")[0].split(b",")]
        known = self._engine().point(insert, kind, at, size, self.vm.cpu[self._cpu])
        return "OK" if known else ""

    def _vCont(self, rest):
        if rest == b"":  # vCont?
            return "vCont;c;C;s;S;t;r"
        orders = [None] * len(self.vm.cpu)
        for action in rest.split(b";"):
            action, _, who = action.partition(b":")
            if not action or action[:1] not in b"cCsSrt":
                raise _Error("no such action")
            everybody = not who or who[-2:] == b"-1"
            for i in range(len(orders)) if everybody else (self._thread(who),):
                orders[i] = orders[i] or action
        return self._resume(orders)

    def _continue(self, rest):
        return self._resume([b"c"] * len(self.vm.cpu))

    def _step(self, rest):
        orders = [None] * len(self.vm.cpu)
        orders[self._cpu] = b"s"
        return self._resume(orders)

    def _resume(self, orders):
        if self.going or not any(orders):
            raise _Error("it runs" if self.going else "nobody is to go on")
        steps, runs = {}, False
        for i, order in enumerate(orders):
            if order and order[:1] in b"sS":
                steps[i] = None
            elif order and order[:1] == b"r":
                start, end = [int(each, 16) for each in order[1:].split(b",")]
                steps[i] = (start, end)
            runs = runs or (order and order[:1] in b"cC")
        self._wanted = 0
        self.going = self._goes_on = True
        try:
            self._engine().resume(steps, runs)
        except BaseException:
            self.going = False
            raise
        return None

    def _reverse(self, rest):
        if self.going or rest not in (b"s", b"c"):
            raise _Error("it runs" if self.going else "bs or bc")
        if not self.vm._record:
            self._say("nothing is recorded to go back in: monitor vm.record()\n")
            raise _Error("no record")
        self._cpu, self._signal, reason = self._engine().back(rest == b"s")
        return self._stopped(reason)

    def _why(self, rest):
        if self.going:
            self._goes_on = True
            self._stop(_TRAP)
            return None
        return self._stopped()

    def _interrupted(self):
        # Byte 3.
        if self.going:
            self._stop(_INT)
            return
        self._breaks_in_a_row += 1
        if self._breaks_in_a_row > 1:
            self._done = True

    def _stop(self, signal):
        self._wanted = signal
        if not self.vm.pause() and self.going:
            self.at_rest(None)  # it did not run any more
        elif self.going and not self._timer:
            # It is in a handler of its own, below us: when that returns.
            self._timer = Timer(-1, mode=Timer.PERIODIC, period=5, callback=self._look)

    def _look(self, timer):
        if self.going and not self.vm.running:
            self.at_rest(None)
        if not self.going:
            timer.deinit()
            self._timer = None

    def at_rest(self, exit):
        """From hv.VM: it has stopped; exit None: somebody has stopped it."""
        if not self.going:
            return
        self.going = False
        found = self.engine and self.engine.at_rest(exit)
        if not self.connected:
            return
        if found:
            self._cpu, self._signal, reason = found
        elif exit is None or self._wanted:
            self._signal, reason = self._wanted or _STOP, ""
        else:
            self._cpu, self._signal, reason = exit.cpu.id, _SIGNALS.get(exit.reason, _ILL), ""
            if exit.reason == "off":
                self._let_go()
                self._done = True
                self._send(f"W00;process:{self._pid:x}")
                return
            if exit.reason != "stop":
                self._say(f"{self.vm.name}: {exit}\n")
        self._send(self._stopped(reason))

    def _stopped(self, reason=""):
        cpu = self.vm.cpu[self._cpu]
        values = ((29, cpu.x[29]), (30, cpu.x[30]), (_SP, cpu.sp), (_PC, cpu.pc))
        registers = "".join(
            [f"{n:x}:{hexlify(struct.pack('<Q', v)).decode()};" for n, v in values]
        )
        return f"T{self._signal:02x}thread:{self._thread_id(self._cpu)};{reason}{registers}"

    def closed(self):
        """From hv.VM: it is no more."""
        self.engine = None
        if self.going and self.connected:
            self._send(self._end())
        if self.going or not self.connected:
            self.close()
        self._gone = True

    def _end(self):
        return f"X09;process:{self._pid:x}"

    def _without(self, packet):
        # gdb does not know yet that there is no VM any more: it asks.
        kind = packet[:1]
        if kind in b"qQ" or packet == b"vCont?":
            return self._packet(packet)
        if kind not in b"?vcCsSDk":
            return "E01"
        self._send("OK" if kind == b"D" else self._end())
        self.close()
        return None


_LETTERS = {
    b"?": "_why",
    b"D": "_detach",
    b"k": "_kill",
    b"H": "_choose",
    b"T": "_is_alive",
    b"g": "_read_registers",
    b"G": "_write_registers",
    b"p": "_read_register",
    b"P": "_write_register",
    b"m": "_read_hex",
    b"M": "_write_hex",
    b"x": "_read_binary",
    b"X": "_write_binary",
    b"Z": "_insert",
    b"z": "_remove",
    b"c": "_continue",
    b"C": "_continue",
    b"s": "_step",
    b"S": "_step",
    b"b": "_reverse",
}


def _escaped(data):
    for c in b"}#$*":
        data = data.replace(bytes((c,)), bytes((0x7D, c ^ 0x20)))
    return data


def _unescaped(data):
    head, *rest = data.split(b"}")
    for piece in rest:
        # A brace behind a brace is none: 0x5D is what it stands for.
        head += bytes((piece[0] ^ 0x20,)) + piece[1:] if piece else b""
    return head


def _run(code, names):
    """Python of the prompt's, with these names besides. What it printed, and what it came to."""
    import builtins

    import __main__

    said = []

    def to_gdb(*values, sep=" ", end="\n", file=None):
        said.append(sep.join([str(value) for value in values]) + end)

    everything, before = __main__.__dict__, builtins.print
    builtins.print = to_gdb
    try:
        try:
            value = eval(code, everything, names)
            if value is not None:
                said.append(repr(value) + "\n")
        except SyntaxError:
            mine = dict(names)
            exec(code, everything, mine)
            for name, value in mine.items():
                if name not in names:
                    everything[name] = value
    except Exception as error:
        said.append(f"{type(error).__name__}: {error}\n")
    finally:
        builtins.print = before
    return "".join(said)


def _description():
    """The registers of a vCPU, for gdb (its manual, appendix G)."""

    def reg(name, bits, kind):
        return f'<reg name="{name}" bitsize="{bits}" type="{kind}"/>'

    core = [reg(f"x{n}", 64, "int") for n in range(31)]
    core += [reg("sp", 64, "data_ptr"), reg("pc", 64, "code_ptr"), reg("cpsr", 32, "int")]
    views = ("d", "ieee_double", 2), ("s", "ieee_single", 4), ("q", "uint128", 1)
    fpu = [f'<vector id="v{k}" type="{kind}" count="{n}"/>' for k, kind, n in views]
    fields = [f'<field name="{k}" type="v{k}"/>' for k, kind, n in views]
    fpu += [f'<union id="vreg">{"".join(fields)}</union>']
    fpu += [reg(f"v{n}", 128, "vreg") for n in range(32)]
    fpu += [reg("fpsr", 32, "int"), reg("fpcr", 32, "int")]
    names = _SYSREGS + [name for name, _ in _EL2]
    system = [f'<reg name="{name}" bitsize="64" type="int" group="system"/>' for name in names]
    features = (
        ("org.gnu.gdb.aarch64.core", core),
        ("org.gnu.gdb.aarch64.fpu", fpu),
        ("elapid.aarch64.system", system),
    )
    parts = [f'<feature name="{name}">{"".join(what)}</feature>' for name, what in features]
    head = '<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target version="1.0">'
    return f"{head}<architecture>aarch64</architecture>{''.join(parts)}</target>"
