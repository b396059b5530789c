// SPDX-License-Identifier: MIT
// Flattened device tree reader.
// The tree (DeviceTree Specification v0.4, chapter 5), read in one pass with the MMU off: reset to prompt is counted
// in instructions, so nothing is searched twice and only the properties that describe a machine are known by name.
#ifndef HV_TREE_H
#define HV_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include "core/platform.h"

#define TREE_MAX_DEPTH 8

typedef enum {
    P_ADDRESS_CELLS, P_SIZE_CELLS, P_COMPATIBLE, P_RELEASE, P_DEVICE_TYPE, P_INTERRUPTS, P_INITRD_END, P_INITRD_START, P_METHOD, P_MODEL,
    P_NO_MAP, P_RANGES, P_REG, P_IO_WIDTH, P_SHIFT, P_STATUS, P_STDOUT, PROPERTIES
} property_t;

typedef struct {
    const uint8_t *value;
    uint32_t len;
} prop_t;

// A node whose properties have all been seen. The one above it is n - 1.
typedef struct {
    const char *name;
    uint32_t has;       // bit p: prop[p] is set
    unsigned depth;     // of the root: 1
    bool off;           // it, or a node above, says that it is not to be used
    uint8_t address_cells, size_cells;  // of its children's reg
    prop_t prop[PROPERTIES];
} node_t;

static inline bool node_has(const node_t *n, property_t p) {
    return n->has & 1u << p;
}

bool is_tree(const void *fdt);
uint32_t tree_size(const void *fdt);
void tree_walk(const void *fdt, void (*found)(const node_t *n));
// For each range of the memory reservation block.
void tree_reserved(const void *fdt, void (*found)(range_t r));
// The value of /aliases' property `name`, which ends at ':' or its end; NULL: there is none.
const char *tree_alias(const void *fdt, const char *name);

bool same_name(const char *a, const char *b);
bool node_is(const node_t *n, const char *compatible);
// Cell `index` of a property, big-endian; `fallback` where it has none.
uint32_t node_cell(const node_t *n, property_t p, unsigned index, uint32_t fallback);
// A property that is one number, of one cell or two.
uint64_t node_number(const node_t *n, property_t p);
// The number in front of the first `reg`, as the parent counts: a core's, not an address.
uint64_t node_unit(const node_t *n);
// Entry `index` of reg as the processor sees it: through `ranges` of all buses above. Size 0: there is none, or no way.
range_t node_reg(const node_t *n, unsigned index);

#endif
