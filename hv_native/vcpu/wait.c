// SPDX-License-Identifier: MIT
// WFI and standby.
// A vCPU that has nothing to do until an interrupt comes.

#include "vcpu/vcpu.h"
#include "vgic/vgic.h"
#include "vgic/vtimer.h"
#include "vm/vcpu_state.h"
#include "vm/vm.h"

exit_t vcpu_wait(vcpu_t *v) {
    if (UNLIKELY(v->vm->replay != NULL)) {
        return replay_calls(v->vm)->wait(v);
    }
    vtimer_poll(v);
    return vgic_pending(v) ? EXIT_RESUME : EXIT_IDLE;
}
