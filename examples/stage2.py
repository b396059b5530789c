"""What a guest's addresses mean is up to you: mpremote run examples/stage2.py"""

import struct

import hv

# The guest counts in memory: it adds 1 to the word at x0, calls EL2, and does it again.
COUNT = struct.pack(
    "<5I",
    0xF940_0001,  # ldr x1, [x0]
    0x9100_0421,  # add x1, x1, #1
    0xF900_0001,  # str x1, [x0]
    0xD400_0022,  # hvc #1
    0x17FF_FFFC,  # b   to the ldr
)
PAGE = 0x4010_0000
ALIAS = 0x8000_0000

vm = hv.VM("stage2", ram="2M")
cpu = vm.cpu[0]
vm.load(COUNT)
cpu.x[0] = PAGE

vm.hvc(imm=1, handler=lambda cpu: hv.STOP)
print(vm.run().reason, "with", vm.memory[PAGE], "in memory")

# RAM appears when it is first touched, in the largest entries that fit.
vm.stage2.dump()

# Read-only: the guest's store comes back as an exit, with the guest still before it.
vm.stage2.protect(PAGE, 0x1000, "r")
exit = vm.run()
print(exit)
print(hv.explain(exit.esr))

# Allowed again, the same store is repeated.
vm.stage2.protect(PAGE, 0x1000, "rw")
print(vm.run().reason, "with", vm.memory[PAGE], "in memory")

# The same page of the machine at a second address of the guest.
vm.stage2.map(ALIAS, vm.stage2.translate(PAGE), 0x1000)
cpu.x[0] = ALIAS
print(vm.run().reason, "with", vm.memory[PAGE], "in memory")
vm.stage2.dump()
print([hex(address) for address in cpu.translate(ALIAS)], "are the IPA and the machine's address")
