# SPDX-License-Identifier: MIT
# The commands people type. `make help` lists them.

GIC       ?= 2#          2 or 3
SMP       ?= 1#          cores
MEM       ?= 128M#       RAM
ROM       ?= #           a folder of the host that the target sees as /rom, read-only
DISK      ?= #           /disk of the target: a folder of the host, read-only, or a FAT image file
NET       ?= #           the machine's network device, for a switch's uplink: "user", or what QEMU's -netdev takes
BOARD     ?= QEMU_VIRT#  a directory of ports/aarch64/boards: RPI3, RPI4, IMX8MP, ... run the same image
FROZEN_MANIFEST ?= #     what is frozen into the image; see docs/scripts.md
CHECKED   ?= #           1: an image that looks for what QEMU does not show; see docs/silicon.md
PACK      ?= #           patterns of frozen modules that are kept deflated
SCRIPT    ?= examples/launch_guest.py#  what `make run` runs
COPY      ?= build/guests/hello.elf#    files `make run` puts on the target first
CONSOLE   ?= #           1: `make gdb` on the prompt's own line, which is back when gdb ends; so by itself if there is no other
ELF       ?= build/guests/hello.elf#    what `make gdb` knows of the guest, and loads if there is none
GUEST     ?= 6.1-cloud#  what `make linux` boots: 6.1, 6.1-cloud, 6.12 or 6.12-cloud
LOOK      ?= #           options of `make look`: --headless, --port N
TESTS     ?= tests#      what `make test` runs; pytest's options fit too
WORKERS   ?= #           how many of the tests' files run at a time (pytest-xdist)
BENCH     ?= #           what `make bench` measures: --quick, or names of groups (default: all)
KIND      ?= #           what `make fuzz` makes: some of insn, mmio, psci, virtqueue, stage1, a32, debug, fire, files, trees, typed, compiled
SEED      ?= #           the first case of `make fuzz`, and the only one unless there is COUNT
COUNT     ?= #           how many cases, one after another
SECONDS   ?= 600#        how long `make fuzz` goes on, when it was not given a SEED
QEMU_ARGS ?= #           more options for QEMU
QEMU      ?= qemu-system-aarch64# which one, of the tests too; with options if it needs any: "qemu -L folder"
export QEMU

GDB  ?= gdb-multiarch
export BUILD_VERBOSE ?= 0# V=1 shows MicroPython's commands

MPY_TOP := $(abspath $(if $(MICROPY_DIR),build/micropython-own,build/micropython))# patched: tools/source.py
PY := .venv/bin/python
ELAPID := env PYTHONPATH=tools $(PY) -m elapid
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))# all cores, unless the user said -j
# QEMU hands an initrd only to an Image, not to an ELF file.
NAME = hypervisor$(if $(CHECKED),-checked)
KERNEL = $(if $(ROM),$(NAME).bin -initrd build/rom.romfs,$(NAME).elf)
# A folder is read-only: QEMU is not good at writing to one (its vvfat driver can damage it). Writes to
# an image do not wait for the host's own disk: they are lost when the host crashes, not when QEMU ends.
comma := ,
DISK_PATH = $(subst $(comma),$(comma)$(comma),$(abspath $(DISK)))
DISK_FILE = $(if $(wildcard $(DISK)/.),readonly=on$(comma)file=fat:,cache=unsafe$(comma)file=)$(DISK_PATH)
DISK_ARGS = $(if $(DISK),-device virtio-blk-device$(comma)drive=disk \
	-drive if=none$(comma)id=disk$(comma)format=raw$(comma)$(DISK_FILE))
