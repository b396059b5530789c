// SPDX-License-Identifier: MIT
#ifndef PORT_ROM_H
#define PORT_ROM_H

// Look for ROMFS images, once, after mmu_init.
void rom_init(void);

#endif
