// SPDX-License-Identifier: MIT
// An assertion that fails prints itself and stops, with NDEBUG it is not even evaluated.
#undef assert
#ifdef NDEBUG
#define assert(e) ((void)0)
#else
#define assert(e) ((e) ? (void)0 : __assert_func(__FILE__, __LINE__, __func__, #e))
#endif
#ifndef __cplusplus
#define static_assert _Static_assert
#endif
__attribute__((noreturn)) void __assert_func(const char *file, int line, const char *func, const char *expr);
