// SPDX-License-Identifier: MIT
// A plugin for QEMU 7.2 that counts what takes time on silicon: of the instructions from LO to HI, what they access and
// what they are. A line is written each time one of the laps' addresses is reached, of all since the one before:
//     ADDRESS instructions loads stores devices sysregs barriers tlbis indirect code-lines data-lines
// Lines of 64 bytes count that were used MANY times.
// -plugin libsilicon.so,out=FILE,region=LO-HI,many=MANY,lap=ADDRESS[,lap=ADDRESS]
//
// The few functions it uses are declared here, as in count.c.

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define MOST 4
#define INLINE_ADD_U64 0
#define NO_REGISTERS 0
#define READS_AND_WRITES 3
#define BASE UINT64_C(0x40000000)   // of the machine's RAM, of which 128 MB are looked at
#define LINES (0x8000000 / 64)

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*f)(uint64_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *counter, uint64_t more);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*f)(unsigned cpu, void *data), int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, void (*f)(unsigned cpu, uint32_t info, uint64_t at, void *data), int flags, int rw, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
bool qemu_plugin_mem_is_store(uint32_t info);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(uint32_t info, uint64_t at);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *at);

EXPORT int qemu_plugin_version = 1;

enum { INSTRUCTIONS, LOADS, STORES, DEVICES, SYSREGS, BARRIERS, TLBIS, INDIRECT, KINDS };
static uint64_t count[KINDS], code[LINES], data[LINES];
static uint64_t low, high, many = 1, laps[MOST];
static unsigned nlaps;
static FILE *out;

static unsigned used(uint64_t lines[LINES]) {
    unsigned n = 0;
    for (unsigned i = 0; i < LINES; i++) {
        n += lines[i] >= many;
    }
    memset(lines, 0, LINES * sizeof(lines[0]));
    return n;
}

static void lap(unsigned cpu, void *address) {
    (void)cpu;
    fprintf(out, "%#" PRIx64, *(uint64_t *)address);
    for (unsigned k = 0; k < KINDS; k++) {
        fprintf(out, " %" PRIu64, count[k]);
    }
    fprintf(out, " %u %u\n", used(code), used(data));
    fflush(out);
    memset(count, 0, sizeof(count));
}

static void accessed(unsigned cpu, uint32_t info, uint64_t at, void *unused) {
    (void)cpu;
    (void)unused;
    const struct qemu_plugin_hwaddr *where = qemu_plugin_get_hwaddr(info, at);
    if (where != NULL && qemu_plugin_hwaddr_is_io(where)) {
        count[DEVICES]++;
        return;
    }
    count[qemu_plugin_mem_is_store(info) ? STORES : LOADS]++;
    if ((at - BASE) / 64 < LINES) {
        data[(at - BASE) / 64]++;
    }
}

// What else an instruction is (DDI 0487 C4.1.66): MSR and MRS; DSB, DMB and ISB; TLBI; BR and BLR.
static int kind(uint32_t word) {
    if ((word & 0xFFD00000) == 0xD5100000) {
        return SYSREGS;
    }
    if ((word & 0xFFFFF01F) == 0xD503301F && (word >> 5 & 7) >= 4) {
        return BARRIERS;
    }
    if ((word & 0xFFF8F000) == 0xD5088000) {
        return TLBIS;
    }
    return (word & 0xFFDFFC1F) == 0xD61F0000 ? INDIRECT : INSTRUCTIONS;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t at = qemu_plugin_insn_vaddr(insn);
        for (unsigned k = 0; k < nlaps; k++) {
            if (at == laps[k]) {
                qemu_plugin_register_vcpu_insn_exec_cb(insn, lap, NO_REGISTERS, &laps[k]);
            }
        }
        if (at < low || at >= high) {
            continue;
        }
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(insn), sizeof(word));
        qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &count[INSTRUCTIONS], 1);
        qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &code[(at - BASE) / 64], 1);
        if (kind(word) != INSTRUCTIONS) {
            qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &count[kind(word)], 1);
        }
        qemu_plugin_register_vcpu_mem_cb(insn, accessed, NO_REGISTERS, READS_AND_WRITES, NULL);
    }
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
            out = fopen(value, "w");
        } else if (strncmp(argv[i], "region=", 7) == 0) {
            low = strtoull(value, &value, 0);
            high = strtoull(value + 1, NULL, 0);
        } else if (strncmp(argv[i], "many=", 5) == 0) {
            many = strtoull(value, NULL, 0);
        } else if (strncmp(argv[i], "lap=", 4) == 0 && nlaps < MOST) {
            laps[nlaps++] = strtoull(value, NULL, 0);
        } else {
            return -1;
        }
    }
    if (out == NULL || low < BASE || high > BASE + LINES * 64) {
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
