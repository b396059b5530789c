// SPDX-License-Identifier: MIT
// The other cores.

#include "arch.h"
#include "cpu.h"

void secondary_main(pcpu_t *p);

void secondary_main(pcpu_t *p) {
    WRITE_SYSREG(tpidr_el2, (uint64_t)p);
    p->online = true;
    for (;;) {
        wfi();
    }
}
