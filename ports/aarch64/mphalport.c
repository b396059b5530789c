// SPDX-License-Identifier: MIT
// Console, clock and waiting for MicroPython, on the counter and interrupts of hv_native.

#include <string.h>

#include "py/mphal.h"
#include "py/runtime.h"
#include "py/stream.h"
#include "extmod/misc.h"
#include "lib/crypto-algorithms/sha256.h"
#include "shared/runtime/softtimer.h"
#include "shared/timeutils/timeutils.h"
#include "hv_native/core/arch.h"
#include "hv_native/core/platform.h"
#include "hv_native/hv.h"
#include "hv_native/irq/timer.h"
#include "hv_native/vm/vm.h"
#include "gc_alloc.h"
#include "rtc.h"
#include "uart.h"

/******************************************************************************/
// Clock

uint64_t mp_hal_scale_ms, mp_hal_scale_us;
static uint64_t counter_hz;
static uint64_t epoch_ns; // the time the counter was 0; 0: not asked for yet

static uint64_t make_scale(uint64_t rate) {
    // Rounded up, so that a whole number of units never comes out as one less. 2^63 * rate needs two steps.
    uint64_t high = (rate << 32) / counter_hz;
    uint64_t low = (rate << 32) % counter_hz;
    return (high << 31) + (low << 31) / counter_hz + 1;
}

void mp_hal_init(void) {
    counter_hz = timer_freq();
    mp_hal_scale_ms = make_scale(1000);
    mp_hal_scale_us = make_scale(1000000);
}

uint64_t mp_hal_counter_hz(void) {
    return counter_hz;
}

static uint64_t counter_ns(void) {
    uint64_t count = mp_hal_counter();
    return count / counter_hz * 1000000000 + count % counter_hz * 1000000000 / counter_hz;
}

uint64_t mp_hal_time_ns(void) {
    if (epoch_ns == 0) {
        epoch_ns = rtc_read_s() * UINT64_C(1000000000) - counter_ns();
    }
    return epoch_ns + counter_ns();
}

void mp_hal_set_time_s(uint64_t seconds) {
    rtc_write_s(seconds);
    epoch_ns = seconds * UINT64_C(1000000000) - counter_ns();
}

/******************************************************************************/
// Waiting

volatile bool mp_hal_woken;
static timer_t wait_timer, soft_timer;

static void wake(timer_t *timer) {
    mp_hal_wake();
}

static bool anything_pending(void) {
    return MP_STATE_THREAD(mp_pending_exception) != MP_OBJ_NULL || MP_STATE_VM(sched_state) == MP_SCHED_PENDING;
}

// Look once more with interrupts masked, then wait: a masked interrupt ends the wait all the same.
static void wait_until(uint64_t deadline) {
    if (!platform_has_intc()) {
        uart_rx_poll(); // nothing would end the wait
        return;
    }
    mp_uint_t state = mp_hal_irq_save();
    if (!mp_hal_woken && !anything_pending()) {
        // Who waits for one moment several times finds the timer set for it.
        if (deadline != UINT64_MAX && !(wait_timer.armed && wait_timer.deadline == deadline)) {
            timer_arm(&wait_timer, deadline, wake);
        }
        hv_idle(!(state & PSTATE_I));
    }
    mp_hal_woken = false;
    mp_hal_irq_restore(state);
}

void mp_hal_wait_ms(mp_int_t timeout_ms) {
    wait_until(timeout_ms < 0 ? UINT64_MAX : mp_hal_counter() + timeout_ms * counter_hz / 1000);
    timer_cancel(&wait_timer);
}

static void delay_until(uint64_t deadline) {
    // Taking an interrupt costs about this long: below it, spin.
    uint64_t spin = counter_hz / 100000;
    for (;;) {
        mp_event_handle_nowait();
        uint64_t now = mp_hal_counter();
        if (now >= deadline) {
            timer_cancel(&wait_timer);
            return;
        }
        if (deadline - now > spin) {
            wait_until(deadline);
        }
    }
}

void mp_hal_delay_ms(mp_uint_t ms) {
    delay_until(mp_hal_counter() + ms * counter_hz / 1000);
}

void mp_hal_delay_us(mp_uint_t us) {
    uint64_t deadline = mp_hal_counter() + us * counter_hz / 1000000;
    if (us < 10) {
        while (mp_hal_counter() < deadline) {
        }
    } else {
        delay_until(deadline);
    }
}

// shared/runtime/softtimer.c: machine.Timer.

uint32_t soft_timer_get_ms(void) {
    return mp_hal_ticks_ms();
}

