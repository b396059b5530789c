// SPDX-License-Identifier: MIT
// Linux's users of the debug registers and the PMU, without a libc: perf_event_open of cycles, of a watchpoint and a
// breakpoint, and ptrace's single step. Prints a line for each; built and run by test_linux_debug.py.
typedef unsigned long u64;
typedef unsigned int u32;

enum { IOCTL = 29, READ = 63, WRITE = 64, EXIT = 93, PTRACE = 117, KILL = 129, GETPID = 172, CLONE = 220, PERF = 241, WAIT4 = 260 };
enum { HARDWARE = 0, BREAKPOINT = 5, CYCLES = 0, INSTRUCTIONS = 1, BP_W = 2, BP_X = 4 };

static long call(long n, long a, long b, long c, long d, long e) {
    register long x8 __asm__ ("x8") = n, x0 __asm__ ("x0") = a, x1 __asm__ ("x1") = b, x2 __asm__ ("x2") = c, x3 __asm__ ("x3") = d,
        x4 __asm__ ("x4") = e;
    __asm__ volatile ("svc #0" : "+r" (x0) : "r" (x8), "r" (x1), "r" (x2), "r" (x3), "r" (x4) : "memory");
    return x0;
}

static void say(const char *text, long n) {
    char line[64];
    int at = 0, digits = 0;
    while (*text) {
        line[at++] = *text++;
    }
    char back[24];
    u64 rest = n < 0 ? -n : n;
    if (n < 0) {
        line[at++] = '-';
    }
    do {
        back[digits++] = '0' + rest % 10;
    } while (rest /= 10);
    while (digits) {
        line[at++] = back[--digits];
    }
    line[at++] = '\n';
    call(WRITE, 1, (long)line, at, 0, 0);
}

struct attr {
    u32 type, size;
    u64 config, period, sample, format, flags;
    u32 wakeup, bp_type;
    u64 bp_addr, bp_len;
};

static long count(u32 type, u64 config, u64 period, u32 bp_type, void *address, void (*work)(void)) {
    struct attr a = { type, sizeof(a), config, period, period ? 1 : 0, 0, 1, 0, bp_type, (u64)address, type == BREAKPOINT ? 4 : 0 };
    long fd = call(PERF, (long)&a, 0, -1, -1, 0);
    if (fd < 0) {
        return fd;
    }
    call(IOCTL, fd, 0x2400, 0, 0, 0);
    work();
    call(IOCTL, fd, 0x2401, 0, 0, 0);
    long n = -1;
    call(READ, fd, (long)&n, 8, 0, 0);
    return n;
}

static volatile u32 watched[4];

static void spin(void) {
    for (int i = 0; i < 20000000; i++) {
        __asm__ volatile ("");
    }
}

static void store(void) {
    for (int i = 0; i < 10; i++) {
        watched[1] = i;
        watched[2] = i;
    }
}

static __attribute__((noinline)) void called(void) {
    __asm__ volatile ("");
}

static void calls(void) {
    for (int i = 0; i < 7; i++) {
        called();
    }
}

static long steps(void) {
    long child = call(CLONE, 17, 0, 0, 0, 0), n = 0;
    if (child == 0) {
        call(PTRACE, 0, 0, 0, 0, 0);
        call(KILL, call(GETPID, 0, 0, 0, 0, 0), 19, 0, 0, 0);
        spin();
        call(EXIT, 42, 0, 0, 0, 0);
    }
    int status = 0;
    call(WAIT4, child, (long)&status, 0, 0, 0);
    while (n < 1000 && (status & 0xFF) == 0x7F) {
        call(PTRACE, 9, child, 0, 0, 0);
        call(WAIT4, child, (long)&status, 0, 0, 0);
        n += (status >> 8 & 0xFF) == 5;
    }
    call(PTRACE, 7, child, 0, 0, 0);
    call(WAIT4, child, (long)&status, 0, 0, 0);
    return status == 42 << 8 ? n : -n;
}

void _start(void) {
    long cycles = count(HARDWARE, CYCLES, 0, 0, 0, spin);
    say("cycles counted ", cycles > 1000000 ? 1 : cycles);
    say("sampled ", count(HARDWARE, CYCLES, 1000000, 0, 0, spin) > 1000000);
    say("instructions ", count(HARDWARE, INSTRUCTIONS, 0, 0, 0, spin));
    say("stores ", count(BREAKPOINT, 0, 0, BP_W, (void *)&watched[1], store));
    say("calls ", count(BREAKPOINT, 0, 0, BP_X, (void *)called, calls));
    say("steps ", steps());
    call(EXIT, 0, 0, 0, 0, 0);
}
