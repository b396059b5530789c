// SPDX-License-Identifier: MIT
// Only the numbers: this libc has no errno variable. MicroPython uses its own (py/mperrno.h), which are the same.
#pragma once
#define EPERM 1
#define ENOENT 2
#define EIO 5
#define EAGAIN 11
#define ENOMEM 12
#define EEXIST 17
#define ENODEV 19
#define EINVAL 22
#define EDOM 33
#define ERANGE 34
#define EWOULDBLOCK EAGAIN
