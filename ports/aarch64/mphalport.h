// SPDX-License-Identifier: MIT
// The port's HAL: critical sections, the counter as a clock, and waiting.
//
// Waiting is the heart of it: hv_idle() runs background guests or sleeps, and ends with any interrupt.
// Whoever makes the waiting code's condition true in an interrupt handler calls mp_hal_wake(), so that
// an event between the last look and the wait is not slept over.

#include <stdbool.h>
#include <stdint.h>

#include "py/ringbuf.h"
#include "extmod/virtpin.h"
#include "shared/runtime/interrupt_char.h"

// Interrupts of EL2 (PSTATE.I); guests' own state is not touched by this.
static inline mp_uint_t mp_hal_irq_save(void) {
    mp_uint_t daif;
    __asm__ volatile ("mrs %0, daif\n msr daifset, #2" : "=r" (daif) : : "memory");
    return daif;
}

static inline void mp_hal_irq_restore(mp_uint_t daif) {
    __asm__ volatile ("msr daif, %0" : : "r" (daif) : "memory");
}

#define MICROPY_BEGIN_ATOMIC_SECTION() mp_hal_irq_save()
#define MICROPY_END_ATOMIC_SECTION(state) mp_hal_irq_restore(state)
#define MICROPY_PY_PENDSV_ENTER mp_uint_t pendsv_state_ = mp_hal_irq_save()
#define MICROPY_PY_PENDSV_EXIT mp_hal_irq_restore(pendsv_state_)

#define MICROPY_INTERNAL_WFE(TIMEOUT_MS) mp_hal_wait_ms(TIMEOUT_MS)

extern ringbuf_t stdin_ringbuf;
extern volatile bool mp_hal_woken;

static inline void mp_hal_wake(void) {
    mp_hal_woken = true;
}

// Until something happens, or for timeout_ms; below 0: no limit.
void mp_hal_wait_ms(mp_int_t timeout_ms);

void mp_hal_init(void);
// Before the GC heap goes away: no timer may call into it any more.
void mp_hal_deinit(void);

// CNTPCT_EL0 counts up from reset and never wraps. The barrier keeps the read where it is written.
static inline uint64_t mp_hal_counter(void) {
    uint64_t count;
    __asm__ volatile ("isb\n mrs %0, cntpct_el0" : "=r" (count) : : "memory");
    return count;
}

// count * rate / CNTFRQ, with scale = 2^63 * rate / CNTFRQ made once: a division per call is too slow.
static inline uint64_t mp_hal_scale(uint64_t count, uint64_t scale) {
    return (uint64_t)(((unsigned __int128)(count << 1) * scale) >> 64);
}

extern uint64_t mp_hal_scale_ms, mp_hal_scale_us;

static inline mp_uint_t mp_hal_ticks_us(void) {
    return mp_hal_scale(mp_hal_counter(), mp_hal_scale_us);
}

static inline mp_uint_t mp_hal_ticks_ms(void) {
    return mp_hal_scale(mp_hal_counter(), mp_hal_scale_ms);
}

// The finest clock there is: the counter itself, in steps of 1/machine.freq() s.
static inline mp_uint_t mp_hal_ticks_cpu(void) {
    return mp_hal_counter();
}

uint64_t mp_hal_counter_hz(void);

// Seconds and nanoseconds since 1970, from the RTC at first use and the counter since.
uint64_t mp_hal_time_ns(void);
void mp_hal_set_time_s(uint64_t seconds);

// Not for keys: a hash of counter jitter and of what the machine was given at boot.
void mp_hal_get_random(size_t len, uint8_t *buf);

// Python-level pins only (machine.PinBase): the board has none.
#define MP_HAL_PIN_FMT "%p"
#define mp_hal_pin_obj_t mp_obj_t
#define mp_hal_get_pin_obj(pin) (pin)
#define mp_hal_pin_read(pin) mp_virtual_pin_read(pin)
#define mp_hal_pin_write(pin, v) mp_virtual_pin_write(pin, v)
