// SPDX-License-Identifier: MIT
// Whose the machine's memory and devices are: the one place that says what a script may give to a VM.
#ifndef HV_OWNER_H
#define HV_OWNER_H

#include "vm/vm.h"

// Whose the physical range [pa, pa + size) is when it must not be given to vm (NULL: mapped for EL2 itself), in
// words; NULL when it may: memory of its own, an initrd nobody reads, a device that the hypervisor does not need
// for itself and that is known to leave memory alone.
const char *host_owner(const vm_t *vm, uint64_t pa, uint64_t size);
bool host_is_ram(uint64_t pa, uint64_t size);   // a byte of it

// The hypervisor uses this from now on, as what `what` says.
void host_claim(uint64_t base, uint64_t size, const char *what);

#endif
