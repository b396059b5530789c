// SPDX-License-Identifier: MIT
// Flattened device tree reader: see tree.h.

#include "core/arch.h"
#include "core/tree.h"

#define FDT_MAGIC 0xd00dfeed
#define FDT_BEGIN_NODE 1
#define FDT_END_NODE 2
#define FDT_PROP 3
#define FDT_NOP 4

static node_t stack[TREE_MAX_DEPTH];

// All of a tree is made of 32-bit words that are aligned in a tree that is: with the MMU off, memory is Device.
static uint32_t be32(const uint8_t *p) {
    return __builtin_bswap32(*(const uint32_t *)p);
}

static uint64_t cells(const uint8_t *p, uint32_t n) {
    uint64_t v = 0;
    for (; n > 0; n--, p += 4) {
        v = v << 32 | be32(p);
    }
    return v;
}

bool is_tree(const void *fdt) {
    return fdt != NULL && ((uint64_t)fdt & 7) == 0 && be32(fdt) == FDT_MAGIC && (be32((const uint8_t *)fdt + 8) & 3) == 0;
}

uint32_t tree_size(const void *fdt) {
    return be32((const uint8_t *)fdt + 4);
}

bool same_name(const char *a, const char *b) {
    while (*a == *b) {
        if (*a == 0) {
            return true;
        }
        a++;
        b++;
    }
    return false;
}

// ---- Properties ---------------------------------------------------------------------------------

static const char names[PROPERTIES][19] = {
    "#address-cells", "#size-cells", "compatible", "cpu-release-addr", "device_type", "interrupts", "linux,initrd-end",
    "linux,initrd-start", "method", "model", "no-map", "ranges", "reg", "reg-io-width", "reg-shift", "status", "stdout-path",
};

// The tree has each name once, so it is known by where it is: 0, or one more than its number.
static uint8_t known[1024];

static property_t property_of(const char *strings, uint32_t at) {
    if (at < sizeof(known) && known[at] != 0) {
        return known[at] - 1;
    }
    property_t p = 0;
    while (p < PROPERTIES && (strings[at] != names[p][0] || !same_name(strings + at, names[p]))) {
        p++;
    }
    if (at < sizeof(known)) {
        known[at] = p + 1;
    }
    return p;
}

static void found_property(node_t *n, property_t p, prop_t value) {
    n->prop[p] = value;
    n->has |= 1u << p;
    // "okay" or "ok" (2.3.4). A core's "disabled" is only that it waits to be started.
    if (p == P_STATUS && value.value[0] != 'o' && !(node_has(n, P_DEVICE_TYPE) && value.value[0] == 'd')) {
        n->off = true;
    } else if (p == P_ADDRESS_CELLS) {
        n->address_cells = be32(value.value) & 7; // more than 4 is a damaged tree
    } else if (p == P_SIZE_CELLS) {
        n->size_cells = be32(value.value) & 7;
    }
}

uint32_t node_cell(const node_t *n, property_t p, unsigned index, uint32_t fallback) {
    return node_has(n, p) && n->prop[p].len >= (index + 1) * 4 ? be32(n->prop[p].value + index * 4) : fallback;
}

uint64_t node_number(const node_t *n, property_t p) {
    return node_has(n, p) ? cells(n->prop[p].value, n->prop[p].len / 4) : 0;
}

// compatible is a list of strings; `what` may be any of them.
bool node_is(const node_t *n, const char *what) {
    const char *s = (const char *)n->prop[P_COMPATIBLE].value;
    const char *end = s + (node_has(n, P_COMPATIBLE) ? n->prop[P_COMPATIBLE].len : 0);
    while (s < end) {
        if (same_name(s, what)) {
            return true;
        }
        while (s < end && *s++ != 0) {
        }
    }
    return false;
}

// ---- Addresses ----------------------------------------------------------------------------------

uint64_t node_unit(const node_t *n) {
    uint32_t ac = n[-1].address_cells;
    return node_has(n, P_REG) && n->prop[P_REG].len >= ac * 4 ? cells(n->prop[P_REG].value, ac) : 0;
}

// From a bus to the one above it (2.3.8): an empty `ranges` says that they are one, none that there is no way.
static bool translate(const node_t *bus, range_t *r) {
    prop_t ranges = bus->prop[P_RANGES];
    if (!node_has(bus, P_RANGES) || ranges.len == 0) {
        return node_has(bus, P_RANGES);
    }
    uint32_t below = bus->address_cells, above = bus[-1].address_cells, sizes = bus->size_cells;
    uint32_t entry = (below + above + sizes) * 4;
    for (const uint8_t *p = ranges.value, *end = p + ranges.len; entry != 0 && (size_t)(end - p) >= entry; p += entry) {
        uint64_t child = cells(p, below), size = cells(p + (below + above) * 4, sizes);
        if (r->base >= child && r->base - child < size) {
            r->base += cells(p + below * 4, above) - child;
            return true;
        }
    }
    return false;
}

