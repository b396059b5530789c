# Which object gets which flags.
#
# Floating point: EL2 shares its vector registers with the guest, who keeps them until EL2 touches one
# and traps. So every file is built without, but those named here, which compute with floats.
FP_FILES = \
	extmod/machine_timer extmod/modrandom extmod/modselect extmod/modtime extmod/moductypes libc/math libc/quad native/floats \
	py/binary py/emitcommon py/formatfloat py/modbuiltins py/modcmath py/modmath py/mpprint py/nativeglue py/mpz py/obj \
	py/objcomplex py/objfloat py/objint py/objint_mpz py/objstr py/parsenum py/runtime

FP_O = $(addprefix $(BUILD)/,$(FP_FILES:=.o)) $(addprefix $(BUILD)/,$(LIB_SRC_C:.c=.o))
$(filter-out $(FP_O),$(filter %.o,$(OBJ))): CFLAGS += -mgeneral-regs-only
$(BUILD)/py/mpprint.o $(BUILD)/py/runtime.o: CFLAGS += -include general_regs.h

$(BUILD)/py/modbuiltins.o: CFLAGS += -include class_dict.h

# Addresses: the image and its data are below 1 MB, so one ADR reaches any of it. Not so the stacks behind it, which
# these name; the linker says so when there is another.
FAR_O = $(addprefix $(BUILD)/,$(addsuffix .o,main hv_native/hv hv_native/core/platform hv_native/memory/mem \
	hv_native/memory/mmu hv_native/python/obj_mmu hv_native/python/sysreg_access hv_native/trap/el2_fault hv_native/vcpu/share))
$(filter-out $(FAR_O),$(filter %.o,$(OBJ))): CFLAGS += -mcmodel=tiny

# Speed: -O2 where upstream's perf_bench shows that it pays, or where a collection or an interrupt
# runs; -Os for the rest, at under half a percent of the benchmarks for 11 KB.
HOT_FILES = \
	py/argcheck py/bc py/binary py/gc py/malloc py/map py/obj py/objarray py/objboundmeth py/objclosure \
	py/objfloat py/objfun py/objgenerator py/objlist py/objrange py/runtime py/scheduler py/vm native/calls native/floats native/generators native/glue uart uart_pl011 gc_alloc gc_collect lookup \
	hv_native/core/event hv_native/core/tree hv_native/memory/pgtable hv_native/vcpu/psci \
	hv_native/irq/irq hv_native/irq/timer hv_native/vgic/vtimer hv_native/vgic/vtimer_level hv_native/vgic/vgic_fast \
	hv_native/vgic/vgic_lr hv_native/vm/runqueue hv_native/python/boot_core hv_native/vcpu/share hv_native/vcpu/sched hv_native/vcpu/vcpu hv_native/trap/trap_fast hv_native/trap/trace hv_native/trap/watch \
	hv_native/trap/mmio_decode hv_native/trap/quick_calls hv_native/insight/breaks hv_native/hold/pages hv_native/hold/pack hv_native/vcpu/a64 hv_native/vcpu/step \
	hv_native/devices/virtqueue hv_native/python/obj_virtio hv_native/vm/ram

# A file that has moved would lose its flags without a word.
$(foreach f,$(FP_FILES) $(HOT_FILES),$(if $(filter $(BUILD)/$(f).o,$(OBJ)),,$(error optimise.mk names $(f), which is not built)))

$(addprefix $(BUILD)/,$(HOT_FILES:=.o)): COPT = -O2
CSUPEROPT = -O2

# Every string that is made is first looked for among the interned ones; their text is 20 KB.
$(BUILD)/py/qstr.o: CFLAGS += -include weak_find.h
$(BUILD)/qstr_find.o: COPT = -O2

# What runs while the MMU is off: all memory is Device then, and an access that is not aligned faults (DDI 0487 B2.5.2).
# SCTLR_EL2.A says so on any machine. The report on a fault may come as early.
MMU_OFF_FILES = \
	main py/mpprint uart uart_8250 uart_bcm2835_aux uart_cadence uart_imx uart_pl011 \
	hv_native/core/cache hv_native/core/el1 hv_native/core/firmware hv_native/core/platform hv_native/core/tree hv_native/core/uart_out \
	hv_native/irq/el3 hv_native/memory/mmu hv_native/memory/pgtable hv_native/trap/el2_fault
$(foreach f,$(MMU_OFF_FILES),$(if $(filter $(BUILD)/$(f).o,$(OBJ)),,$(error optimise.mk names $(f), which is not built)))
$(addprefix $(BUILD)/,$(MMU_OFF_FILES:=.o)): CFLAGS += -mstrict-align

# libm_dbl is full of what the warnings are about; littlefs and FatFs have unused parameters of their own.
$(BUILD)/lib/%.o: CFLAGS += -Wno-error
$(BUILD)/libc/string.o: CFLAGS += -fno-builtin -fno-tree-loop-distribute-patterns
