# SPDX-License-Identifier: MIT
"""Functions of Python made from a seed, run as bytecode and compiled: what they return or raise, and what they
called on their way, must be the same.

Of `native` ones the text is the same. Of a `viper` one the same arithmetic is written for bytecode with each
result brought to 64 bits. No function asks for a local variable that has no value: compiled code does not look.
"""

NATIVE, WORDS = 4, 3  # functions of a case

PRELUDE = """
import gc, micropython
log = []

class Thing:
    shared = 3
    def __init__(self, own):
        self.own = own
    def method(self, x, y=5):
        log.append(("method", x))
        return (self.own, x, y)
    def add(self, x):
        self.own = x
        return self
    @property
    def made(self):
        log.append("made")
        return self.own
    def __getitem__(self, at):
        if at == 2:
            raise IndexError(at)
        return ("item", at)
    def __enter__(self):
        log.append("enter")
        return self
    def __exit__(self, kind, value, trace):
        log.append(("exit", kind))
        return kind is KeyError
    def __bool__(self):
        log.append("bool")
        return self.own != 0
    def __lt__(self, other):
        log.append("lt")
        return other
    def __add__(self, other):
        return Thing(other)
    def __radd__(self, other):
        return other
    def __eq__(self, other):
        return isinstance(other, Thing)
    def __call__(self, *args, **named):
        log.append((args, sorted(named)))
        return len(args)
    def __repr__(self):
        return "Thing"

def told(x, y=None):
    log.append(x)
    return x

def raises(x):
    log.append("raises")
    raise (KeyError, ValueError, ZeroDivisionError)[x % 3](x)

def many(*args, **named):
    log.append((args, sorted(named.items())))
    return args

def small(x):
    if isinstance(x, int):
        return x if -1 << 200 < x < 1 << 200 else x % 1000003
    return x

def few(x):
    try:
        return x[:4] if len(x) > 12 else x
    except TypeError:
        return x

def signed(n):
    n &= 0xFFFF_FFFF_FFFF_FFFF
    return n - (1 << 64) if n >> 63 else n

def unsigned(n):
    return n & 0xFFFF_FFFF_FFFF_FFFF

def outcome(function, args):
    log.clear()
    try:
        got = function(*args)
        got = list(got) if hasattr(got, "__next__") else got
        got = type(got), got
    except Exception as error:
        got = error
    try:
        return repr(got), repr(log), repr(args)
    except RuntimeError:
        return "one in itself"

def get(e, at, size):
    return int.from_bytes(e[at * size : at * size + size], "little")

def put(value, e, at, size):  # in the order of e[at] = value
    e[at * size : at * size + size] = unsigned(value).to_bytes(8, "little")[:size]

def arguments(name, tries, words, n):
    if name[0] == "f":
        return tries()[n]
    a, b, c, d = words[n]
    return (a, unsigned(b), c, unsigned(d))[: int(name[1])] + (bytearray(range(32)),)

def compared(text, compiled, names, tries, words):
    plain, made = dict(globals()), dict(globals())
    exec(text, plain)
    exec(compiled, made)
    for name in names:
        for n in range(len(words) if name[0] == "w" else len(tries())):
            one = outcome(plain[name], arguments(name, tries, words, n))
            two = outcome(made[name], arguments(name, tries, words, n))
            if one != two:
                print("DIFFERENT", name, arguments(name, tries, words, n), one, two)
                return
    print("same")
"""

INTS = (
    0,
    1,
    -1,
    2,
    3,
    5,
    7,
    31,
    63,
    64,
    255,
    256,
    1000,
    -1000,
    4095,
    4096,
    65535,
    65536,
    -65537,
    (1 << 31) - 1,
    1 << 31,
)
LARGE = (
    (1 << 61) - 1,
    -(1 << 61),
    (1 << 62) - 1,
    -(1 << 62),
    1 << 62,
    -(1 << 62) - 1,
    1 << 63,
    (1 << 64) - 1,
    1 << 70,
)
CONSTANTS = (
    "None",
    "True",
    "False",
    "''",
    "'abc'",
    "b'xyz'",
    "()",
    "(1, 2, 3)",
    "1.5",
    "...",
    "'{}'",
    "10**30",
)
ERRORS = (
    "ValueError",
    "KeyError",
    "(TypeError, IndexError)",
    "ZeroDivisionError",
    "Exception",
    "ArithmeticError",
)
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


