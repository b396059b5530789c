// SPDX-License-Identifier: MIT
// Objects of the machine module that this port adds to extmod/modmachine.h's.
#ifndef PORT_MACHINE_PORT_H
#define PORT_MACHINE_PORT_H

#include "extmod/modmachine.h"

extern const machine_mem_obj_t machine_mem64_obj;
extern const mp_obj_type_t machine_ramdisk_type, machine_nic_type;

void ramdisk_init(void); // once, after mem_init

#endif
