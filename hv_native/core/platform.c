// SPDX-License-Identifier: MIT
// Device tree parser.
// The flattened device tree (DeviceTree Specification v0.4, chapter 5), read in one pass. Reset to
// prompt is counted in instructions, so nothing is searched twice and only the properties that
// describe a machine are compared by name.

#include "core/arch.h"
#include "core/platform.h"
#include "mpconfigboard.h"

#define FDT_MAGIC 0xd00dfeed
#define FDT_BEGIN_NODE 1
#define FDT_END_NODE 2
#define FDT_PROP 3
#define FDT_NOP 4
#define MAX_DEPTH 8

struct platform platform;

typedef struct {
    const uint8_t *value;
    uint32_t len;
} prop_t;

// What is remembered of a node until its properties have all been seen.
typedef struct {
    const char *name;
    prop_t compatible, reg, interrupts, device_type, method, status;
    uint32_t address_cells, size_cells; // for its children
} node_t;

#define MAX_UARTS 8

// The console is chosen when all of the tree has been seen: /chosen may come last.
static struct {
    uint64_t base;
    unsigned irq, kind, depth;
    const char *path[MAX_DEPTH]; // names of the nodes from below the root down
} uarts[MAX_UARTS];
static unsigned nuarts;
static const char *stdout_path;
static node_t stack[MAX_DEPTH];

// Byte by byte: the MMU is off, so memory is Device and only aligned accesses are allowed.
static uint32_t be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

// Tokens are 4-byte aligned in a tree that is.
static uint32_t be32_aligned(const uint8_t *p) {
    return __builtin_bswap32(*(const uint32_t *)p);
}

static uint64_t cells(const uint8_t *p, uint32_t n) {
    uint64_t v = 0;
    for (; n > 0; n--, p += 4) {
        v = v << 32 | be32(p);
    }
    return v;
}

static bool same(const char *a, const char *b) {
    while (*a == *b) {
        if (*a == 0) {
            return true;
        }
        a++;
        b++;
    }
    return false;
}

// compatible is a list of strings; `what` may be any of them.
static bool is_compatible(const node_t *n, const char *what) {
    const char *s = (const char *)n->compatible.value;
    const char *end = s + n->compatible.len;
    while (s < end) {
        if (same(s, what)) {
            return true;
        }
        while (s < end && *s != 0) {
            s++;
        }
        s++;
    }
    return false;
}

// What the devices that are of use here say they are compatible with.
enum { VIRTIO, PL011, GIC_V2, GIC_400, GIC_V3, TIMER, FLASH, PL031, FW_CFG, PSCI, KINDS };
static const char kinds[KINDS][20] = {
    "virtio,mmio", "arm,pl011", "arm,cortex-a15-gic", "arm,gic-400", "arm,gic-v3", "arm,armv8-timer", "cfi-flash",
    "arm,pl031", "qemu,fw-cfg-mmio", "arm,psci-0.2",
};

// compatible is a list of strings, the closest first. A name that is not the one mostly differs at [5].
static unsigned kind_of(const node_t *n) {
    const char *s = (const char *)n->compatible.value;
    const char *end = s + n->compatible.len;
    while (s < end) {
        for (unsigned kind = 0; kind < KINDS; kind++) {
            if (s[5] == kinds[kind][5] && same(s, kinds[kind])) {
                return kind;
            }
        }
        while (s < end && *s++ != 0) {
        }
    }
    return KINDS;
}

static range_t reg_range(const node_t *n, const node_t *parent, unsigned index) {
    uint32_t ac = parent->address_cells, sc = parent->size_cells;
    uint32_t stride = (ac + sc) * 4;
    range_t r = { 0, 0 };
    if ((index + 1) * stride <= n->reg.len) {
        const uint8_t *p = n->reg.value + index * stride;
        r.base = cells(p, ac);
        r.size = cells(p + ac * 4, sc);
    }
    return r;
}

// A GIC interrupt specifier is <type number flags>: type 0 is an SPI, 1 a PPI.
static unsigned tree_intid(const node_t *n, unsigned index, unsigned fallback) {
    if (n->interrupts.len < (index + 1) * 12) {
        return fallback;
    }
    const uint8_t *p = n->interrupts.value + index * 12;
    return be32(p + 4) + (be32(p) == 1 ? 16 : 32);
}

static void found_memory(const node_t *n, const node_t *parent) {
    for (unsigned i = 0; platform.nram < PLATFORM_MAX_RAM; i++) {
        range_t r = reg_range(n, parent, i);
        if (r.size == 0) {
            return;
        }
        platform.ram[platform.nram++] = r;
    }
}

