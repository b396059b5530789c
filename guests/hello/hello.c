// SPDX-License-Identifier: MIT
// The guest of examples/launch_guest.py: says where it is, asks the hypervisor to add, touches a
// device that exists only as a Python function, and powers off.

#include "guest.h"

#define HVC_ADD 0xC6000001
#define DEVICE UINT64_C(0x0B000000)

void guest_main(uint64_t x0) {
    (void)x0;
    uint64_t sp;
    __asm__ volatile ("mov %0, sp" : "=r" (sp));
    print("guest: hello from EL");
    print_dec(READ_SYSREG(CurrentEL) >> 2);
    print(", stack at ");
    print_hex(sp);
    print("\n");

    print("guest: 20 + 22 = ");
    print_dec(hvc(HVC_ADD, 20, 22, 0));
    print("\n");

    write32(DEVICE + 4, 0x600D);
    print("guest: device says ");
    print_hex(read32(DEVICE));
    print("\n");
    print("guest: powering off\n");
    power_off();
}