static void soft_timer_expired(timer_t *timer) {
    soft_timer_handler();
    mp_hal_wake();
}

void soft_timer_schedule_at_ms(uint32_t ticks_ms) {
    uint64_t now = mp_hal_ticks_ms();
    int32_t ahead = soft_timer_ticks_diff(ticks_ms, now);
    uint64_t at_ms = now + MAX(ahead, 0);
    timer_arm(&soft_timer, (at_ms * counter_hz + 999) / 1000, soft_timer_expired);
}

void mp_hal_deinit(void) {
    soft_timer_deinit();
    timer_cancel(&soft_timer);
}

/******************************************************************************/
// Console

uintptr_t mp_hal_stdio_poll(uintptr_t poll_flags) {
    uintptr_t ret = poll_flags & MP_STREAM_POLL_WR;
    if ((poll_flags & MP_STREAM_POLL_RD) && ringbuf_avail(&stdin_ringbuf)) {
        ret |= MP_STREAM_POLL_RD;
    }
    return ret | mp_os_dupterm_poll(poll_flags);
}

static bool any_to_do(void) {
    return anything_pending() || ringbuf_avail(&stdin_ringbuf) != 0;
}

// Where a guest runs, the time is the guest's.
static bool nothing_runs(void) {
    for (const vm_t *vm = vms; vm != NULL; vm = vm->next) {
        if (vm->running) {
            return false;
        }
    }
    return true;
}

// A collection, if one is to come and nothing else is to be done: once for each character that is waited for. What comes meanwhile
// is looked for again.
static bool use_idle_time(void) {
    if (LIKELY(!gc_half_is_used()) || !nothing_runs()) {
        return false;
    }
    mp_event_handle_nowait();
    gc_idle(any_to_do);
    return true;
}

int mp_hal_stdin_rx_chr(void) {
    for (bool idled = false;;) {
        int c = ringbuf_get(&stdin_ringbuf);
        if (c >= 0) {
            uart_rx_resume();
            return c;
        }
        c = mp_os_dupterm_rx_chr();
        if (c >= 0) {
            return c;
        }
        if (READ_SYSREG(daif) & PSTATE_I) {
            uart_rx_poll(); // machine.disable_irq(): the interrupt that brings it does not come
        } else if (!idled) {
            idled = true;
            if (use_idle_time()) {
                continue;
            }
        }
        mp_event_wait_indefinite();
    }
}

mp_uint_t mp_hal_stdout_tx_strn(const char *str, size_t len) {
    uart_tx_strn(str, len);
    int dupterm_len = mp_os_dupterm_tx_strn(str, len);
    return dupterm_len >= 0 ? MIN((mp_uint_t)dupterm_len, len) : len;
}

/******************************************************************************/
// Random numbers: SHA-256 of a state that every call steps and stirs with the counter. The first state
// is the device tree, which holds the seeds a loader made for us (/chosen: rng-seed, kaslr-seed).

static uint8_t pool[SHA256_BLOCK_SIZE];
static bool pool_seeded;

static void pool_stir(const uint8_t *data, size_t len, uint8_t *out) {
    CRYAL_SHA256_CTX ctx;
    uint64_t count = mp_hal_counter();
    sha256_init(&ctx);
    sha256_update(&ctx, pool, sizeof(pool));
    sha256_update(&ctx, (const uint8_t *)&count, sizeof(count));
    sha256_update(&ctx, data, len);
    sha256_final(&ctx, out);
}

static uint32_t be32(const uint8_t *p) {
    return p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

void mp_hal_get_random(size_t len, uint8_t *buf) {
    if (!pool_seeded) {
        const uint8_t *fdt = platform.fdt;
        uint64_t seconds = mp_hal_time_ns();
        memcpy(pool, &seconds, sizeof(seconds));
        // Only the structure block (offset at 8, size at 36 of the header) holds values.
        pool_stir(fdt ? fdt + be32(fdt + 8) : NULL, fdt ? be32(fdt + 36) : 0, pool);
        pool_seeded = true;
    }
    uint8_t block[SHA256_BLOCK_SIZE];
    for (size_t n; len; len -= n, buf += n) {
        pool_stir((const uint8_t *)"next", 4, pool);
        pool_stir((const uint8_t *)"out", 3, block);
        n = MIN(len, sizeof(block));
        memcpy(buf, block, n);
    }
}

uint32_t mp_hal_random_u32(void) {
    uint32_t value;
    mp_hal_get_random(sizeof(value), (uint8_t *)&value);
    return value;
}