class Function:
    """One whose values are objects: i-names are numbers, o-names anything."""

    def __init__(self, dice, called):
        self.dice, self.called = dice, called
        self.lines, self.depth, self.loops = [], 1, 0
        self.generator = dice.random() < 0.15
        self.cells = dice.random() < 0.25
        self.numbers = ["a", "b", "i", "j", "k"][: dice.choice((3, 4, 5))]
        self.others = ["c", "o", "p", "q", "r"][: dice.choice((2, 3, 5))]
        self.fresh = 0
        self.inner = False

    # ---- Expressions

    def number(self, deep=3):
        """An int of any size, a float, or a bool, by what the arguments are."""
        dice = self.dice
        chance = dice.random()
        if deep == 0 or chance < 0.25:
            if dice.random() < 0.6:
                return dice.choice(self.numbers)
            value = dice.choice(LARGE if dice.random() < 0.15 else INTS)
            return f"({value})" if value < 0 else str(value)
        if chance < 0.6:
            op = dice.choice(("+", "-", "+", "-", "*", "&", "|", "^", "//", "%", "<<", ">>"))
            right = self.number(deep - 1)
            if op in ("<<", ">>"):
                right = (
                    str(dice.choice((0, 1, 3, 8, 31, 61, 62, 63)))
                    if dice.random() < 0.7
                    else f"({right} & 63)"
                )
            return f"({self.number(deep - 1)} {op} {right})"
        if chance < 0.68:
            return f"({dice.choice('-~+')}{self.number(deep - 1)})"
        if chance < 0.76:
            return self.truth(deep - 1)
        if chance < 0.82:
            return (
                f"({self.number(deep - 1)} if {self.truth(deep - 1)} else {self.number(deep - 1)})"
            )
        if chance < 0.87:
            return (
                f"({self.number(deep - 1)} {dice.choice(('and', 'or'))} {self.number(deep - 1)})"
            )
        if chance < 0.9:
            return f"told({self.number(deep - 1)})"
        if chance < 0.92:
            return f"[{self.number(deep - 1)}, {self.number(deep - 1)}][{dice.choice(('0', '1', '-1'))}]"
        if chance < 0.94:
            return f"len({self.other(deep - 1)})"
        if chance < 0.96:
            self.inner, before = True, self.inner
            text = f"sum(x ^ {self.number(deep - 1)} for x in range({dice.randrange(5)}))"
            self.inner = before
            return text
        if chance < 0.98:
            return f"(lambda x, y={self.number(deep - 1)}: x - y)({self.number(deep - 1)})"
        return f"abs({self.number(deep - 1)})"

    def truth(self, deep=2):
        dice = self.dice
        chance = dice.random()
        deep = max(deep, 0)
        if chance < 0.6:
            return f"({self.number(deep)} {dice.choice(COMPARISONS)} {self.number(deep)})"
        if chance < 0.7:
            return f"({self.number(deep)} {dice.choice(COMPARISONS)} {self.number(deep)} {dice.choice(COMPARISONS)} {self.number(deep)})"
        if chance < 0.8:
            return f"(not {self.any(deep)})"
        if chance < 0.88:
            return f"({dice.choice(self.others)} {dice.choice(('is', 'is not'))} None)"
        if chance < 0.94:
            return f"({self.number(deep)} {dice.choice(('in', 'not in'))} (1, 2, {self.number(deep)}))"
        return f"({self.other(deep)} == {self.other(deep)})"

    def other(self, deep=2):
        dice = self.dice
        chance = dice.random()
        if deep <= 0 or chance < 0.3:
            return dice.choice(self.others) if dice.random() < 0.7 else dice.choice(CONSTANTS)
        one, two = self.any(deep - 1), self.any(deep - 1)
        return dice.choice((
            f"({one}, {two})", f"[{one}, {two}]", f"{{1: {one}, 'k': {two}}}", f"Thing({self.number(deep - 1)})",
            f"{self.other(deep - 1)}[{dice.choice((self.number(0), '0', '1', '-1'))}]", f"{self.other(deep - 1)}[{self.number(0)}:{self.number(0)}]",
            f"{dice.choice(self.others)}.{dice.choice(('own', 'shared', 'made', 'absent'))}", f"{dice.choice(self.others)}.method({one}, y={two})",
            f"many({one}, *({two},), k={one})", f"told({one}, y={two})", f"({one} or {two})", f"({self.other(deep - 1)} + {self.other(deep - 1)})",
            f"[x for x in ({one}, {two}) if x]", f"few(str({self.number(deep - 1)}))", f"f'{{{self.number(0)}}}-{{{self.number(0)}!r}}'", f"bytearray(b'abc')[{self.number(0)}]",
            f"{dice.choice(self.others)}({one})", f"({self.number(deep - 1)} / {self.number(deep - 1)})", f"{{{self.number(0)}}}", f"(yield {one})" if self.generator and not self.inner else f"({one}, )",
        ))  # fmt: skip

    def any(self, deep=2):
        return self.number(deep) if self.dice.random() < 0.6 else self.other(deep)

    # ---- Statements

    def line(self, text):
        self.lines.append("    " * self.depth + text)

    def block(self, budget):
        self.depth += 1
        before = len(self.lines)
        for _ in range(self.dice.choice((1, 1, 2, 3))):
            self.statement(budget - 1)
        if len(self.lines) == before:
            self.line("pass")
        self.depth -= 1

    def assign(self):
        dice = self.dice
        chance = dice.random()
        if chance < 0.35:
            self.line(
                f"{dice.choice(self.numbers)} = small({self.number()})"
                if self.loops
                else f"{dice.choice(self.numbers)} = {self.number()}"
            )
        elif chance < 0.5:
            name = dice.choice(self.numbers)
            self.line(f"{name} {dice.choice(('+=', '-=', '&=', '|=', '^='))} {self.number()}")
        elif chance < 0.65:
            self.line(
                f"{dice.choice(self.others)} = few({self.other()})"
                if self.loops
                else f"{dice.choice(self.others)} = {self.other()}"
            )
        elif chance < 0.75:
            one, two = dice.choice(self.numbers), dice.choice(self.others)
            self.line(f"{one}, {two} = {self.number()}, {self.other(1)}")
        elif chance < 0.8:
            self.line(f"{dice.choice(self.others)}[{self.number(1)}] = {self.any(1)}")
        elif chance < 0.84:
            self.line(f"{dice.choice(self.others)}.own = {self.number()}")
        elif chance < 0.88:
            one, two = dice.sample(self.numbers, 2)
            self.line(f"{one}, {two} = {two}, {one}")
        elif chance < 0.91:
            self.line(f"{dice.choice(self.others)}, *{dice.choice(self.others)} = {self.other()}")
        elif chance < 0.93:
            self.line(f"del {dice.choice(self.others)}[{self.number(0)}]")
        else:
            self.line(f"told({self.any()})")

    def name(self, what):
        self.fresh += 1
        return f"{what}{self.fresh}"

    def loop(self, budget):
        dice = self.dice
        self.loops += 1
        chance = dice.random()
        if chance < 0.25:
            name = self.name("n")
            self.line(f"{name} = 0")
            self.line(
                f"while {name} < {dice.randrange(1, 5)}"
                + (f" and {self.truth()}:" if dice.random() < 0.4 else ":")
            )
            self.line(f"    {name} += 1")
        elif chance < 0.8:
            step = dice.choice(("", "", ", 1", ", -1", ", 2", ", -3"))
            limits = f"{dice.randrange(-3, 4)}, {dice.randrange(-3, 5)}{step}"
            if dice.random() < 0.5:
                limits = (
                    f"({self.number(1)}) & 3, {dice.randrange(4)}{step}"
                    if dice.random() < 0.5
                    else f"{dice.randrange(-2, 2)}, ({self.number(1)}) & 3{step}"
                )
            if dice.random() < 0.3:
                limits = f"{dice.randrange(5)}"
            self.line(f"for {dice.choice(self.numbers)} in range({limits}):")
        elif chance < 0.92:
            self.line(f"for {dice.choice(self.others)} in few({self.other()}):")
        else:
            self.line(
                f"for {dice.choice(self.numbers)}, {dice.choice(self.others)} in enumerate((1, {self.any(1)}, 'z')):"
            )
        self.block(budget)
        self.depth += 1
        if dice.random() < 0.4:
            self.line(f"if {self.truth()}:")
            self.line("    " + dice.choice(("break", "continue")))
        self.depth -= 1
        if dice.random() < 0.2:
            self.line("else:")
            self.block(budget)
        self.loops -= 1

    def attempt(self, budget):
        dice = self.dice
        self.line("try:")
        self.block(budget)
        if dice.random() < 0.3:
            self.depth += 1
            self.line(f"raises({dice.randrange(3)})")
            self.depth -= 1
        last = dice.random() < 0.3
        if not last or dice.random() < 0.5:
            name = self.name("e")
            self.line(f"except {dice.choice(ERRORS)} as {name}:")
            self.line(f"    told(repr({name}))")
            self.block(budget)
            if dice.random() < 0.3:
                self.line("else:")
                self.block(budget)
        if last:
            self.line("finally:")
            self.block(budget)

    def inner_function(self):
        dice = self.dice
        name = self.name("f")
        kept = dice.choice(self.numbers)
        self.line(f"def {name}(x, y=2):")
        self.depth += 1
        if self.cells:
            self.line(f"nonlocal {kept}")
            self.line(f"{kept} += x")
        self.inner, loops = True, self.loops
        self.line(f"return {self.any()}")
        self.inner, self.loops = False, loops
        self.depth -= 1
        self.line(f"{dice.choice(self.others)} = {name}({self.number(1)})")

    def statement(self, budget):
        dice = self.dice
        chance = dice.random()
        if budget <= 0 or chance < 0.4:
            self.assign()
        elif chance < 0.55:
            self.line(f"if {self.truth() if dice.random() < 0.7 else self.any()}:")
            self.block(budget)
            if dice.random() < 0.5:
                self.line("else:" if dice.random() < 0.6 else f"elif {self.truth()}:")
                self.block(budget)
        elif chance < 0.72:
            self.loop(budget)
        elif chance < 0.84:
            self.attempt(budget)
        elif chance < 0.88 and self.loops < 2:
            self.line(
                f"with Thing({self.number(0)})"
                + (f" as {dice.choice(self.others)}:" if dice.random() < 0.5 else ":")
            )
            self.block(budget)
        elif chance < 0.91 and self.cells and not self.loops:
            self.inner_function()
        elif chance < 0.94:
            self.line(f"if {self.truth()}:")
            self.line(f"    return {self.any()}")
        elif chance < 0.97 and self.generator:
            self.line(
                f"yield {self.any()}" if dice.random() < 0.7 else f"yield from few({self.other()})"
            )
        else:
            self.assign()

    def text(self):
        dice = self.dice
        arguments = ("a, b, c",) * 3 + (
            "a, b=3, c=None",
            "a, *c, b=4",
            "a, b, *c",
            "a, b, c, *, d=1",
            "a, b, c, **d",
        )
        begin = (
            "[1, 2, 3]",
            "Thing(2)",
            "{1: 2}",
            "'text'",
            "(4, 5, 6)",
            "bytearray(4)",
            "None",
            "2.5",
        )
        self.lines = [f"def {self.called}({dice.choice(arguments)}):"]
        for each in self.numbers[2:]:
            self.line(f"{each} = {dice.choice(INTS)}")
        for each in self.others[1:]:
            self.line(f"{each} = {dice.choice(begin)}")
        for _ in range(dice.randrange(3, 8)):
            self.statement(3)
        self.line(f"return ({', '.join(self.numbers + self.others)})")
        return "\n".join(self.lines) + "\n"


