// SPDX-License-Identifier: MIT
// A plugin for QEMU 7.2 that counts instructions, of all cores and exception levels, and writes at the end,
// and when a mark is reached:
//     total N
//     region N                 one for each region=LO-HI, in their order: those at these addresses
//     mark N                   one for each mark=ADDRESS: the total when it was reached first, or 0
// -plugin libcount.so,out=FILE[,region=LO-HI][,mark=ADDRESS]
//
// The few functions it uses are declared here: QEMU's header is in no Debian package of that version.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define MOST 4
#define INLINE_ADD_U64 0
#define NO_REGISTERS 0

struct qemu_plugin_tb;
struct qemu_plugin_insn;
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*f)(uint64_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_atexit_cb(uint64_t id, void (*f)(uint64_t id, void *data), void *data);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *counter, uint64_t more);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*f)(unsigned cpu, void *data), int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

EXPORT int qemu_plugin_version = 1;

static uint64_t total;
static struct {
    uint64_t low, high, count;
} regions[MOST];
static struct {
    uint64_t address, count;
} marks[MOST];
static unsigned nregions, nmarks;
static char *out;

static void write_out(void) {
    FILE *file = fopen(out, "w");
    if (file == NULL) {
        return;
    }
    fprintf(file, "total %" PRIu64 "\n", total);
    for (unsigned k = 0; k < nregions; k++) {
        fprintf(file, "region %" PRIu64 "\n", regions[k].count);
    }
    for (unsigned k = 0; k < nmarks; k++) {
        fprintf(file, "mark %" PRIu64 "\n", marks[k].count);
    }
    fclose(file);
}

static void reached(unsigned cpu, void *data) {
    uint64_t *count = data;
    (void)cpu;
    if (*count == 0) {
        *count = total;
        write_out();
    }
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t at = qemu_plugin_insn_vaddr(insn);
        qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &total, 1);
        for (unsigned k = 0; k < nregions; k++) {
            if (at >= regions[k].low && at < regions[k].high) {
                qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &regions[k].count, 1);
            }
        }
        for (unsigned k = 0; k < nmarks; k++) {
            if (at == marks[k].address) {
                qemu_plugin_register_vcpu_insn_exec_cb(insn, reached, NO_REGISTERS, &marks[k].count);
            }
        }
    }
}

static void ended(uint64_t id, void *data) {
    (void)id;
    (void)data;
    write_out();
}

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value == NULL) {
            return -1;
        }
        value++;
        if (strncmp(argv[i], "out=", 4) == 0) {
            out = strdup(value);
        } else if (strncmp(argv[i], "region=", 7) == 0 && nregions < MOST) {
            regions[nregions].low = strtoull(value, &value, 0);
            regions[nregions++].high = strtoull(value + 1, NULL, 0);
        } else if (strncmp(argv[i], "mark=", 5) == 0 && nmarks < MOST) {
            marks[nmarks++].address = strtoull(value, NULL, 0);
        } else {
            return -1;
        }
    }
    if (out == NULL) {
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
