// SPDX-License-Identifier: MIT
// List of virtual machines.

#include <string.h>
#include "vm/vm.h"

vm_t *vms;
