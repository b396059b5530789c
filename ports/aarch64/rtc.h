// SPDX-License-Identifier: MIT
// The real-time clock chip, if the machine has one. Seconds since 1970.
#ifndef PORT_RTC_H
#define PORT_RTC_H

#include <stdint.h>

uint32_t rtc_read_s(void); // without a chip: 2000-01-01 00:00:00
void rtc_write_s(uint32_t seconds);

#endif
