// SPDX-License-Identifier: MIT
// Virtual machines: creation, guest RAM, the end.

#include <string.h>
#include "vm/vm.h"

vm_t *vms;
