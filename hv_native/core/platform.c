// SPDX-License-Identifier: MIT
// The machine description, from the device tree: see platform.h.

#include "core/arch.h"
#include "core/io.h"
#include "core/platform.h"
#include "core/tree.h"
#include "mpconfigboard.h"

struct platform platform;

// The console is chosen when all of the tree has been seen: /chosen may come last.
static struct {
    unsigned depth;
    const char *path[TREE_MAX_DEPTH]; // names of the nodes from below the root down
} uart_at[PLATFORM_MAX_UARTS];
static const char *stdout_path;

// What the devices that are of use here say they are compatible with. The UARTs' are in the order of uart_kind_t.
typedef enum { VIRTIO, GIC_V2, GIC_V3, BCM2836, BCM2835, BCM2835_PM, TIMER, FLASH, PL031, FW_CFG, PSCI, PMU, UART, NOTHING = 0xFF } device_kind_t;

static const struct {
    char name[24];
    uint8_t kind;
} kinds[] = {
    { "virtio,mmio", VIRTIO },
    { "arm,cortex-a15-gic", GIC_V2 },
    { "arm,gic-400", GIC_V2 },
    { "arm,gic-v3", GIC_V3 },
    { "arm,armv8-timer", TIMER },
    { "arm,armv7-timer", TIMER },
    { "cfi-flash", FLASH },
    { "arm,pl031", PL031 },
    { "qemu,fw-cfg-mmio", FW_CFG },
    { "arm,psci-0.2", PSCI },
    { "arm,psci-1.0", PSCI },
    { "arm,armv8-pmuv3", PMU },
    { "arm,pl011", UART + UART_PL011 },
    { "ns16550a", UART + UART_8250 },
    { "snps,dw-apb-uart", UART + UART_8250 },
    { "ti,am654-uart", UART + UART_8250 },
    { "brcm,bcm2835-aux-uart", UART + UART_BCM2835_AUX },
    { "xlnx,xuartps", UART + UART_CADENCE },
    { "brcm,bcm2836-l1-intc", BCM2836 },
    { "brcm,bcm2836-armctrl-ic", BCM2835 },
    { "brcm,bcm2835-pm", BCM2835_PM },
    { "cdns,uart-r1p8", UART + UART_CADENCE },
    { "cdns,uart-r1p12", UART + UART_CADENCE },
    { "fsl,imx6q-uart", UART + UART_IMX },
    { "fsl,imx21-uart", UART + UART_IMX },
};

// compatible is a list of strings, the closest first. A name that is not the one mostly differs at [5].
static unsigned kind_of(const node_t *n) {
    const char *s = (const char *)n->prop[P_COMPATIBLE].value;
    const char *end = s + n->prop[P_COMPATIBLE].len;
    while (s < end) {
        for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
            if (s[5] == kinds[i].name[5] && same_name(s, kinds[i].name)) {
                return kinds[i].kind;
            }
        }
        while (s < end && *s++ != 0) {
        }
    }
    return NOTHING;
}

// A GIC's interrupt specifier is <type number flags>: type 0 is an SPI, 1 a PPI. The Raspberry Pi 3's two controllers
// have two cells: <number flags> of the cores' own, <bank bit> of the devices'.
static unsigned tree_intid(const node_t *n, unsigned index, unsigned fallback) {
    if (!node_has(n, P_INTERRUPTS)) {
        return fallback;
    } else if (n->prop[P_INTERRUPTS].len % 12 != 0 && n->prop[P_INTERRUPTS].len >= (index + 1) * 8) {
        unsigned first = node_cell(n, P_INTERRUPTS, index * 2, 0), second = node_cell(n, P_INTERRUPTS, index * 2 + 1, 0);
        return n->depth == 2 ? BCM_LOCAL(first) : BCM_DEVICE(first, second);
    } else if (n->prop[P_INTERRUPTS].len < (index + 1) * 12) {
        return fallback;
    }
    uint32_t number = node_cell(n, P_INTERRUPTS, index * 3 + 1, 0);
    bool ppi = node_cell(n, P_INTERRUPTS, index * 3, 0) == 1;
    return number >= (ppi ? 16 : 988) ? fallback : number + (ppi ? 16 : 32); // registers end at INTID 1019
}

