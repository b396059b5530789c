// SPDX-License-Identifier: MIT
// QEMU "virt": the names shown to a user, and what to assume where there is no device tree. Data only:
// boot/start.S includes this file too.

#define MICROPY_HW_BOARD_NAME "Elapid on QEMU virt at EL2"
#define MICROPY_HW_MCU_NAME "Cortex-A53"

#define BOARD_NAME "QEMU virt"
#define BOARD_RAM_BASE 0x40000000
#define BOARD_RAM_SIZE 0x08000000
#define BOARD_FDT_ADDRESS 0x40000000 /* where QEMU leaves it when it starts an ELF, without saying so */

#define BOARD_EARLY_UART 0x09000000
#define BOARD_UART_IRQ 33
#define BOARD_UART_CLOCK_HZ 24000000

// Second NOR flash bank: a ROMFS image is looked for here, see rom.c.
#define BOARD_ROMFS_BASE 0x04000000
#define BOARD_ROMFS_SIZE 0x04000000