static void found_gic(const node_t *n, const node_t *parent, unsigned version) {
    platform.gic_version = version;
    platform.gicd = reg_range(n, parent, 0);
    if (version == 3) {
        platform.gicr = reg_range(n, parent, 1);
    } else {
        platform.gicc = reg_range(n, parent, 1);
        platform.gich = reg_range(n, parent, 2);
        platform.gicv = reg_range(n, parent, 3);
    }
    platform.maintenance_irq = tree_intid(n, 0, platform.maintenance_irq);
}

static void found_timer(const node_t *n) {
    platform.phys_timer_irq = tree_intid(n, 1, platform.phys_timer_irq);
    platform.virt_timer_irq = tree_intid(n, 2, platform.virt_timer_irq);
    platform.hyp_timer_irq = tree_intid(n, 3, platform.hyp_timer_irq);
}

static void found_virtio(const node_t *n, const node_t *parent) {
    if (platform.nvirtio < PLATFORM_MAX_VIRTIO) {
        platform.virtio[platform.nvirtio].base = reg_range(n, parent, 0).base;
        platform.virtio[platform.nvirtio++].irq = tree_intid(n, 0, 0);
    }
}

// With secure=on there is a second one, which says status = "disabled".
static void found_uart(const node_t *n, const node_t *parent, unsigned kind) {
    if (nuarts == MAX_UARTS || (n->status.len != 0 && n->status.value[0] != 'o')) {
        return;
    }
    uarts[nuarts].base = reg_range(n, parent, 0).base;
    uarts[nuarts].irq = tree_intid(n, 0, platform.uart_irq);
    uarts[nuarts].kind = kind;
    uarts[nuarts].depth = n - stack;
    for (const node_t *at = n; at > &stack[1]; at--) {
        uarts[nuarts].path[at - stack] = at->name;
    }
    nuarts++;
}

static void found_device(const node_t *n, const node_t *parent) {
    switch (kind_of(n)) {
        case VIRTIO:
            found_virtio(n, parent);
            break;
        case PL011:
            found_uart(n, parent, PL011);
            break;
        case GIC_V2:
        case GIC_400:
            found_gic(n, parent, 2);
            break;
        case GIC_V3:
            found_gic(n, parent, 3);
            break;
        case TIMER:
            found_timer(n);
            break;
        case FLASH:
            platform.flash[0] = reg_range(n, parent, 0);
            platform.flash[1] = reg_range(n, parent, 1);
            break;
        case PL031:
            platform.rtc_base = reg_range(n, parent, 0).base;
            break;
        case FW_CFG:
            platform.fwcfg_base = reg_range(n, parent, 0).base;
            break;
        case PSCI:
            if (n->method.len != 0) {
                platform.conduit = n->method.value[0] == 's' ? CONDUIT_SMC : CONDUIT_HVC;
            }
            break;
    }
}

// All of a node's properties have been seen.
static void found_node(const node_t *n, const node_t *parent) {
    if (n->device_type.len != 0) {
        const char *type = (const char *)n->device_type.value;
        if (same(type, "memory")) {
            // Secure-only RAM says status = "disabled" for us.
            if (n->status.len == 0 || n->status.value[0] == 'o') {
                found_memory(n, parent);
            }
        } else if (same(type, "cpu") && platform.ncpus < PLATFORM_MAX_CPUS) {
            platform.mpidr[platform.ncpus++] = reg_range(n, parent, 0).base;
        }
    } else if (n->compatible.len != 0) {
        found_device(n, parent);
    }
}

static void root_or_chosen_prop(const node_t *n, unsigned depth, const char *name, prop_t p) {
    if (depth == 1 && same(name, "model")) {
        platform.model = (const char *)p.value;
    } else if (depth == 2 && name[0] == 'l' && same(n->name, "chosen")) {
        if (same(name, "linux,initrd-start")) {
            platform.initrd_start = cells(p.value, p.len / 4);
        } else if (same(name, "linux,initrd-end")) {
            platform.initrd_end = cells(p.value, p.len / 4);
        }
    }
}

#define NAMES 9
// The tree has each name once, so most are known by where they are.
static bool is_name(unsigned which, const char *name, const char *what) {
    static const char *seen[NAMES];
    if (name == seen[which]) {
        return true;
    }
    if (!same(name, what)) {
        return false;
    }
    seen[which] = name;
    return true;
}

