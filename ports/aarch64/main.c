// SPDX-License-Identifier: MIT
// From the reset code to the prompt, and round again at every soft reset.

#include "py/cstack.h"
#include "py/gc.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "shared/readline/readline.h"
#include "hv_native/core/firmware.h"
#include "hv_native/core/platform.h"
#include "hv_native/hv.h"
#include "hv_native/memory/lent.h"
#include "hv_native/memory/mem.h"
#include "hv_native/memory/mmu.h"
#include "frozen.h"
#include "gc_alloc.h"
#include "events.h"
#include "machine_port.h"
#include "prompt.h"
#include "rom.h"
#include "storage.h"
#include "uart.h"

#define HEAP_MIN (4u << 20)
#define HEAP_MAX (32u << 20)
#define STDIN_BUFFER (0x4000 + UART_RX_UNREAD)
#define PYTHON_STACK (160u << 10) // the rest of the stack is for C that Python calls, and interrupts

extern char __stack_top[];
extern unsigned machine_session;

static char *heap;
static size_t heap_size;

// An eighth of RAM. The page allocator may be short of one piece: then take what is there.
static void heap_init(void) {
    heap_size = MIN(MAX(platform.ram_size / 8, HEAP_MIN), HEAP_MAX) & ~(size_t)0xFFFF;
    while ((heap = page_alloc(heap_size)) == NULL) {
        heap_size = heap_size / 2 & ~(size_t)0xFFFF;
    }
}

void main(const void *fdt, unsigned boot_el) {
    platform_init(fdt, boot_el);
    uart_init();
    firmware_gather_cores();
    mmu_init();
    mem_init();
    hv_init();
    mp_hal_init();
    uart_irq_on(page_alloc(STDIN_BUFFER), STDIN_BUFFER);
    rom_init();
    disk_init();
    ramdisk_init();
    heap_init();
    exec_init(heap, heap_size);
    mp_cstack_init_with_top(__stack_top, PYTHON_STACK);

    for (;; ++machine_session) {
        gc_heap_init(heap, heap + heap_size);
        mp_init();
        mp_obj_list_append(mp_sys_path, mp_obj_new_str("/lib", 4)); // where mip installs
        readline_init0();
        storage_mount();

        prompt_session();

        mp_printf(MP_PYTHON_PRINTER, "MPY: soft reboot\n");
        hv_soft_reset();
        mp_hal_deinit();
        events_session();
        gc_sweep_all();
        lent_end();
        mp_deinit();
    }
}

// An exception nobody can catch is a fault of ours: say so and stop, with interrupts off.
MP_NORETURN static void die(const char *what) {
    mp_hal_irq_save();
    mp_printf(&mp_plat_print, "\nElapid: %s; the machine is stopped: reset it, or leave QEMU by Ctrl-A X.\n", what);
    for (;;) {
        __asm__ volatile ("wfi");
    }
}

void nlr_jump_fail(void *val) {
    die("uncaught exception outside of any script");
}

void abort(void) {
    die("abort() was called");
}

void __assert_func(const char *file, int line, const char *func, const char *expr) {
    mp_printf(&mp_plat_print, "\nassertion failed: %s, %s:%d in %s\n", expr, file, line, func);
    die("assertion failed");
}
