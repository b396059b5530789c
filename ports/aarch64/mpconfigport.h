// SPDX-License-Identifier: MIT
// What of MicroPython this port has: everything that needs no network, plus the machine's own modules.

#include <alloca.h>
#include <stdint.h>

#include "mpconfigboard.h"

#define MICROPY_CONFIG_ROM_LEVEL (MICROPY_CONFIG_ROM_LEVEL_EVERYTHING)

// Numbers and objects
#define MICROPY_OBJ_REPR (MICROPY_OBJ_REPR_A)
#define MICROPY_LONGINT_IMPL (MICROPY_LONGINT_IMPL_MPZ)
#define MICROPY_FLOAT_IMPL (MICROPY_FLOAT_IMPL_DOUBLE)
#define MICROPY_FLOAT_USE_NATIVE_FLT16 (0)

// Memory
#define MICROPY_ENABLE_GC (1)
#define MICROPY_GC_SPLIT_HEAP (1)
#define MICROPY_ALLOC_GC_STACK_SIZE (1) // gc_collect.c has its own
#define MICROPY_MALLOC_USES_ALLOCATED_SIZE (1)
#define MICROPY_MEM_STATS (1)
#define MICROPY_STACK_CHECK_MARGIN (4096)
#define MICROPY_ALLOC_PATH_MAX (256)
#define MICROPY_ENABLE_EMERGENCY_EXCEPTION_BUF (1)
#define MICROPY_EMERGENCY_EXCEPTION_BUF_SIZE (256)

// Speed
#define MICROPY_MODULE_DICT_SIZE (37)
#define MICROPY_OPT_COMPUTED_GOTO (1)
#define MICROPY_OPT_MAP_LOOKUP_CACHE_SIZE (512)

// Interpreter
#define MICROPY_PERSISTENT_CODE_LOAD (1)
#define MICROPY_READER_VFS (1)
#define MICROPY_USE_INTERNAL_ERRNO (1)
// What files, disks and devices here fail with; nothing of sockets, of which there are none.
#define MICROPY_PY_ERRNO_LIST \
    X(EPERM) X(ENOENT) X(EIO) X(EBADF) X(EAGAIN) X(ENOMEM) X(EACCES) X(EBUSY) X(EEXIST) X(ENODEV) X(ENOTDIR) X(EISDIR) \
    X(EINVAL) X(EFBIG) X(ENOSPC) X(EROFS) X(ERANGE) X(EOPNOTSUPP) X(ETIMEDOUT) X(EALREADY) X(EINPROGRESS)
#define MICROPY_WARNINGS (1)
#define MICROPY_ERROR_REPORTING (MICROPY_ERROR_REPORTING_DETAILED)
#define MICROPY_SCHEDULER_DEPTH (16)
#define MICROPY_SCHEDULER_STATIC_NODES (1)
#define MICROPY_READLINE_HISTORY_SIZE (50)
#define MICROPY_PY_BUILTINS_HELP_TEXT elapid_help_text

// Python compiled to machine code: native/. The code is in the GC heap, and traced there.
#define MICROPY_EMIT_AARCH64 (1)
#define MICROPY_PERSISTENT_CODE_TRACK_FUN_DATA (1)
#define MICROPY_PERSISTENT_CODE_TRACK_BSS_RODATA (0)
#define MP_PLAT_ALLOC_EXEC(len, p, size) (*(p) = gc_alloc_code(len), *(size) = (len))
#define MP_PLAT_FREE_EXEC(p, size) m_del(byte, p, size)
#define MP_PLAT_COMMIT_EXEC(p, len, reloc) exec_commit(p, len, reloc)
#define MICROPY_MAKE_POINTER_CALLABLE(p) exec_callable(p)
#include "native/exec.h"
void *gc_alloc_code(size_t len); // or MemoryError: gc_alloc.c

// Modules without hardware
#define MICROPY_EPOCH_IS_1970 (1)
#define MICROPY_PY_SYS_EXC_INFO (1)
#define MICROPY_PY_WEBSOCKET (1)
#define MICROPY_PY_HASHLIB_MD5 (1)
#define MICROPY_PY_HASHLIB_SHA1 (1)
#define MICROPY_PY_CRYPTOLIB (1)
#define MICROPY_PY_CRYPTOLIB_CTR (1)
#define MICROPY_PY_CRYPTOLIB_CONSTS (1)
#define MICROPY_SSL_AXTLS (1) // as the names of the functions in crypto/, nothing else
#define MICROPY_PY_SYS_PLATFORM "elapid"
#define MICROPY_PY_OS_INCLUDEFILE "ports/aarch64/modos.c"
#define MICROPY_PY_OS_DUPTERM (1)
#define MICROPY_PY_OS_DUPTERM_NOTIFY (1)
#define MICROPY_PY_OS_SYNC (1)
#define MICROPY_PY_OS_UNAME (1)
#define MICROPY_PY_OS_URANDOM (1)
#define MICROPY_PY_TIME_GMTIME_LOCALTIME_MKTIME (1)
#define MICROPY_PY_TIME_TIME_TIME_NS (1)
#define MICROPY_PY_TIME_INCLUDEFILE "ports/aarch64/modtime.c"
#define MICROPY_PY_RANDOM_SEED_INIT_FUNC (mp_hal_random_u32())

// machine
#define MICROPY_PY_MACHINE (1)
#define MICROPY_PY_MACHINE_INCLUDEFILE "ports/aarch64/modmachine.c"
#define MICROPY_PY_MACHINE_BARE_METAL_FUNCS (1)
#define MICROPY_PY_MACHINE_RESET (1)
#define MICROPY_PY_MACHINE_BOOTLOADER (1) // says why there is none
#define MICROPY_PY_MACHINE_MEMX (0) // machine_mem.c: 64-bit too, and a bad address raises
#define MICROPY_PY_MACHINE_PIN_BASE (1)
#define MICROPY_PY_MACHINE_PULSE (1)
#define MICROPY_PY_MACHINE_TIMER (1)
#define MICROPY_PY_MACHINE_UART (1)
#define MICROPY_PY_MACHINE_UART_INCLUDEFILE "ports/aarch64/machine_uart.c"

// Filesystems; FAT and littlefs are switched on in the Makefile
#define MICROPY_VFS (1)
#define MICROPY_VFS_ROM (1)
#define MICROPY_VFS_ROM_IOCTL (1)
#define MICROPY_FATFS_ENABLE_LFN (2)
#define MICROPY_FATFS_LFN_CODE_PAGE 437 /* no parentheses: FatFs pastes it into a name */
#define MICROPY_FATFS_MAX_SS (1024)
#define MICROPY_FATFS_RPATH (2)
#define MICROPY_FATFS_USE_LABEL (1)

#define MP_STATE_PORT MP_STATE_VM
uint32_t mp_hal_random_u32(void);

// Types
#define MP_SSIZE_MAX INTPTR_MAX
#define UINT_FMT "%lu"
#define INT_FMT "%ld"
#define HEX_FMT "%lx"
typedef intptr_t mp_int_t;
typedef uintptr_t mp_uint_t;
typedef long mp_off_t;

// New in 1.26.
#ifndef MP_NORETURN
#define MP_NORETURN __attribute__((noreturn))
#endif

#define MP_NEED_LOG2 (1) // libm_dbl has none
