// SPDX-License-Identifier: MIT
// A device's interrupt line: see wire.h.

#include "devices/wire.h"
#include "vgic/vgic.h"

void wire_set(wire_t *w, bool level) {
    w->high = level;
    vgic_set_line(w->vm, w->intid, level);
}
