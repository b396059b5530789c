# SPDX-License-Identifier: MIT
"""Guests that run while the prompt is used: start, pause, attach, many at once, and their end."""

from guestcode import run

COUNT = """
1:  add x1, x1, #1
    b 1b
"""

# Prints a line through the PL011, then echoes what is typed in capitals; "." powers off.
ECHO = """
    ldr x10, =0x09000000
    adr x11, text
1:  ldrb w0, [x11], #1
    cbz w0, 2f
    str w0, [x10]
    b 1b
2:  ldr w0, [x10, #0x18]
    tbnz w0, #4, 2b
    ldr w0, [x10]
    cmp w0, #'.'
    b.eq 3f
    sub w0, w0, #32
    str w0, [x10]
    b 2b
3:  power_off
text: .asciz "ready\\r\\n"
    .balign 4
"""


def test_guest_runs_while_a_script_works(each_target):
    """It gets its share while the script computes, sleeps, or waits at the prompt."""
    script = """
import time
vm = guest(code)
vm.start()
def progress(work):
    "Worked for until it shows: the host may not have run the guest's core at once."
    vm.pause()
    before = vm.cpu[0].x[1]
    while vm.cpu[0].x[1] == before:
        vm.start()
        work()
        vm.pause()
    return True
def compute():
    end = time.ticks_add(time.ticks_ms(), 100)
    while time.ticks_diff(end, time.ticks_ms()) > 0:
        pass
print(progress(compute), progress(lambda: time.sleep_ms(50)), vm.running)
vm.start()
print(vm.running)
"""
    assert run(each_target, COUNT, script) == "True True False\nTrue\n"
    assert each_target.repl("vm.running, vm.pause(), vm.running") == "(True, True, False)"


def test_many_guests_at_once(each_target):
    """More of them than cores: all get on, none sees another's memory, all memory comes back."""
    script = """
import gc, time
free = hv.mem()[0]
vms = [guest(code, ram="1M") for i in range(6)]
for i, vm in enumerate(vms):
    vm.memory[0x4000_1000] = i
    vm.start()
waiting = list(vms)
while waiting:
    time.sleep_ms(100)
    for vm in waiting:
        vm.pause()
    waiting = [vm for vm in waiting if vm.cpu[0].x[1] == 0]
    for vm in waiting:
        vm.start()
for vm in vms:
    vm.start()
print(all([vm.pause() for vm in vms]), all([vm.cpu[0].x[1] > 0 for vm in vms]))
print([vm.memory[0x4000_1000] for vm in vms])
for vm in vms:
    vm.close()
print(free - hv.mem()[0] < 0x40_0000)
"""
    assert run(each_target, COUNT, script) == "True True\n[0, 1, 2, 3, 4, 5]\nTrue\n"


def test_soft_reset_stops_every_guest(each_target):
    run(each_target, COUNT, "free = hv.mem()[0]\nvms = [guest(code) for i in range(3)]\n")
    run(each_target, COUNT, "for i in range(3):\n    guest(code).start()\n")
    each_target.soft_reset()
    free = each_target.eval("__import__('hv').mem()[0]")
    each_target.soft_reset()
    assert each_target.eval("__import__('hv').mem()[0]") == free


def test_console_is_a_stream(each_target):
    """What a background guest prints is kept; what is written to it is typed at it."""
    script = """
import time
vm = guest(code)
vm.start()
def wait(count):
    while vm.console.any() < count:
        time.sleep_ms(1)
    return vm.console.read(count)
print(wait(7), vm.console.read(1))
vm.console.write(b"abc")
print(wait(3))
vm.console.write(b".")
while vm.running:
    time.sleep_ms(1)
print(vm.exit.reason)
"""
    assert run(each_target, ECHO, script) == "b'ready\\r\\n' None\nb'ABC'\noff\n"


def test_attach_until_the_detach_key(each_target):
    """The terminal is the guest's, Ctrl-C too; Ctrl-\\ leaves it running in the background."""
    run(each_target, ECHO, "vm = guest(code)")
    each_target.send(b"vm.attach()\r")
    each_target.until(b"ready\r\n")
    each_target.send(b"xyz")
    each_target.until(b"XYZ")
    each_target.send(b"\x1c")
    each_target.wait_prompt()
    assert each_target.repl("vm.running") == "True"
    each_target.send(b"vm.attach()\r")
    each_target.send(b".")
    each_target.until(b"<Exit off")
    each_target.wait_prompt()


def test_bytes_that_mpremote_reads_as_its_own_are_escaped(target):
    """0x04 and 0x18 from a guest appear as ^D and ^X."""
    source = """
    ldr x10, =0x09000000
    mov w0, #4
    str w0, [x10]
    mov w0, #0x18
    str w0, [x10]
    power_off
"""
    assert run(target, source, "print(guest(code).run(60_000).reason)") == "^D^Xoff\n"


def test_ctrl_c_ends_a_spinning_guest(each_target):
    run(each_target, "b .", "vm = guest(code)")
    each_target.send(b"vm.run()\r")
    each_target.until(b"vm.run()\r\n")
    each_target.interrupt()
    assert each_target.repl("vm.run(10).reason") == "'timeout'"


def test_handler_answers_on_any_core(each_target):
    """Four background guests call the same Python handler, wherever they run."""
    script = """
import time
total = [0, 0, 0, 0]
def called(cpu, x1):
    total[cpu.x[5]] = x1
vms = []
for i in range(4):
    vm = guest(code, ram="1M")
    vm.cpu[0].x[5] = i
    vm.hvc(imm=0x200, handler=called)
    vm.start()
    vms.append(vm)
while any([vm.running for vm in vms]):
    time.sleep_ms(1)
print(total)
"""
    source = """
    mov x6, #200
1:  add x1, x1, #1
    hvc #0x200
    subs x6, x6, #1
    b.ne 1b
    power_off
"""
    assert run(each_target, source, script) == "[200, 200, 200, 200]\n"


def test_ends_behind_its_own_handler(each_target):
    """A handler on the boot core stops its VM, and the scheduler has its turn before it returns: the end is told."""
    script = """
import time
vm = guest(code)
vm.cpu[0].pin = 0
@vm.hvc(0xC600_0001)
def stop(cpu):
    vm.pause()
    time.sleep_ms(2)
@vm.hvc(0xC600_0002)
def end(cpu):
    time.sleep_ms(2)
    return hv.STOP
def ends():
    vm.start()
    for i in range(60_000):
        time.sleep_ms(1)
        if not vm.running:
            return True
print(ends(), vm.exit, ends(), vm.exit.reason, ends(), vm.exit)
"""
    code = "1: ldr w0, =0xC6000001\nhvc #0\nldr w0, =0xC6000002\nhvc #0\nb 1b"
    assert run(each_target, code, script) == "True None True stop True None\n"
