# SPDX-License-Identifier: MIT
"""Rights of a guest's pages: what the script gives, less what each owner takes, in whatever order they come and go."""

from guestcode import link, run
from test_watch import MMU

PAGE = 0x4020_0000

# What each owner does to the page at PAGE, what it takes, and how it leaves. The script gives instead of taking.
OWNERS = f"""
PAGE = {PAGE:#x}
def rights():
    entry = vm.stage2.walk(PAGE)[1]
    return "".join([letter for letter, set in zip("rwx", (entry >> 6 & 1, entry >> 7 & 1, ~entry >> 54 & 1)) if set])
class Owner:
    def __init__(self, name, takes, take, give):
        self.name, self.takes, self.take, self.give, self.it = name, takes, take, give, None
    def __repr__(self):
        return self.name
owners = [
    Owner("w", "w", lambda: vm.watch(ipa=PAGE + 8, size=8, rights="w"), lambda it: it.remove()),
    Owner("rw", "rw", lambda: vm.watch(ipa=PAGE + 16, size=0x2000, rights="rw"), lambda it: it.remove()),
    Owner("el1", "x", lambda: vm.trap_el1_exceptions(["svc"], lambda cpu, esr, vector: None), lambda it: vm.trap_el1_exceptions(None)),
    Owner("break", "rw", lambda: vm.on(ipa=PAGE + 0x100, action="count"), lambda it: it.remove()),
]
def expected(script):
    return "".join([letter for letter in script if not any([letter in each.takes for each in owners if each.it])])
wrong = []
def check(what, script):
    if rights() != expected(script):
        wrong.append((what, rights(), expected(script), [each for each in owners if each.it]))
"""


def test_owners_come_and_go_in_any_order(target):
    """Of each subset, in each order, with each of the script's rights: the page has what is left, and in the end what it
    had, as one block again.
    """
    script = (
        OWNERS
        + """
vm = hv.VM("rights", ram="8M")
for at in range(PAGE, PAGE + 0x20_0000, 0x1_0000):
    vm.memory[at]
def orders(rest):
    if not rest:
        yield []
    for each in rest:
        for tail in orders([other for other in rest if other is not each]):
            yield [each] + tail
steps = 0
for n, order in enumerate(orders(owners)):
    script = ("rwx", "rx", "r", "rw", "")[n % 5]
    vm.stage2.protect(PAGE, 0x1000, script)
    check("script", script)
    for each in order:
        each.it = each.take() or True
        check(each, script)
        steps += 1
    script = ("rx", "rwx", "rw", "w")[n % 4]     # changes its mind with all of them there
    vm.stage2.protect(PAGE, 0x1000, script)
    check("script again", script)
    for each in order[n % 4:] + order[:n % 4]:
        it, each.it = each.it, None
        each.give(it)
        check(("gone", each), script)
vm.stage2.protect(PAGE, 0x1000, "rwx")
check("all gone", "rwx")
print(steps, wrong)
for line in wrong[:5]:
    print(line)
w = vm.watch(ipa=0x4060_0000, size=0x20_0000, rights="rw")
for at in range(0x4060_0000, 0x4080_0000, 0x1_0000):
    vm.memory[at]
one = vm.watch(ipa=0x4060_5000, size=1, rights="w")
print(vm.stage2.walk(0x4060_0000)[0])           # all of it alike: a block
w.remove()
print(vm.stage2.walk(0x4060_0000)[0], vm.stage2.walk(0x4060_5000)[1] >> 7 & 1, vm.stage2.walk(0x4060_4000)[1] >> 7 & 1)
one.remove()
print(vm.stage2.walk(0x4060_0000)[0])
"""
    )
    lines = run(target, "", script, 60).splitlines()
    assert lines == ["96 []", "2", "3 0 1", "2"]


# Code, literals, data and vectors on one page, copied to PAGE; then it is a breakpoint's, a watch's and el1trap's at once.
ALL_IN_ONE = """
    mmu_on
    mov sp, x0
    load x0, 0x40200000
    adr x1, begin
    mov x2, #0x1000
1:  ldr x3, [x1], #8
    str x3, [x0], #8
    subs x2, x2, #8
    b.ne 1b
    ic iallu
    dsb sy
    isb
    hvc #0x100
    load x0, 0x40200000
    mov x19, #0
    mov x20, #0
    br x0
    .ltorg
    .balign 4096
begin:
    adr x4, vectors
    msr vbar_el1, x4
    isb
    mov x5, #100
2:  ldr x6, word
    adr x7, field
    str x6, [x7]
    str x5, [x7, #8]
    bl call
    svc #1
    subs x5, x5, #1
    b.ne 2b
    ldr w8, call                // as the guest sees it
    hvc #0x100
call:
    add x19, x19, #1
    ret
    .balign 8
word:
    .quad 0x1122334455667788
field:
    .quad 0, 0
    .balign 2048
vectors:
    .rept 16
    .balign 128
    add x20, x20, #1
    eret
    .endr
"""


def test_all_of_them_on_one_page(each_target):
    """A field that is watched, a literal, a breakpoint, and vectors that el1trap looks for, on a page that the script has
    protected and given back: each sees what is its own, and the guest what it would without any.
    """
    source = MMU + ALL_IN_ONE
    names = link(source)[1]
    at = {name: PAGE + names[name] - names["begin"] for name in ("call", "word", "field")}
    script = """
vm = guest(code)
print(vm.run(60_000).reason)
stores, svcs = [], []
vm.stage2.protect(PAGE, 0x1000, "r")
vm.trap_el1_exceptions(["svc"], lambda cpu, esr, vector: svcs.append(esr & 0xffff))
w = vm.watch(at["field"], 8, "w", lambda cpu, address, size, old, new: stores.append(new))
literal = vm.watch(at["word"], 8, "r")
b = vm.on(ipa=at["call"], action="count")
vm.stage2.protect(PAGE, 0x1000, "rwx")
print(vm.run(60_000).reason, vm.cpu[0].x[19], vm.cpu[0].x[20])
print(b.hits, w.hits, len(stores), set([hex(n) for n in stores]), literal.hits, len(svcs), set(svcs), hex(vm.cpu[0].x[8]))
print(vm.memory[at["field"] + 8])
"""
    assert run(each_target, source, script, 60, at=at, PAGE=PAGE).splitlines() == [
        "stop",
        "stop 100 100",
        "100 100 100 {'0x1122334455667788'} 100 100 {1} 0x91000673",
        "1",
    ]
