// SPDX-License-Identifier: MIT
// What comes from outside: machine.Disk and machine.FwCfg, where they are mounted, and memory that was
// filled before the reset.
#ifndef PORT_STORAGE_H
#define PORT_STORAGE_H

#include "py/obj.h"

#define DISK_MAX 4

MP_DECLARE_CONST_FUN_OBJ_0(machine_initrd_obj);
MP_DECLARE_CONST_FUN_OBJ_2(machine_blob_obj);
extern const mp_obj_type_t machine_disk_type, machine_fwcfg_type;

void disk_init(void);               // once: which disks are there
mp_obj_t disk_object(unsigned n);   // MP_OBJ_NULL: no such disk

// At the start of a session: /fw and /disk, /disk1 ... for what there is. Nothing is read or even looked
// at before a script names them.
void storage_mount(void);

#endif
