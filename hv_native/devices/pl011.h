// SPDX-License-Identifier: MIT
// The guest's PL011 UART (ARM DDI 0183), native: no Python per character. What the guest sends goes
// into a ring, or straight to the machine's own UART while the console is attached.
#ifndef HV_PL011_H
#define HV_PL011_H

#include "vm/vm.h"

#define PL011_IPA UINT64_C(0x09000000)
#define PL011_SIZE 0x1000u
#define PL011_IRQ 33u

bool pl011_add(vm_t *vm);   // false: out of memory
void pl011_remove(vm_t *vm);
void pl011_reset(vm_t *vm);

struct device_stream;
void pl011_save_state(vm_t *vm, struct device_stream *s);
void pl011_load_state(vm_t *vm, struct device_stream *s);

// Attached: output appears on the machine's UART at once.
void pl011_attach(vm_t *vm, bool attached);
bool pl011_attached(const vm_t *vm);

// Type at the guest: how many bytes it had room for.
size_t pl011_send(vm_t *vm, const uint8_t *data, size_t len);
size_t pl011_room(const vm_t *vm);
// The same of a key typed at the machine's console while it is attached; and, of a VM that is stopped, all such
// keys that it has not read, back to that console's input, before what was typed since.
void pl011_type(vm_t *vm, uint8_t c);
void pl011_untype(vm_t *vm);
// Take what the guest has printed while it was not attached.
size_t pl011_receive(vm_t *vm, uint8_t *data, size_t len);
size_t pl011_waiting(const vm_t *vm);
// Look at what the guest has printed, attached or not, from its at-th byte on or the oldest that is still there:
// nothing is taken. Up to *len bytes, and how many; returns where to go on.
uint32_t pl011_printed(vm_t *vm, uint32_t at, uint8_t *data, size_t *len);

#endif