static void found_memory(const node_t *n) {
    range_t r;
    for (unsigned i = 0; platform.nram < PLATFORM_MAX_RAM && (r = node_reg(n, i)).size != 0; i++) {
        platform.ram[platform.nram++] = r;
    }
}

static void found_reserved(range_t r) {
    if (platform.nreserved < PLATFORM_MAX_RESERVED) {
        platform.reserved[platform.nreserved++] = r;
    }
}

// A child of /reserved-memory (3.5). One without reg may be anywhere: it is for an operating system to place.
static void found_reserved_node(const node_t *n) {
    range_t r;
    for (unsigned i = 0; (r = node_reg(n, i)).size != 0; i++) {
        if (node_has(n, P_NO_MAP)) {
            platform.no_map |= 1u << platform.nreserved;
        }
        found_reserved(r);
    }
}

static void found_cpu(const node_t *n) {
    if (!n->off && platform.ncpus < PLATFORM_MAX_CPUS) {
        platform.release[platform.ncpus] = node_number(n, P_RELEASE);
        platform.mpidr[platform.ncpus++] = node_unit(n);
    }
}

// Where each 4 KB frame is repeated over 64 KB, the second page of the CPU interface is only behind the last copy of
// the first (GIC-400 on a bus of 64 KB pages; Linux finds it so too).
#define GICC_ALIASED 0x20000
static range_t cpu_interface(range_t r) {
    if (r.size == GICC_ALIASED) {
        r = (range_t) { r.base + 0xF000, 0x2000 };
    }
    return r;
}

static bool is_revision(unsigned revision, unsigned version) {
    return version == 3 ? revision >= 3 : revision == 1 || revision == 2;
}

// GICD_PIDR2.ArchRev, in the last page of its registers (IHI 0048B table 4-1; IHI 0069, GICD_PIDR2). Else interrupts would
// be waited for from what sends none, and the prompt be deaf.
static bool is_distributor(range_t r, unsigned version) {
    uint64_t last = version == 3 ? 0xF000 : 0;
    return r.size >= last + 0x1000 && is_revision(read32(r.base + last + 0xFE8) >> 4 & 0xF, version);
}

// The second range: GICR_PIDR2.ArchRev (IHI 0069, GICR_PIDR2), or GICC_IIDR's architecture version (IHI 0048B 4.4.14).
static bool is_its_interface(range_t r, unsigned version) {
    if (version == 3) {
        return r.size >= 0x10000 && is_revision(read32(r.base + 0xFFE8) >> 4 & 0xF, version);
    }
    return r.size >= 0x100 && is_revision(read32(r.base + 0xFC) >> 16 & 0xF, version);
}

static void found_gic(const node_t *n, unsigned version) {
    if (!is_distributor(node_reg(n, 0), version) || !is_its_interface(node_reg(n, 1), version)) {
        return; // the same as none
    }
    platform.gic_version = version;
    platform.gicd = node_reg(n, 0);
    if (version == 3) {
        platform.gicr = node_reg(n, 1);
    } else {
        platform.gicc = cpu_interface(node_reg(n, 1));
        platform.gich = node_reg(n, 2);
        platform.gicv = cpu_interface(node_reg(n, 3));
    }
    platform.maintenance_irq = tree_intid(n, 0, platform.maintenance_irq);
}

static void found_timer(const node_t *n) {
    platform.phys_timer_irq = tree_intid(n, 1, platform.phys_timer_irq);
    platform.virt_timer_irq = tree_intid(n, 2, platform.virt_timer_irq);
    platform.hyp_timer_irq = tree_intid(n, 3, platform.hyp_timer_irq);
}

