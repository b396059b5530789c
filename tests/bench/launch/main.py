# SPDX-License-Identifier: MIT
"""Frozen into an image of its own: it starts a guest at power-on, with no one at the prompt."""

import hv

vm = hv.VM("first")
vm.memory[0x4008_0000:0x4008_0008] = b"\x7f\x20\x03\xd5\xff\xff\xff\x17"  # wfi, and again
vm.cpu[0].reset(0x4008_0000)
vm.run()
