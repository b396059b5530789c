"""A virtio device of your own: make run SCRIPT=examples/virtio_device.py COPY=build/guests/virtio.elf"""

import hv
from hv.virtio import Device


class Notes(Device):
    """Remembers words for a guest: "key=value" keeps one, "key" asks for it."""

    id = 99
    config = b"notes in Python"

    def __init__(self):
        super().__init__()
        self.kept = {"colour": "blue"}

    def request(self, queue, r):
        key, put, value = r.read().decode().partition("=")
        if put:
            self.kept[key] = value
        r.write(self.kept.get(key, "?").encode())


vm = hv.VM("notes", ram="2M")
notes = vm.virtio(Notes())
vm.load("virtio.elf")
print(vm.run())
print("python:", notes.kept)
