// SPDX-License-Identifier: MIT
// The native emitter for A64: py/emitnative.c with asmaarch64.h as its assembler.

#include "py/mpconfig.h"

#if MICROPY_EMIT_AARCH64

#define GENERIC_ASM_API (1)
#include "asmaarch64.h"

// nlr_buf_t: prev, ret_val, then py/nlraarch64.c's lr, sp, x19.
#define NLR_BUF_IDX_LOCAL_1 (4)

#define N_AARCH64 (1)
#define EXPORT_FUN(name) emit_native_aarch64_##name
#include "py/emitnative.c"

#endif
