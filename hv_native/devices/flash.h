// SPDX-License-Identifier: MIT
// NOR flash for guests: reads of its array are reads of memory, mapped read-only; writes are commands of
// Intel's set (CFI primary vendor command set 1), as QEMU's virt machine has it: two x16 chips side by side
// on 32 bits, sectors of 256 KB.
#ifndef HV_FLASH_H
#define HV_FLASH_H

#include "vm/vm.h"

#define FLASH_SECTOR 0x40000u

// size: a power of two, at least two sectors, where nothing else is. False: no memory.
bool flash_add(vm_t *vm, uint64_t ipa, uint64_t size);
void flash_reset(vm_t *vm);             // as after power-on; what it holds stays
struct device_stream;
void flash_save(vm_t *vm, struct device_stream *s); // without what it holds: that is RAM
void flash_load(vm_t *vm, struct device_stream *s);
void flash_remove(vm_t *vm);            // what it holds is RAM of the VM, and goes with that

#endif
