// SPDX-License-Identifier: MIT
// Mount points that are empty until they are first used: then _mounts.py makes the file system.

#include "py/runtime.h"
#include "extmod/vfs.h"
#include "hv_native/core/platform.h"
#include "storage.h"

typedef struct {
    mp_obj_base_t base;
    mp_obj_t device;
} automount_t;

// Somebody wants a method of the file system: from now on it stands in our place.
static void automount_attr(mp_obj_t self_in, qstr attr, mp_obj_t *dest) {
    if (dest[0] != MP_OBJ_NULL) {
        return;
    }
    if (attr == MP_QSTR_umount) {
        dest[0] = MP_OBJ_FROM_PTR(&mp_identity_obj); // nothing to undo
        dest[1] = self_in;
        return;
    }
    automount_t *self = MP_OBJ_TO_PTR(self_in);
    mp_obj_t module = mp_import_name(MP_QSTR__mounts, mp_const_none, MP_OBJ_NEW_SMALL_INT(0));
    mp_obj_t vfs = mp_call_function_1(mp_load_attr(module, MP_QSTR_make), self->device);
    for (mp_vfs_mount_t *m = MP_STATE_VM(vfs_mount_table); m != NULL; m = m->next) {
        if (m->obj == self_in) {
            m->obj = vfs;
        }
    }
    mp_load_method_maybe(vfs, attr, dest);
}

static MP_DEFINE_CONST_OBJ_TYPE(
    automount_type,
    MP_QSTR_Automount,
    MP_TYPE_FLAG_NONE,
    attr, automount_attr
    );

static void mount(automount_t *a, const char *path, size_t len, mp_obj_t device) {
    *a = (automount_t) { { &automount_type }, device };
    mp_vfs_mount_t *m = m_new_obj(mp_vfs_mount_t);
    *m = (mp_vfs_mount_t) { path, len, MP_OBJ_FROM_PTR(a), MP_STATE_VM(vfs_mount_table) };
    MP_STATE_VM(vfs_mount_table) = m;
}

void storage_mount(void) {
    static automount_t mounts[DISK_MAX + 1];
    static const char paths[DISK_MAX][8] = { "/disk", "/disk1", "/disk2", "/disk3" };
    if (platform.fwcfg_base != 0) {
        mount(&mounts[DISK_MAX], "/fw", 3, mp_const_none);
    }
    for (unsigned i = 0; disk_object(i) != MP_OBJ_NULL; i++) {
        mount(&mounts[i], paths[i], i == 0 ? 5 : 6, disk_object(i));
    }
}