static void found_prop(node_t *n, unsigned depth, const char *name, prop_t p) {
    switch (name[0]) {
        case 'c':
            if (is_name(0, name, "compatible")) {
                n->compatible = p;
            }
            break;
        case 'r':
            if (is_name(1, name, "reg")) {
                n->reg = p;
            }
            break;
        case 'i':
            if (is_name(2, name, "interrupts")) {
                n->interrupts = p;
            }
            break;
        case 'd':
            if (is_name(3, name, "device_type")) {
                n->device_type = p;
            }
            break;
        case 's':
            if (is_name(4, name, "status")) {
                n->status = p;
            } else if (depth == 2 && is_name(5, name, "stdout-path") && same(n->name, "chosen")) {
                stdout_path = (const char *)p.value;
            }
            break;
        case 'm':
            if (is_name(6, name, "method")) {
                n->method = p;
                break;
            }
        // fall through: "model"
        case 'l':
            root_or_chosen_prop(n, depth, name, p);
            break;
        case '#':
            if (is_name(7, name, "#address-cells")) {
                n->address_cells = be32(p.value);
            } else if (is_name(8, name, "#size-cells")) {
                n->size_cells = be32(p.value);
            }
            break;
    }
}

static void tree_walk(const uint8_t *fdt, void (*found)(const node_t *n, const node_t *parent)) {
    const uint8_t *p = fdt + be32(fdt + 8);
    const uint8_t *end = p + be32(fdt + 36);
    const char *strings = (const char *)fdt + be32(fdt + 12);
    unsigned depth = 0; // of the node whose properties are being read; the root is 1
    bool open = false;  // its properties are not complete yet
    stack[0].address_cells = 2;
    stack[0].size_cells = 1;
    while (p < end) {
        uint32_t token = be32_aligned(p);
        p += 4;
        if (token == FDT_PROP) {
            prop_t prop = { p + 8, be32_aligned(p) };
            if (depth < MAX_DEPTH) {
                found_prop(&stack[depth], depth, strings + be32_aligned(p + 4), prop);
            }
            p += 8 + ALIGN_UP(prop.len, 4);
        } else if (token == FDT_BEGIN_NODE || token == FDT_END_NODE) {
            if (open && depth < MAX_DEPTH) {
                found(&stack[depth], &stack[depth - 1]);
            }
            open = token == FDT_BEGIN_NODE;
            if (!open) {
                depth--;
                continue;
            }
            depth++;
            if (depth < MAX_DEPTH) {
                stack[depth] = (node_t) { .name = (const char *)p, .address_cells = 2, .size_cells = 1 };
            }
            while (*p++ != 0) {
            }
            p = (const uint8_t *)ALIGN_UP((uint64_t)p, 4);
        } else if (token != FDT_NOP) {
            return; // FDT_END, or not a tree
        }
    }
}

// Core 0 is the one that boots, wherever the tree has it: a core's number is its place in platform.mpidr.
static void boot_core_first(void) {
    uint64_t boot = READ_SYSREG(mpidr_el1) & UINT64_C(0xFF00FFFFFF);
    unsigned at = 0;
    while (at < platform.ncpus && platform.mpidr[at] != boot) {
        at++;
    }
    if (at == platform.ncpus && at < PLATFORM_MAX_CPUS) {
        platform.ncpus++; // there is no tree, or it does not have it
    } else if (at == PLATFORM_MAX_CPUS) {
        at--; // it was behind those that there is room for
    }
    for (; at > 0; at--) {
        platform.mpidr[at] = platform.mpidr[at - 1];
    }
    platform.mpidr[0] = boot;
}

// ---- The console --------------------------------------------------------------------------------

// The value of /aliases' property `name`, which ends at ':' or its end; NULL: there is none.
static const char *find_alias(const uint8_t *fdt, const char *name) {
    const uint8_t *p = fdt + be32(fdt + 8), *end = p + be32(fdt + 36);
    const char *strings = (const char *)fdt + be32(fdt + 12);
    unsigned level = 0;
    bool in_aliases = false;
    while (p < end) {
        uint32_t token = be32_aligned(p);
        p += 4;
        if (token == FDT_BEGIN_NODE) {
            in_aliases = ++level == 2 && same((const char *)p, "aliases");
            while (*p++ != 0) {
            }
            p = (const uint8_t *)ALIGN_UP((uint64_t)p, 4);
        } else if (token == FDT_END_NODE) {
            in_aliases = false;
            level--;
        } else if (token == FDT_PROP) {
            const char *a = strings + be32_aligned(p + 4), *b = name;
            while (in_aliases && *a != 0 && *a == *b) {
                a++, b++;
            }
            if (in_aliases && *a == 0 && (*b == 0 || *b == ':')) {
                return (const char *)p + 8;
            }
            p += 8 + ALIGN_UP(be32_aligned(p), 4);
        } else if (token != FDT_NOP) {
            break;
        }
    }
    return NULL;
}

// Whether `path` begins with that node's name; a unit address may be left out. What follows, or NULL.
static const char *path_step(const char *path, const char *name) {
    if (*path++ != '/') {
        return NULL;
    }
    while (*name != 0 && *path == *name) {
        path++, name++;
    }
    bool ends = *path == 0 || *path == '/' || *path == ':';
    return ends && (*name == 0 || *name == '@') ? path : NULL;
}

