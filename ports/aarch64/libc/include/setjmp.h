// SPDX-License-Identifier: MIT
// Named by headers of MicroPython, used by none of what is built: non-local returns are py/nlraarch64.c.
#pragma once
