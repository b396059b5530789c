# SPDX-License-Identifier: MIT
# hv_native as a MicroPython user C module: the module _hv and everything under it.

HV_NATIVE_DIR := $(USERMOD_DIR)

SRC_USERMOD_C += $(filter-out %/offsets.c,$(sort $(wildcard $(HV_NATIVE_DIR)/*.c $(HV_NATIVE_DIR)/*/*.c)))
SRC_USERMOD_LIB_ASM += $(sort $(wildcard $(HV_NATIVE_DIR)/*.S $(HV_NATIVE_DIR)/*/*.S))

# Headers are included by their path: "vm/ram.h".
CFLAGS_USERMOD += -I$(HV_NATIVE_DIR)

# Names come from the register table too, which the scan for names does not follow by itself.
QSTR_GLOBAL_DEPENDENCIES += $(HV_NATIVE_DIR)/core/sysregs.def
