# SPDX-License-Identifier: MIT
"""What the host puts onto the target once (remote.py): it keeps the objects that the host holds."""


class _Elapid:
    def __init__(self):
        self.kept = {}
        self.number = 0
        self.held = b""

    def give(self, value):
        """Print a value for the host: (..., number, type) for what is kept here."""
        print(
            "\x02" + self.pack(value) + "\x1f"
        )  # in one piece: a handler may print before and behind it

    def pack(self, value):
        kind = type(value)
        if value is None or kind in (bool, int, str, bytes):
            return repr(value)
        if kind is float and value - value == 0:  # not inf, not nan
            return repr(value)
        if kind is tuple:
            return "(" + "".join([self.pack(each) + "," for each in value]) + ")"
        if kind is list:
            return "[" + ",".join([self.pack(each) for each in value]) + "]"
        if kind is dict:
            items = [repr(key) + ":" + self.pack(item) for key, item in value.items()]
            return "{" + ",".join(items) + "}"
        self.number += 1
        self.kept[self.number] = value
        return "(...,%d,%r)" % (self.number, kind.__name__)

    def drop(self, numbers):
        for number in numbers:
            self.kept.pop(number, None)

    def vms(self, names):
        import hv

        return [
            (name, each)
            for name, each in names.items()
            if isinstance(each, hv.VM) and not each._vm.closed
        ]

    def find(self, name, names):
        """The VM that the prompt knows by this name, or that has it; None when there is none."""
        known = self.vms(names)
        for each, vm in known + [(vm.name, vm) for _, vm in known]:
            if each == name:
                return vm

    def vm(self, name, options, names):
        import hv

        found = self.find(name, names)
        if not found:
            found = names[name] = hv.VM(name, **options)
        return found

    def ipa(self, cpu, va):
        """Where an address of the guest's is, None when it is nowhere."""
        try:
            return cpu.translate(va)[0]
        except Exception:
            return None

    def places(self, vm, addresses):
        """Names of these, "" where there are none."""
        names = []
        for each in addresses:
            try:
                names.append(str(vm.symbol(each)))
            except Exception:
                names.append("")
        return names

    def seen(self, vm, most):
        """For a report: what there is to say of its last exit, the last lines of its traces, and hv.events()'s last."""
        from hv.event import peek
        from hv.why import why

        told = []
        try:
            told.append(("why", why(vm)))
        except Exception as error:  # there was none, or its memory is gone
            told.append(("why", repr(error)))
        for trace in vm._traces:
            told.append((trace.what, "\n".join([repr(one) for one in trace.peek(most)])))
        events = peek()[-most:]
        if events:
            told.append(("hv.events()", "\n".join([repr(one) for one in events])))
        return told

    def open(self):
        """The second line is the host's, for bytes."""
        import hv

        self.line = hv.serial(1)
        while self.line.read():  # what was for somebody before
            pass

    def receive(self, size):
        """So many bytes of the host, by the second line: kept as `held`, and returned."""
        self.held = bytearray(size)
        view, at = memoryview(self.held), 0
        while at < size:
            at += self.line.readinto(view[at:]) or 0
        return self.held

    def hold(self, data):
        """Bytes that the host fetches next. How many."""
        self.held = data
        return len(data)

    def view(self, start, size):
        return memoryview(self.held)[start : start + size]

    def send(self, view):
        at = 0
        while at < len(view):
            at += self.line.write(view[at : at + 4096]) or 0

    def show(self, view):
        import sys

        sys.stdout.buffer.write(b"\x02")
        sys.stdout.buffer.write(view)

    def poll(self, vm, ms):
        """What the guest has printed, waited for; whether it runs."""
        from time import sleep_ms, ticks_diff, ticks_ms

        start = ticks_ms()
        while not vm.console.any() and vm.running and ticks_diff(ticks_ms(), start) < ms:
            sleep_ms(1)
        runs = vm.running  # before the read: what a guest prints last is not missed
        return vm.console.read() or b"", runs


_elapid = _Elapid()
