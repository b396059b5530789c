// SPDX-License-Identifier: MIT
// Interrupt dispatch.
// EL2's own interrupts: which function an INTID runs, on which core.
#ifndef HV_IRQ_H
#define HV_IRQ_H

#include <stdbool.h>
#include <stdint.h>

#define IRQ_MAX 512u

typedef void (*irq_handler_t)(void *arg);

// Run fn(arg) in interrupt context for this INTID and enable it: an SPI on the boot core, an SGI or
// PPI on the core that calls. Level or edge is as the device tree or the architecture says.
void irq_attach(unsigned intid, irq_handler_t fn, void *arg);
// As above, but the interrupt stays active until the guest it is forwarded to ends it.
void irq_attach_forwarded(unsigned intid, irq_handler_t fn, void *arg);
void irq_detach(unsigned intid);
bool irq_is_attached(unsigned intid);

void irq_init(void);        // once, on the boot core: distributor, and this core's interface
void irq_init_core(void);   // on each other core
void irq_dispatch(void);    // acknowledge one pending interrupt and run its function
void irq_handle(uint32_t iar); // the same for one that is acknowledged

// Called while a core waits for another one with interrupts masked. The virtual GIC sets it: the other core
// may be waiting for this core's list registers.
extern void (*irq_while_waiting)(void);

#endif
