// SPDX-License-Identifier: MIT
// Formatted output of MicroPython's shared/libc/printf.c; there are no files.
#pragma once
#include <stdarg.h>
#include <stddef.h>
int printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int vprintf(const char *fmt, va_list ap);
int snprintf(char *str, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *str, size_t size, const char *fmt, va_list ap);
int putchar(int c);
int puts(const char *s);
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2