static void found_virtio(const node_t *n) {
    range_t r = node_reg(n, 0);
    if (platform.nvirtio < PLATFORM_MAX_VIRTIO && r.size != 0) {
        platform.virtio[platform.nvirtio].base = r.base;
        platform.virtio[platform.nvirtio++].irq = tree_intid(n, 0, 0);
    }
}

// The defaults of the binding, and of TI's, which says neither.
static void found_uart(const node_t *n, uart_kind_t kind) {
    range_t r = node_reg(n, 0);
    if (r.base == 0 || platform.nuarts == PLATFORM_MAX_UARTS) {
        return;
    }
    unsigned i = platform.nuarts++;
    platform.uart[i] = (platform_uart_t) { .base = r.base, .irq = tree_intid(n, 0, r.base == BOARD_EARLY_UART ? BOARD_UART_IRQ : 0), .kind = kind, .width = 4 };
    if (kind == UART_8250) {
        uint32_t shift = node_cell(n, P_SHIFT, 0, node_is(n, "ti,am654-uart") ? 2 : 0) & 3;
        platform.uart[i].shift = shift;
        platform.uart[i].width = node_cell(n, P_IO_WIDTH, 0, shift == 2 ? 4 : 1) == 4 ? 4 : 1;
    }
    uart_at[i].depth = n->depth;
    for (const node_t *at = n; at->depth > 1; at--) {
        uart_at[i].path[at->depth] = at->name;
    }
}

static void found_device(const node_t *n) {
    unsigned kind = kind_of(n);
    switch (kind) {
        case NOTHING:
            break;
        case VIRTIO:
            found_virtio(n);
            break;
        case GIC_V2:
            found_gic(n, 2);
            break;
        case GIC_V3:
            found_gic(n, 3);
            break;
        case BCM2836:
            platform.bcm2836 = node_reg(n, 0);
            break;
        case BCM2835:
            platform.bcm2835 = node_reg(n, 0);
            break;
        case BCM2835_PM:
            platform.pm_base = node_reg(n, 0).base;
            break;
        case TIMER:
            found_timer(n);
            break;
        case FLASH:
            platform.flash[0] = node_reg(n, 0);
            platform.flash[1] = node_reg(n, 1);
            break;
        case PL031:
            platform.rtc_base = node_reg(n, 0).base;
            break;
        case FW_CFG:
            platform.fwcfg_base = node_reg(n, 0).base;
            break;
        case PMU:
            platform.pmu_irq = tree_intid(n, 0, 0);
            if (platform.pmu_irq >= 32) {
                platform.pmu_irq = 0; // SPIs, one for each core: the guest's PMU has no interrupt then, nor a node
            }
            break;
        case PSCI:
            if (node_has(n, P_METHOD)) {
                platform.conduit = n->prop[P_METHOD].value[0] == 's' ? CONDUIT_SMC : CONDUIT_HVC;
            }
            break;
        default:
            found_uart(n, kind - UART);
            break;
    }
}

static void found_chosen(const node_t *n) {
    platform.initrd_start = node_number(n, P_INITRD_START);
    platform.initrd_end = node_number(n, P_INITRD_END);
    if (node_has(n, P_STDOUT)) {
        stdout_path = (const char *)n->prop[P_STDOUT].value;
    }
}

static void found_node(const node_t *n) {
    if (node_has(n, P_DEVICE_TYPE)) {
        const char *type = (const char *)n->prop[P_DEVICE_TYPE].value;
        if (same_name(type, "memory") && !n->off) {
            found_memory(n); // secure-only RAM says status = "disabled" for us
            return;
        } else if (same_name(type, "cpu")) {
            found_cpu(n);
            return;
        }
    }
    if (node_has(n, P_COMPATIBLE) && !n->off) {
        found_device(n);
    }
    if (n->depth == 1 && node_has(n, P_MODEL)) {
        platform.model = (const char *)n->prop[P_MODEL].value;
    } else if (n->depth == 2 && n->name[0] == 'c' && same_name(n->name, "chosen")) {
        found_chosen(n);
    } else if (n->depth == 3 && n[-1].name[0] == 'r' && same_name(n[-1].name, "reserved-memory") && !n->off) {
        found_reserved_node(n);
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
        platform.release[at] = platform.release[at - 1];
    }
    platform.mpidr[0] = boot;
}

