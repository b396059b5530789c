// SPDX-License-Identifier: MIT
// A guest's access to its RAM, performed in C: where an owner of rights (rights.h) keeps the guest from doing it itself,
// to hear of it or to hide something. What it reads and writes is what the guest would have; no page is opened, so no
// other vCPU can pass meanwhile. Exclusives too: STXR stores if memory has what LDXR gave.
#ifndef HV_PERFORM_H
#define HV_PERFORM_H

#include "vm/vcpu_state.h"

// v's exit is a permission fault at v->exit.ipa for want of `needed`. False: it is the script that withholds the right, or
// nothing can be done about it in C. True: it has been dealt with, and *why says how to go on.
bool withheld(vcpu_t *v, unsigned needed, bool walk, exit_t *why);

// The load or store at v->exit.pc, which has not been done: at v->exit.far, if `iss` describes it. False as above.
bool perform(vcpu_t *v, bool iss, exit_t *why);

#endif
