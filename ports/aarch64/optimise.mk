# Which object gets which flags.
#
# Floating point: EL2 shares its vector registers with the guest, who keeps them until EL2 touches one
# and traps. So every file is built without, but those named here, which compute with floats.
FP_FILES = \
	py/builtinimport py/formatfloat py/modbuiltins py/modcmath py/modmath py/modstruct py/mpprint py/mpz py/obj py/objcomplex py/objfloat \
	py/objint py/objint_mpz py/objstr py/parsenum py/runtime py/binary py/lexer py/parse py/emitglue py/smallint \
	extmod/machine_timer extmod/modrandom extmod/modtime extmod/moductypes extmod/modjson extmod/modframebuf \
	py/persistentcode shared/libc/printf py/compile frozen_content py/emitcommon extmod/modselect libc/math

FP_O = $(addprefix $(BUILD)/,$(FP_FILES:=.o)) $(addprefix $(BUILD)/,$(LIB_SRC_C:.c=.o))
$(filter-out $(FP_O),$(filter %.o,$(OBJ))): CFLAGS += -mgeneral-regs-only

# Speed: -O2 for what runs at every bytecode, call, allocation or byte of the console; -Os for the rest.
HOT_FILES = \
	py/argcheck py/bc py/binary py/gc py/map py/malloc py/nlr py/nlraarch64 py/obj py/objboundmeth py/objclosure py/objdict \
	py/objfloat py/objfun py/objgenerator py/objint py/objint_mpz py/objlist py/objmodule py/objrange \
	py/objstr py/objstrunicode py/objtuple py/objtype py/objarray py/runtime py/scheduler py/sequence \
	py/smallint py/stream py/unicode py/vm py/vstr py/pairheap py/mpprint \
	shared/runtime/softtimer shared/runtime/stdout_helpers mphalport uart

$(addprefix $(BUILD)/,$(HOT_FILES:=.o)): COPT = -O2
CSUPEROPT = -O2

# libm_dbl is full of what the warnings are about; littlefs and FatFs have unused parameters of their own.
$(BUILD)/lib/%.o: CFLAGS += -Wno-error
$(BUILD)/libc/string.o: CFLAGS += -fno-builtin -fno-tree-loop-distribute-patterns