static bool is_uart_at(unsigned i, const char *path) {
    for (unsigned level = 2; path != NULL && level <= uarts[i].depth; level++) {
        path = path_step(path, uarts[i].path[level]);
    }
    return path != NULL && (*path == 0 || *path == ':');
}

// /chosen/stdout-path is a path or an alias, and options behind ':' (DeviceTree Specification, 3.6).
static void choose_uart(const uint8_t *fdt) {
    unsigned found = 0;
    if (nuarts == 0) {
        return;
    }
    if (stdout_path != NULL && stdout_path[0] != '/') {
        stdout_path = find_alias(fdt, stdout_path);
    }
    for (unsigned i = nuarts; stdout_path != NULL && i-- > 0;) {
        found = is_uart_at(i, stdout_path) ? i : found;
    }
    platform.uart_base = uarts[found].base;
    platform.uart_compatible = kinds[uarts[found].kind];
    platform.uart_irq = uarts[found].irq;
}

bool platform_uart(unsigned n, uint64_t *base, unsigned *irq, const char **compatible) {
    for (unsigned i = 0; i < nuarts; i++) {
        if (uarts[i].base != platform.uart_base && n-- == 0) {
            *base = uarts[i].base;
            *irq = uarts[i].irq;
            *compatible = kinds[uarts[i].kind];
            return true;
        }
    }
    return false;
}

static bool is_fdt(const void *p) {
    return p != NULL && ((uint64_t)p & 7) == 0 && be32_aligned(p) == FDT_MAGIC;
}

void platform_init(const void *fdt, unsigned boot_el) {
    if (platform.model != NULL) {
        return; // read already, on the way down from EL3
    }
    platform.model = BOARD_NAME;
    platform.boot_el = boot_el;
    platform.uart_base = BOARD_EARLY_UART;
    platform.uart_compatible = kinds[PL011];
    platform.uart_irq = BOARD_UART_IRQ;
    // PPI numbers of ARM's base system architecture (DEN0029, 3.6).
    platform.maintenance_irq = 25;
    platform.hyp_timer_irq = 26;
    platform.virt_timer_irq = 27;
    platform.phys_timer_irq = 30;
    if (!is_fdt(fdt)) {
        fdt = (const void *)BOARD_FDT_ADDRESS; // an ELF is given no pointer
    }
    if (is_fdt(fdt)) {
        platform.fdt = fdt;
        platform.fdt_size = be32((const uint8_t *)fdt + 4);
        tree_walk(fdt, found_node);
        choose_uart(fdt);
    }
    if (platform.nram == 0) {
        platform.ram[platform.nram++] = (range_t) { BOARD_RAM_BASE, BOARD_RAM_SIZE };
    }
    boot_core_first();
    if (boot_el == 3) {
        platform.conduit = CONDUIT_NONE; // we took the place of the firmware that would answer
    }
    if (boot_el == 1) {
        platform.hyp_timer_irq = platform.virt_timer_irq; // see el1.c
    }
    platform.ram_base = platform.ram[0].base;
    for (unsigned i = 0; i < platform.nram; i++) {
        platform.ram_size += platform.ram[i].size;
    }
}

// ---- What is where ------------------------------------------------------------------------------

static struct {
    uint64_t base, end, covered;    // bytes of `covered` are of devices that are asked for
    const char *const *names;
    unsigned n;
    bool others;
} query;

static void found_device_at(const node_t *n, const node_t *parent) {
    range_t r;
    bool named = false;
    for (unsigned k = 0; k < query.n; k++) {
        named |= is_compatible(n, query.names[k]);
    }
    for (unsigned i = 0; (r = reg_range(n, parent, i)).size != 0; i++) {
        uint64_t from = ALIGN_DOWN(r.base, PAGE_SIZE), to = ALIGN_UP(r.base + r.size, PAGE_SIZE);
        from = from > query.base ? from : query.base;
        to = to < query.end ? to : query.end;
        if (from < to) {
            query.covered += named ? to - from : 0;
            query.others |= !named;
        }
    }
}

platform_devices_t platform_devices(uint64_t base, uint64_t size, const char *const *names, unsigned n) {
    query.base = base;
    query.end = base + size;
    query.covered = 0;
    query.names = names;
    query.n = n;
    query.others = false;
    if (platform.fdt != NULL) {
        tree_walk(platform.fdt, found_device_at);
    }
    return query.others ? PLATFORM_OTHERS : query.covered >= size ? PLATFORM_ALL : PLATFORM_UNKNOWN;
}