range_t node_reg(const node_t *n, unsigned index) {
    uint32_t ac = n[-1].address_cells, sc = n[-1].size_cells, stride = (ac + sc) * 4;
    range_t r = { 0, 0 };
    if (!node_has(n, P_REG) || stride == 0 || (index + 1) * stride > n->prop[P_REG].len) {
        return r;
    }
    const uint8_t *p = n->prop[P_REG].value + index * stride;
    r.base = cells(p, ac);
    r.size = cells(p + ac * 4, sc);
    for (const node_t *bus = n - 1; bus > &stack[1]; bus--) {
        if (!translate(bus, &r)) {
            return (range_t) { 0, 0 };
        }
    }
    if (r.base >= PLATFORM_LIMIT) {
        return (range_t) { 0, 0 }; // EL2's map would take it for what is below
    }
    r.size = r.size < PLATFORM_LIMIT - r.base ? r.size : PLATFORM_LIMIT - r.base;
    return r;
}

// ---- The walk -----------------------------------------------------------------------------------

static const uint8_t *after_name(const uint8_t *p) {
    while (*p++ != 0) {
    }
    return (const uint8_t *)ALIGN_UP((uint64_t)p, 4);
}

static node_t *begin_node(node_t *parent, const char *name) {
    node_t *n = parent + 1;
    n->name = name;
    n->has = 0;
    n->depth = parent->depth + 1;
    n->off = parent->off;
    n->address_cells = 2;
    n->size_cells = 1;
    return n;
}

// What lies deeper than the stack is skipped.
void tree_walk(const void *tree, void (*found)(const node_t *n)) {
    const uint8_t *fdt = tree, *p = fdt + be32(fdt + 8), *end = p + be32(fdt + 36);
    const char *strings = (const char *)fdt + be32(fdt + 12);
    node_t *n = stack;  // whose properties are being read
    bool open = false;  // they are not complete yet
    unsigned deeper = 0;
    stack[0].address_cells = 2;
    stack[0].size_cells = 1;
    while (p < end) {
        uint32_t token = be32(p);
        p += 4;
        if (token == FDT_PROP) {
            prop_t value = { p + 8, be32(p) };
            if (value.len > (size_t)(end - p)) {
                return;
            }
            property_t which = property_of(strings, be32(p + 4));
            if (which != PROPERTIES && deeper == 0) {
                found_property(n, which, value);
            }
            p += 8 + ALIGN_UP(value.len, 4);
        } else if (token == FDT_BEGIN_NODE || token == FDT_END_NODE) {
            if (open) {
                found(n);
                open = false;
            }
            if (token == FDT_END_NODE) {
                if (deeper > 0) {
                    deeper--;
                } else if (n-- == stack) {
                    return; // more ends than beginnings
                }
                continue;
            }
            if (n == &stack[TREE_MAX_DEPTH - 1]) {
                deeper++;
            } else {
                n = begin_node(n, (const char *)p);
                open = true;
            }
            p = after_name(p);
        } else if (token != FDT_NOP) {
            return; // FDT_END, or not a tree
        }
    }
}

void tree_reserved(const void *tree, void (*found)(range_t r)) {
    const uint8_t *fdt = tree;
    for (const uint8_t *p = fdt + be32(fdt + 16), *end = fdt + tree_size(fdt); p + 16 <= end; p += 16) {
        range_t r = { cells(p, 2), cells(p + 8, 2) };
        if (r.size == 0) {
            return;
        }
        found(r);
    }
}

const char *tree_alias(const void *tree, const char *name) {
    const uint8_t *fdt = tree, *p = fdt + be32(fdt + 8), *end = p + be32(fdt + 36);
    const char *strings = (const char *)fdt + be32(fdt + 12);
    unsigned level = 0;
    bool in_aliases = false;
    while (p < end) {
        uint32_t token = be32(p);
        p += 4;
        if (token == FDT_BEGIN_NODE) {
            in_aliases = ++level == 2 && same_name((const char *)p, "aliases");
            p = after_name(p);
        } else if (token == FDT_END_NODE) {
            in_aliases = false;
            level--;
        } else if (token == FDT_PROP) {
            const char *a = strings + be32(p + 4), *b = name;
            while (in_aliases && *a != 0 && *a == *b) {
                a++, b++;
            }
            if (in_aliases && *a == 0 && (*b == 0 || *b == ':')) {
                return (const char *)p + 8;
            }
            p += 8 + ALIGN_UP(be32(p), 4);
        } else if (token != FDT_NOP) {
            break;
        }
    }
    return NULL;
}