NET_ARGS = $(if $(NET),-netdev $(NET)$(comma)id=net -device virtio-net-device$(comma)netdev=net)
VIRT = -machine virt,virtualization=on,gic-version=$(GIC) -cpu cortex-a53 -smp $(SMP) -m $(MEM)
# Other boards run the image that is built for this one: a device tree makes the difference.
BOARDS = ports/aarch64/boards
$(if $(wildcard $(BOARDS)/$(BOARD)/.),,$(error BOARD=$(BOARD): there is no folder $(BOARDS)/$(BOARD); there are \
  $(patsubst $(BOARDS)/%/,%,$(wildcard $(BOARDS)/*/))))
$(if $(filter 2 3,$(GIC)),,$(error GIC=$(GIC): it is 2 or 3))
IMAGE = $(if $(wildcard $(BOARDS)/$(BOARD)/mpconfigboard.mk),$(BOARD),QEMU_VIRT)
BUILT = $(abspath build/$(IMAGE)$(if $(CHECKED),-checked))
DTB = $(patsubst $(BOARDS)/%.dts,build/boards/%.dtb,$(wildcard $(BOARDS)/$(BOARD)/board.dts))
-include $(BOARDS)/$(BOARD)/machine.mk
BOARD_TARGET = $(MACHINE) -kernel $(NAME).bin $(if $(ROM),-initrd build/rom.romfs) $(DTB:%=-dtb %)
TARGET = $(QEMU) $(if $(MACHINE),$(BOARD_TARGET),$(VIRT) -kernel $(KERNEL) $(DISK_ARGS) $(NET_ARGS)) -nic none $(QEMU_ARGS)

.PHONY: all setup run linux repl serve look gdb stop debug test test-long test-upstream bench fuzz check format dist pictures clean distclean help
.PHONY: ready command image

all: setup ## build hypervisor.elf and hypervisor.bin
	+@PYTHONDONTWRITEBYTECODE=1 $(MAKE) $(JOBS) --no-print-directory -C ports/aarch64 BOARD=$(IMAGE) MPY_TOP=$(MPY_TOP) \
		CHECKED=$(CHECKED) BUILD=$(BUILT) \
		FROZEN_MANIFEST=$(abspath $(or $(FROZEN_MANIFEST),ports/aarch64/boards/manifest.py)) PACK="$(PACK)"
	+@$(MAKE) -s -C guests OUT=$(abspath build/guests)
	@for kind in elf bin; do cmp -s $(BUILT)/firmware.$$kind $(NAME).$$kind || \
		cp $(BUILT)/firmware.$$kind $(NAME).$$kind; done

setup: ## install what is missing: host packages, .venv, MicroPython's source
	@python3 tools/setup.py

build/boards/%.dtb: $(BOARDS)/%.dts
	@mkdir -p $(@D)
	@dtc -I dts -O dtb -o $@ $<

ready: all $(DTB)
	$(if $(QEMU_SINCE),@PYTHONPATH=tools $(PY) -m elapid.program $(word 2,$(MACHINE)) $(QEMU_SINCE))
	$(if $(ROM),@$(PY) -m mpremote romfs --no-mpy --output build/rom.romfs build $(ROM))

run: ready ## build, start QEMU, run SCRIPT on the target, stay at its >>> (Ctrl-A X ends)
	@$(ELAPID) run $(COPY:%=--copy %) $(SCRIPT) -- $(TARGET)

linux: MEM = 512M
linux: ready ## fetch a Debian kernel (GUEST) if it is not here, boot it in a VM: examples/linux.py
	@python3 tools/fetch_guests.py $(GUEST)
	+@$(MAKE) --no-print-directory run COPY= SCRIPT=examples/linux.py DISK=build/guests-debian/$(GUEST) MEM=$(MEM)

repl: ready ## the target's REPL alone
	$(TARGET) -nographic -serial mon:stdio

serve: ready ## QEMU in the background; prints the pty for mpremote, also in build/pty
	@$(ELAPID) serve -- $(TARGET)

look: ready ## the machine as a page, in a browser: a guest launched, its exits, its console, and >>>
	@python3 tools/look_assets.py
	@$(ELAPID) look $(LOOK) -- $(TARGET)

command: ready ## QEMU's command line
	@echo $(TARGET)

image: all $(DTB) ## an SD card's image for BOARD, build/boards/BOARD.img
	@$(PY) tools/card.py $(BOARDS)/$(BOARD) $(DTB)

gdb: ready ## gdb on the VM `vm` of `make serve`, or on ELF in a new one
	@$(ELAPID) gdb $(if $(CONSOLE),--console) --gdb $(GDB) $(ELF) $(GDB_ARGS) -- $(TARGET)

stop: ## end what `make serve` started
	@$(ELAPID) stop

debug: ready ## QEMU stopped at reset, under gdb with symbols
	@$(ELAPID) debug --gdb $(GDB) $(NAME).elf $(GDB_ARGS) -- $(TARGET)

test: all ## build and run every test
	$(PY) -m pytest $(WORKERS:%=-n % --dist loadfile) $(TESTS)

test-long: all ## Linux's own load on four cores, 20 rounds of it, new fuzz cases, all of MicroPython's tests: an hour and more
	$(PY) -m pytest -m long --timeout 3600 $(TESTS)

test-upstream: all ## all of MicroPython's own tests and benchmarks, on the target; `make test` has a sample
	$(PY) -m pytest -s -m "long or not long" tests/test_upstream.py

bench: all ## what things cost, in instructions, against the budgets; BENCH=--quick, --update, or groups
	@$(PY) tools/bench.py $(BENCH)

fuzz: all ## guests, files, functions and typed lines made from seeds, until SECONDS are up or something breaks
	@$(PY) tests/fuzz --kind "$(KIND)" $(SEED:%=--seed %) $(COUNT:%=--count %) --seconds $(SECONDS)

check: all ## linters, formatters, stubs and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) tools/format_c.py --check
	$(PY) tools/gen_api.py --check
	$(PY) tools/floors.py
	$(PY) tools/python_floors.py
	$(PY) -m mypy
	$(PY) -m mypy --config-file tools/mypy.ini

format: setup ## have the formatters change the files
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
	$(PY) tools/format_c.py

dist: all ## dist/: the image, a wheel of elapid that runs it, stubs, checksums
	@$(PY) tools/dist.py

pictures: all ## draw docs/pictures anew from a real Linux boot
	$(PY) -m pytest tests/test_pictures.py tests/test_look.py
	cp build/pictures/*.svg docs/pictures/

clean: ## remove what was built; downloads and MicroPython's source stay
	rm -rf hypervisor.elf hypervisor.bin hypervisor-checked.elf hypervisor-checked.bin
	@if [ -d build ]; then find build -mindepth 1 -maxdepth 1 \
		! -name downloads ! -name 'micropython*' -exec rm -rf {} +; fi

distclean: ## remove everything that is not in git
	rm -rf hypervisor.elf hypervisor.bin hypervisor-checked.elf hypervisor-checked.bin build dist .venv *.egg-info

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16
	@echo; echo "Variables (make run GIC=3 SMP=4 ...):"
	@sed -n 's/^\([A-Z_]*\) *?= \([^#]*\)# */\1\t\2\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16,44
