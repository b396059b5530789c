// SPDX-License-Identifier: MIT
// The string half of the C library, as much of it as MicroPython calls.

#include <stdint.h>
#include <string.h>

// Eight bytes at a time, from the aligned word that s lies in: that never leaves s's page.
size_t strlen(const char *s) {
    const uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
    unsigned skip = (uintptr_t)s & 7;
    const uint64_t *p = (const uint64_t *)(s - skip);
    uint64_t word = *p | ((UINT64_C(1) << 8 * skip) - 1); // what precedes s is not zero
    uint64_t zeros;
    while ((zeros = (word - ones) & ~word & highs) == 0) {
        word = *++p;
    }
    return (const char *)p + __builtin_ctzll(zeros) / 8 - s;
}

size_t strnlen(const char *s, size_t n) {
    const char *end = memchr(s, 0, n);
    return end ? (size_t)(end - s) : n;
}

int strcmp(const char *a, const char *b) {
    while (*a && *a == *b) {
        ++a;
        ++b;
    }
    return *(const uint8_t *)a - *(const uint8_t *)b;
}

int strncmp(const char *a, const char *b, size_t n) {
    for (; n && *a && *a == *b; --n) {
        ++a;
        ++b;
    }
    return n ? *(const uint8_t *)a - *(const uint8_t *)b : 0;
}

void *memchr(const void *s, int c, size_t n) {
    for (const uint8_t *p = s; n; --n, ++p) {
        if (*p == (uint8_t)c) {
            return (void *)p;
        }
    }
    return NULL;
}

char *strchr(const char *s, int c) {
    for (; *s != (char)c; ++s) {
        if (*s == 0) {
            return NULL;
        }
    }
    return (char *)s;
}

char *strrchr(const char *s, int c) {
    const char *last = NULL;
    do {
        if (*s == (char)c) {
            last = s;
        }
    } while (*s++);
    return (char *)last;
}

size_t strspn(const char *s, const char *accept) {
    size_t n = 0;
    while (s[n] && strchr(accept, s[n])) {
        ++n;
    }
    return n;
}

size_t strcspn(const char *s, const char *reject) {
    size_t n = 0;
    while (s[n] && !strchr(reject, s[n])) {
        ++n;
    }
    return n;
}

char *strstr(const char *s, const char *find) {
    size_t n = strlen(find);
    for (; strncmp(s, find, n) != 0; ++s) {
        if (*s == 0) {
            return NULL;
        }
    }
    return (char *)s;
}

char *strcpy(char *restrict dst, const char *restrict src) {
    memcpy(dst, src, strlen(src) + 1);
    return dst;
}

char *strcat(char *restrict dst, const char *restrict src) {
    strcpy(dst + strlen(dst), src);
    return dst;
}

char *strncpy(char *restrict dst, const char *restrict src, size_t n) {
    size_t len = strnlen(src, n);
    memset(dst + len, 0, n - len);
    return memcpy(dst, src, len);
}

// Called by code that counts bits: libgcc's uses a vector register.
int __popcountdi2(unsigned long x) {
    int n = 0;
    for (; x; x &= x - 1) {
        ++n;
    }
    return n;
}
