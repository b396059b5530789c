// SPDX-License-Identifier: MIT
// For shared/runtime/pyexec.c alone, which prints "; " and a literal: of this machine there is more to say.

void banner_machine(void);

#define MICROPY_BANNER_MACHINE ""); banner_machine(); mp_hal_stdout_tx_str (""
