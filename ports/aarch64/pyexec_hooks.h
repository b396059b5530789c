// SPDX-License-Identifier: MIT
// For shared/runtime/pyexec.c alone. It prints "; " and a literal: of this machine there is more to say.
// What it runs is told to prompt.c.

#include <stdbool.h>

void banner_machine(void);
void prompt_before_exec(bool raw, bool read);
void prompt_after_exec(void *exception);

#define MICROPY_BOARD_BEFORE_PYTHON_EXEC(input_kind, exec_flags) \
    prompt_before_exec((exec_flags) & EXEC_FLAG_PRINT_EOF, !((exec_flags) & (EXEC_FLAG_SOURCE_IS_READER | EXEC_FLAG_NO_INTERRUPT)))
#define MICROPY_BOARD_AFTER_PYTHON_EXEC(input_kind, exec_flags, exception, ret) prompt_after_exec(exception)
#define MICROPY_BANNER_MACHINE ""); banner_machine(); mp_hal_stdout_tx_str (""
