// SPDX-License-Identifier: MIT
// Small blocks of native memory, outside the GC heap: hooks, their tables, devices.
#ifndef HV_NATIVE_H
#define HV_NATIVE_H

#include <stddef.h>

// Small native memory for hooks and their tables, outside the GC heap.
void *native_alloc(size_t bytes);
void native_free(void *p, size_t bytes);

#endif
