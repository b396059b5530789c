// SPDX-License-Identifier: MIT
// Local variables of a function in bytecode.
#ifndef HV_VARIABLES_H
#define HV_VARIABLES_H

#include "py/obj.h"

// How many there are, arguments among them: one more than the highest that it uses. `ip`: its first instruction.
unsigned variables_used(const byte *ip);

#endif
