# SPDX-License-Identifier: MIT
"""Runs on the target behind tests/virtiodriver.py's Driver, with a `vm` and rows.py: what a byte costs through a switch
from one network device to another, and out of a virtio console.
"""

FRAMES, SIZE, LINE, LINES = 32, 1514, 64, 640


def cost(d, n):
    """A store to QueueNotify of queue n, until all is answered, less a store that does nothing."""
    import gc

    gc.collect()
    so_far = rows.el2_instructions()
    d.put(0x64, 0)
    least = so_far()
    so_far = rows.el2_instructions()
    d.put(0x50, n)
    spent = so_far()
    if not d.idle(n):
        raise RuntimeError("not answered at once")
    return spent - least


def network():
    global RINGS
    lan = hv.Switch()
    nic, peer = vm.net(lan), vm.net(lan)
    one = Driver(vm, 0, 64).start(2)
    RINGS += 0x8000
    two = Driver(vm, 1, 64).start(2)
    RINGS += 0x8000
    for source in (peer, nic):  # the switch learns where the other one is, then it counts
        for i in range(FRAMES):
            at = BUFFERS + i * 0x800
            vm.memory[at : at + 24] = bytes(12) + peer.mac + nic.mac
            two.describe(0, i, at + 0x1_0000, 1600, WRITE)
            two.offer(0, i, kick=False)
            one.describe(1, i, at, 12 + SIZE)
            one.offer(1, i, kick=False)
        if source is peer:
            lan.macs[peer.mac] = peer
        two.put(0x50, 0)
        each = cost(one, 1) / FRAMES / SIZE
        got = two.used(0)
        if len(got) != FRAMES or got[0][1] != 12 + SIZE:
            raise RuntimeError(got)
    return each


def console():
    # So many that what is kept moves to its beginning too.
    c = vm.virtio_console()
    d = Driver(vm, 2, 64).start(2)
    spent = 0
    for i in range(LINES):
        d.describe(1, 0, BUFFERS, LINE)
        d.offer(1, 0, kick=False)
        spent += cost(d, 1)
        if len(c.read()) != LINE:
            raise RuntimeError("not read")
    return spent / LINES / LINE


rows.report("network", network())
rows.report("console_virtio", console())
