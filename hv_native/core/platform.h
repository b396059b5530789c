// SPDX-License-Identifier: MIT
// The machine description.
// What machine this is: read once from the device tree, with a board's defaults (mpconfigboard.h)
// where the tree says nothing. Nobody else asks the tree, and nothing in C names a board.
#ifndef HV_PLATFORM_H
#define HV_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#define PLATFORM_LIMIT (UINT64_C(1) << 39) // EL2's addresses end there: what the tree has beyond is not used
#define PLATFORM_MAX_RAM 8
#define PLATFORM_MAX_RESERVED 16
#define PLATFORM_MAX_UARTS 8
#define PLATFORM_MAX_CPUS 8
#define PLATFORM_MAX_VIRTIO 32

typedef enum { CONDUIT_NONE, CONDUIT_SMC, CONDUIT_HVC } conduit_t;

typedef struct {
    uint64_t base, size; // bytes
} range_t;

// One of the machine's UARTs. Drivers: core/uart_out.c for what is said before there are any and in a fault report,
// the port's for the rest.
typedef enum { UART_PL011, UART_8250, UART_BCM2835_AUX, UART_CADENCE, UART_IMX, UART_KINDS } uart_kind_t;
typedef struct {
    uint64_t base;
    unsigned irq;       // INTID, 0 for none
    uart_kind_t kind;
    uint8_t shift;      // 8250: register n is at n << shift; others: 0
    uint8_t width;      // accesses are of so many bytes: 4 or 1
} platform_uart_t;

struct platform {
    const char *model;
    unsigned boot_el;   // the exception level we were entered at: 2, 3, or 1 (el1.c)
    const void *fdt;    // NULL: no tree, board defaults
    uint32_t fdt_size;
    unsigned nram;
    range_t ram[PLATFORM_MAX_RAM];
    uint64_t ram_base, ram_size; // the first range, and the sum of all
    unsigned nreserved;
    range_t reserved[PLATFORM_MAX_RESERVED]; // RAM that firmware keeps, as the tree says
    uint32_t no_map;    // bit n: reserved[n] may not even be mapped
    unsigned ncpus;
    uint64_t mpidr[PLATFORM_MAX_CPUS]; // affinity bits only
    uint64_t release[PLATFORM_MAX_CPUS]; // where a core that firmware left in a spin table looks, or 0
    conduit_t conduit;
    unsigned gic_version; // 2, 3, or 0 for none
    range_t gicd, gicc, gich, gicv, gicr;
    range_t bcm2836, bcm2835; // the Raspberry Pi 3's controllers: the cores' own, and the devices'
    uint64_t pm_base;   // and what resets it, or 0
    unsigned nuarts;
    platform_uart_t uart[PLATFORM_MAX_UARTS]; // in the tree's order
    const platform_uart_t *console; // the one that /chosen names, else the first
    unsigned maintenance_irq, hyp_timer_irq, virt_timer_irq, phys_timer_irq, pmu_irq; // INTIDs; the last one 0 for none
    range_t flash[2];   // CFI flash, size 0 for none
    uint64_t rtc_base;  // PL031, 0 for none
    uint64_t fwcfg_base; // QEMU fw_cfg, 0 for none
    uint64_t initrd_start, initrd_end;
    unsigned nvirtio;
    struct {
        uint64_t base;
        unsigned irq;
    } virtio[PLATFORM_MAX_VIRTIO];
};

// The Raspberry Pi 3's interrupts, numbered as a GIC's: a core's own from 16, devices' from 32, a bank of 32 after another.
#define BCM_LOCAL(source) (16 + (source))
#define BCM_DEVICE(bank, bit) (32 + 32 * (bank) + (bit))

extern struct platform platform;

// The n-th UART of the tree that is not the console; NULL: there are not so many of a kind that is known.
const platform_uart_t *platform_uart(unsigned n);

// An interrupt controller that there is a driver for (irq/intc.h).
static inline bool platform_has_intc(void) {
    return platform.gic_version != 0 || platform.bcm2836.size != 0;
}

// What the tree has at [base, base + size), in pages: only devices compatible with one of `names`, others as well,
// or not even that all over.
typedef enum { PLATFORM_ALL, PLATFORM_OTHERS, PLATFORM_UNKNOWN } platform_devices_t;
platform_devices_t platform_devices(uint64_t base, uint64_t size, const char *const *names, unsigned n);

// fdt: what x0 held at reset, checked before use. Runs with the MMU off, once.
void platform_init(const void *fdt, unsigned boot_el);

#endif
