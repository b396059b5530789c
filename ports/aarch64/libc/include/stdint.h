// SPDX-License-Identifier: MIT
#pragma once
#include <stdint-gcc.h>
