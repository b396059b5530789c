# SPDX-License-Identifier: MIT
"""What the host puts onto the target once (remote.py): it keeps the objects that the host holds."""


class _Elapid:
    def __init__(self):
        self.kept = {}
        self.number = 0

    def give(self, value):
        """Print a value for the host: (..., number, type) for what is kept here."""
        print("\x02" + self.pack(value))

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

    def vm(self, name, options, names):
        import hv

        for each in [names.get(name)] + list(names.values()):
            if isinstance(each, hv.VM) and not each._vm.closed:
                if each is names.get(name) or each.name == name:
                    return each
        names[name] = hv.VM(name, **options)
        return names[name]

    def poll(self, vm, ms):
        """What the guest has printed, waited for; whether it runs."""
        from time import sleep_ms, ticks_diff, ticks_ms

        start = ticks_ms()
        while not vm.console.any() and vm.running and ticks_diff(ticks_ms(), start) < ms:
            sleep_ms(1)
        runs = vm.running  # before the read: what a guest prints last is not missed
        return vm.console.read() or b"", runs


_elapid = _Elapid()
