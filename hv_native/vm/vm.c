// SPDX-License-Identifier: MIT
// List of virtual machines.

#include "vm/vm.h"

vm_t *vms;