// ---- The console --------------------------------------------------------------------------------

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
    for (unsigned level = 2; path != NULL && level <= uart_at[i].depth; level++) {
        path = path_step(path, uart_at[i].path[level]);
    }
    return path != NULL && (*path == 0 || *path == ':');
}

// /chosen/stdout-path is a path or an alias, and options behind ':' (DeviceTree Specification, 3.6).
static void choose_console(const void *fdt) {
    unsigned found = 0;
    if (stdout_path != NULL && stdout_path[0] != '/') {
        stdout_path = tree_alias(fdt, stdout_path);
    }
    for (unsigned i = platform.nuarts; stdout_path != NULL && i-- > 0;) {
        found = is_uart_at(i, stdout_path) ? i : found;
    }
    platform.console = &platform.uart[found];
}

const platform_uart_t *platform_uart(unsigned n) {
    for (unsigned i = 0; i < platform.nuarts; i++) {
        if (&platform.uart[i] != platform.console && n-- == 0) {
            return &platform.uart[i];
        }
    }
    return NULL;
}

static void read_tree(const void *fdt) {
    platform.fdt = fdt;
    platform.fdt_size = tree_size(fdt);
    tree_walk(fdt, found_node);
    tree_reserved(fdt, found_reserved);
    choose_console(fdt);
}

// What the loader handed over; a tree that `make image` put behind the image; where QEMU's virt leaves one for an ELF,
// which is given no pointer.
static const void *find_tree(const void *given) {
    extern char __image_end[];
    const void *const places[] = { given, __image_end, (const void *)BOARD_FDT_ADDRESS };
    for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
        if (is_tree(places[i])) {
            return places[i];
        }
    }
    return NULL;
}

// A loader that has no tree hands over a list of tags, as to Linux before there were trees: words of size (in words),
// tag and values. Of use is where the initrd is.
enum { ATAG_CORE = 0x54410001, ATAG_INITRD2 = 0x54420005 };

static void read_tags(const uint32_t *tag) {
    if (tag == NULL || ((uint64_t)tag & 3) != 0 || tag[1] != ATAG_CORE) {
        return;
    }
    for (unsigned i = 0; i < 32 && tag[0] >= 2 && tag[0] < 0x400; i++, tag += tag[0]) {
        if (tag[1] == ATAG_INITRD2) {
            platform.initrd_start = tag[2];
            platform.initrd_end = (uint64_t)tag[2] + tag[3];
        }
    }
}

void platform_init(const void *given, unsigned boot_el) {
    if (platform.model != NULL) {
        return; // read already, on the way down from EL3
    }
    platform.model = BOARD_NAME;
    platform.boot_el = boot_el;
    platform.console = &platform.uart[0];
    // PPI numbers of ARM's base system architecture (DEN0029, 3.6).
    platform.maintenance_irq = 25;
    platform.hyp_timer_irq = 26;
    platform.virt_timer_irq = 27;
    platform.phys_timer_irq = 30;
    const void *fdt = find_tree(given);
    if (fdt != NULL) {
        read_tree(fdt);
    }
    if (fdt != given) {
        read_tags(given);
    }
    if (platform.nuarts == 0) {
        platform.uart[platform.nuarts++] = (platform_uart_t) { .base = BOARD_EARLY_UART, .irq = BOARD_UART_IRQ, .kind = UART_PL011, .width = 4 };
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

static void found_device_at(const node_t *n) {
    range_t r;
    bool named = false;
    for (unsigned k = 0; k < query.n; k++) {
        named |= node_is(n, query.names[k]);
    }
    for (unsigned i = 0; (r = node_reg(n, i)).size != 0; i++) {
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
