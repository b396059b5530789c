# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/__init__.py.
"""Elapid from Python: virtual machines, the core's registers, memory, what exits mean.

    import hv
    vm = hv.VM("demo", ram="64M")
    vm.load("hello.elf")
    vm.run()

What is seldom needed is imported when it is first named: hv.regs, hv.mmu, hv.explain, hv.fdt ..."""

from typing import Any

from _hv import ABORT as ABORT, PASS as PASS, RETRY as RETRY, SERROR as SERROR, SKIP as SKIP, STOP as STOP, UNDEFINED as UNDEFINED, VCPU as VCPU, Exit as Exit, Fault as Fault, mem as mem, platform as platform, poweroff as poweroff, read as read, write as write
from machine import blob as blob, initrd as initrd
from .vm import VM as VM, load as load
from .bench import bench as bench
from .share import share as share
from .consoles import consoles as consoles
from .syndrome import explain as explain
from .event import events as events
from .net import Switch as Switch
from .demo import demo as demo
from .serial import serial as serial
from .gdbstub import gdb as gdb
from . import a64 as a64
from . import block as block
from . import breaks as breaks
from . import btf as btf
from . import calls as calls
from . import capsule as capsule
from . import core as core
from . import elf as elf
from . import event as event
from . import fdt as fdt
from . import files as files
from . import flow as flow
from . import fork as fork
from . import frames as frames
from . import fuzz as fuzz
from . import fuzzfiles as fuzzfiles
from . import gdbengine as gdbengine
from . import gdbstub as gdbstub
from . import history as history
from . import inject as inject
from . import kernel as kernel
from . import lkm as lkm
from . import loader as loader
from . import machine_dt as machine_dt
from . import mmu as mmu
from . import net as net
from . import note as note
from . import passthrough as passthrough
from . import pcap as pcap
from . import printk as printk
from . import processes as processes
from . import progress as progress
from . import regs as regs
from . import replay as replay
from . import rows as rows
from . import savefile as savefile
from . import snapshot as snapshot
from . import source as source
from . import stage1 as stage1
from . import stage2 as stage2
from . import state as state
from . import symbols as symbols
from . import syndrome as syndrome
from . import syscalls as syscalls
from . import tasks as tasks
from . import trace as trace
from . import traps as traps
from . import uplink as uplink
from . import value as value
from . import version as version
from . import virtio as virtio
from . import vm as vm
from . import watch as watch
from . import where as where
from . import whole as whole
from . import why as why