def int_of(kind, text):
    return f"{'signed' if kind == 'int' else 'unsigned'}({text})"


class Words:
    """A viper function, and the same for bytecode. Expressions are pairs of texts."""

    def __init__(self, dice, called, n):
        self.dice, self.called, self.n = dice, called, n
        self.depth, self.loops, self.fresh = 1, 0, 0
        self.viper, self.plain = [], []
        self.leaf = dice.random() < 0.6
        self.kinds = dict(zip("abcd"[:n], ("int", "uint", "int", "uint"), strict=False))
        self.locals = {}
        for name in "ijklmuvwxyz"[: dice.choice((1, 2, 3, 5, 8, 11))]:
            self.locals[name] = "int" if name < "n" else "uint"
        self.kinds |= self.locals
        self.pointer = dice.choice((8, 16, 32))
        self.flags = []

    def variable(self, kind):
        names = [name for name, of in self.kinds.items() if of == kind]
        return self.dice.choice(names) if names else None

    def word(self, kind, deep=3, literal=False):
        dice = self.dice
        chance = dice.random()
        if deep == 0 or chance < 0.3:
            name = self.variable(kind)
            if name and dice.random() < 0.7:
                return name, name
            value = dice.choice(
                (*INTS, (1 << 61) - 1, -(1 << 61), 0xFFFF_FFFF, -(1 << 31), 0x0F0F_0F0F_0F0F)
            )
            if kind == "int" and literal:
                return f"({value})", f"({value})"
            return f"{kind}({value})", int_of(kind, value)
        if chance < 0.65:
            op = dice.choice("+-*&|^")
            (one, first), (two, second) = (
                self.word(kind, deep - 1),
                self.word(dice.choice(("int", kind)), deep - 1, True),
            )
            return f"({one} {op} {two})", int_of(kind, f"{first} {op} {second}")
        if chance < 0.77:
            op, by = dice.choice(("<<", ">>")), str(dice.choice((0, 1, 7, 8, 31, 32, 62, 63)))
            (one, first), by = self.word(kind, deep - 1), (by, by)
            if dice.random() < 0.3:
                by = tuple(f"({each} & 63)" for each in self.word("int", deep - 1))
            return f"({one} {op} {by[0]})", int_of(kind, f"{first} {op} {by[1]}")
        if chance < 0.83:
            op = dice.choice("-~")
            one, first = self.word(kind, deep - 1)
            return f"({op}{one})", int_of(kind, f"{op}{first}")
        if chance < 0.89:
            one, first = self.word("uint" if kind == "int" else "int", deep - 1)
            return f"{kind}({one})", int_of(kind, first)
        if chance < 0.94:
            (if_, plain_if), (one, first), (two, second) = (
                self.truth(deep - 1),
                self.word(kind, deep - 1),
                self.word(kind, deep - 1),
            )
            return f"({one} if {if_} else {two})", f"({first} if {plain_if} else {second})"
        if chance < 0.98 or self.leaf:
            at = self.index(deep - 1)
            one, first = f"e[{at[0]}]", f"get(e, {at[1]}, {self.pointer // 8})"
            return (one, first) if kind == "int" else (f"uint({one})", first)
        one, first = self.word(kind, deep - 1)
        return f"{kind}(told({one}))", f"told({first})"

    def index(self, deep):
        if self.dice.random() < 0.5:
            n = self.dice.randrange(8)
            return str(n), str(n)
        return tuple(f"({each} & 7)" for each in self.word("int", max(deep, 0)))

    def truth(self, deep=2):
        dice = self.dice
        deep = max(deep, 0)
        chance = dice.random()
        if chance < 0.1:
            return tuple(f"(not {each})" for each in self.truth(deep - 1))
        if chance < 0.2 and deep:
            op = dice.choice(("and", "or"))
            one, two = self.truth(deep - 1), self.truth(deep - 1)
            return tuple(f"({one[k]} {op} {two[k]})" for k in (0, 1))
        if chance < 0.3:
            return self.word(dice.choice(("int", "uint")), deep)
        if chance < 0.35 and self.flags:
            return (dice.choice(self.flags),) * 2
        kind = dice.choice(("int", "uint"))
        one, two, op = self.word(kind, deep), self.word(kind, deep), dice.choice(COMPARISONS)
        return tuple(f"({one[k]} {op} {two[k]})" for k in (0, 1))

    def line(self, viper, plain=None):
        self.viper.append("    " * self.depth + viper)
        self.plain.append("    " * self.depth + (viper if plain is None else plain))

    def block(self, budget):
        self.depth += 1
        for _ in range(self.dice.choice((1, 1, 2, 3))):
            self.statement(budget - 1)
        self.depth -= 1

    def statement(self, budget):
        dice = self.dice
        chance = dice.random()
        kind = dice.choice(("int", "uint"))
        name = self.variable(kind)
        if budget <= 0 or chance < 0.4:
            if name is None:
                kind, name = "int", "a"
            if dice.random() < 0.4:
                op, (two, second) = dice.choice("+-*&|^"), self.word(dice.choice(("int", kind)))
                self.line(
                    f"{name} {op}= {two}", f"{name} = {int_of(kind, f'{name} {op} {second}')}"
                )
            else:
                self.line(*(f"{name} = {each}" for each in self.word(kind)))
        elif chance < 0.5:
            at, value = self.index(1), self.word(kind)
            self.line(
                f"e[{at[0]}] = {value[0]}", f"put({value[1]}, e, {at[1]}, {self.pointer // 8})"
            )
        elif chance < 0.65:
            self.line(*(f"if {each}:" for each in self.truth()))
            self.block(budget)
            if dice.random() < 0.5:
                self.line("else:")
                self.block(budget)
        elif chance < 0.9 and self.loops < 3:
            self.loop(budget)
        elif chance < 0.94:
            self.line(*(f"if {each}:" for each in self.truth()))
            self.line(*(f"    return {each}" for each in self.word(self.result)))
        elif not self.leaf:
            self.line(*(f"told({each})" for each in self.word(kind)))
        else:
            one, two = self.word("int"), self.word("int")
            self.line(
                f"{name or 'a'} = {(kind if name else 'int')}({one[0]} ^ {two[0]})",
                f"{name or 'a'} = {int_of(kind if name else 'int', f'{one[1]} ^ {two[1]}')}",
            )

    def loop(self, budget):
        dice = self.dice
        self.loops += 1
        if dice.random() < 0.3:
            self.fresh += 1
            name = f"n{self.fresh}"
            self.line(f"{name} = 0")
            self.line(f"while {name} < {dice.randrange(1, 5)}:")
            self.line(f"    {name} += 1")
        else:
            name = self.variable("int") or "a"
            step = dice.choice(("", "", ", 1", ", -1", ", 2", ", -3"))
            first, last = (
                str(dice.randrange(-3, 4)),
                tuple(f"({each} & 3)" for each in self.word("int", 1)),
            )
            if dice.random() < 0.5:
                last = (str(dice.randrange(-3, 5)),) * 2
            self.line(*(f"for {name} in range({first}, {each}{step}):" for each in last))
        self.block(budget)
        if dice.random() < 0.4:
            self.depth += 1
            self.line(*(f"if {each}:" for each in self.truth()))
            self.line("    " + dice.choice(("break", "continue")))
            self.depth -= 1
        self.loops -= 1

    def texts(self):
        """For bytecode, and for viper."""
        dice = self.dice
        self.result = dice.choice(("int", "uint"))
        for name, kind in self.locals.items():
            value = dice.choice(INTS)
            self.line(f"{name} = {kind}({value})", f"{name} = {int_of(kind, value)}")
        for n in range(dice.randrange(2)):
            self.line(*[f"t{n} = a < 3"] * 2)
            self.flags.append(f"t{n}")
        for _ in range(dice.randrange(3, 8)):
            self.statement(3)
        self.line(*(f"return {each}" for each in self.word(self.result)))
        arguments = [f"{name}: {self.kinds[name]}" for name in "abcd"[: self.n]]
        head = f"def {self.called}({', '.join([*arguments, f'e: ptr{self.pointer}'])}) -> {self.result}:"
        plain = f"def {self.called}({', '.join([*'abcd'[: self.n], 'e'])}):"
        return "\n".join([plain, *self.plain]) + "\n", "\n".join(
            ["@micropython.viper", head, *self.viper]
        ) + "\n"


def script(dice):
    """What is run on the target: it prints "same", or what differs."""
    plain, made, names = "", "", []
    for n in range(NATIVE):
        names.append(f"f{n}")
        text = Function(dice, names[-1]).text()
        plain += text
        made += "@micropython.native\n" + text
    for n in range(WORDS):
        many = dice.choice((1, 2, 3, 4))
        names.append(f"w{many}_{n}")
        one, two = Words(dice, names[-1], many).texts()
        plain += one
        made += two
    number = (*INTS, *LARGE, 1.5, -0.0, True, 2.0**70)
    other = ("[3, 4]", "Thing(1)", "None", "'ab'", "{0: 1}", "(7,)", "1.25")
    tries = [
        f"({dice.choice(number)}, {dice.choice(number)}, {dice.choice(other)})" for _ in range(8)
    ]
    word = [n for n in (*INTS, *LARGE) if -(1 << 63) <= n < 1 << 63]
    words = [f"({', '.join(str(dice.choice(word)) for _ in range(4))})" for _ in range(6)]
    return f"compared({plain!r}, {made!r}, {names!r}, lambda: [{', '.join(tries)}], [{', '.join(words)}])\n"
