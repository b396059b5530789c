#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run MicroPython's mpy-tool.py, but make the plain classes of frozen modules here instead of at their import.

    frozen_classes.py MICROPYTHON/tools/mpy-tool.py -f -q ...

A class statement is a function: it makes a function of each `def` and puts it into a dictionary. Of a class of
50 methods that is 33,000 instructions at every start. A class is plain when what its body does is known now:
functions, with defaults that are constants, properties, static and class methods, constants. Functions, properties
and the dictionary, with its names where their hashes want them, are then constants of the image. A class that is
not plain is left as it is. The class itself is made at run time (frozen_class.c), with its bases, whatever they are.
"""

import importlib.util
import sys
from collections import Counter, namedtuple
from pathlib import Path

Function = namedtuple("Function", "code defaults named")  # named: defaults of arguments by name
Property = namedtuple("Property", "proxies")  # getter, setter, deleter
Method = namedtuple("Method", "kind function")
Builtin = namedtuple("Builtin", "name on", defaults=(None,))  # on: the property whose setter it is

CODE_BYTES = 16  # of frozen_class_t in frozen.h
PROXIES = ("getter", "setter", "deleter")
RUN_AS_MAIN = ("_boot.py", "boot.py", "main.py")  # their __name__ is not known now
NULL = object()


class NotPlain(Exception):
    pass


def opcodes(code):
    """(name, argument) of each of them; a name instead of its number."""
    at = code.offset_opcodes
    while at < len(code.fun_data):
        kind, size, argument, _ = tool.mp_opcode_decode(code.fun_data, at)
        name, _, rest = tool.Opcode.mapping[code.fun_data[at]].partition(" ")
        if kind == tool.MP_BC_FORMAT_QSTR:
            argument = code.qstr_table[argument].str
        elif name == "LOAD_CONST_SMALL_INT" and rest:
            argument = int(rest)
        yield name, argument
        at += size


def is_bytecode(code):
    return code.code_kind == tool.MP_CODE_BYTECODE


class Body:
    """A class statement's body: `names` is what is in its dictionary when it has run."""

    def __init__(self, code, outer):
        self.code, self.outer = code, outer
        self.names, self.stack = {}, []
        for name, argument in opcodes(code):
            step = getattr(self, name.lower(), None)
            if step is None:
                raise NotPlain(name)
            if step(argument):
                break
        for name in (
            "__new__",
            "__setattr__",
            "__delattr__",
        ):  # MicroPython looks for these when it makes a class
            if name in self.names:
                raise NotPlain(name)

    def pop(self, n):
        taken = self.stack[len(self.stack) - n :]
        del self.stack[len(self.stack) - n :]
        return taken

    def load(self, value):
        self.stack.append(value)

    def load_const_none(self, _):
        self.load(None)

    def load_const_true(self, _):
        self.load(True)

    def load_const_false(self, _):
        self.load(False)

    def load_null(self, _):
        self.load(NULL)

    load_const_small_int = load_const_string = load

    def load_const_obj(self, index):
        self.load(self.code.obj_table[index])

    def load_name(self, name):
        for known in self.names, self.outer:
            if name in known:
                return self.load(known[name])
        raise NotPlain(f"{name} is not known")

    def load_global(self, name):
        if name not in self.outer:
            raise NotPlain(f"{name} is not known")
        self.load(self.outer[name])

    def load_attr(self, name):
        (value,) = self.pop(1)
        if not isinstance(value, Property) or name not in PROXIES:
            raise NotPlain(f".{name}")
        self.load(Builtin(name, value))

    def store_name(self, name):
        (self.names[name],) = self.pop(1)

    def build_tuple(self, n):
        values = tuple(self.pop(n))
        if not all(is_constant(value) for value in values):
            raise NotPlain("a tuple of what is made")
        self.load(values)

    def unpack_sequence(self, n):
        (values,) = self.pop(1)
        if not isinstance(values, tuple) or len(values) != n:
            raise NotPlain("an assignment to several names")
        self.stack += values[::-1]

    def rot_two(self, _):
        self.stack[-2:] = self.stack[:-3:-1]

    def build_map(self, _):
        self.load({})

    def store_map(self, _):
        where, value, key = self.pop(3)
        where[key] = value
        self.load(where)

    def make_function(self, index, defaults=(), named=None):
        code = self.code.children[index]
        if not is_bytecode(code):
            raise NotPlain("compiled code")
        self.load(Function(code, defaults, named))

    def make_function_defargs(self, index):
        defaults, named = (None if value is NULL else value for value in self.pop(2))
        self.make_function(index, defaults or (), named)

    def call_function(self, n):
        called, *arguments = self.pop((n & 0xFF) + 1)
        if n > 0xFF or not isinstance(called, Builtin):
            raise NotPlain("a call")
        if not all(isinstance(a, Function) or a is None for a in arguments):
            raise NotPlain("a call of what is not made here")
        if called.name == "property":
            self.load(Property((*arguments, None, None, None)[:3]))
        elif len(arguments) != 1:
            raise NotPlain("a call")
        elif called.on:
            proxies = list(called.on.proxies)
            proxies[PROXIES.index(called.name)] = arguments[0]
            self.load(Property(tuple(proxies)))
        else:
            self.load(Method(called.name, arguments[0]))

    def return_value(self, _):
        if self.pop(1) != [None]:
            raise NotPlain("super()")  # it returns the cell where its methods find the class
        return True


def is_constant(value):
    kinds = int, str, bytes, float, tuple, type(None), type(Ellipsis)
    if isinstance(value, (Function, Property, Method, Builtin)):
        return False
    return isinstance(value, kinds) and all(
        map(is_constant, value if isinstance(value, tuple) else ())
    )


def stored(code):
    """How often each name of the module is bound, anywhere in it."""
    found = Counter()
    if is_bytecode(code):
        is_module = code.simple_name.str == "<module>"
        for name, argument in opcodes(code):
            found[argument] += name == "STORE_GLOBAL" or (
                is_module and "_NAME" in name and name[0] in "SDI"
            )
    for child in code.children:
        found += stored(child)
    return found


def plain_classes(module):
    """(code, what is in its dictionary) of each class of this module that is plain."""
    bound = stored(module.raw_code)
    name = module.source_file.str[:-3].replace("/__init__", "").replace("/", ".")
    known = {"__name__": name}
    known |= {b: Builtin(b) for b in ("property", "staticmethod", "classmethod") if not bound[b]}
    steps = list(opcodes(module.raw_code))
    straight = True  # what is behind a jump may be, or not
    for (kind, value), (then, word) in zip(steps, steps[1:]):
        straight &= "JUMP" not in kind and "SETUP" not in kind
        if kind == "LOAD_CONST_OBJ":
            value = module.obj_table[value]
        is_value = kind in ("LOAD_CONST_SMALL_INT", "LOAD_CONST_STRING", "LOAD_CONST_OBJ")
        if is_value and then == "STORE_NAME" and straight and bound[word] == 1:
            known[word] = value
        if kind == "LOAD_BUILD_CLASS" and then == "MAKE_FUNCTION":
            code = module.raw_code.children[word]
            try:
                body = Body(code, known)
                yield code, body.names, stub(code)
            except NotPlain as why:
                print(
                    f"// {module.source_file.str}: class {code.simple_name.str} is made at its import: {why}"
                )


def stub(code):
    """A function like the body, with nothing in it: build_class of frozen_class.c tells it by its address."""
    names = b"".join(tool.mp_encode_uint(name) for name in code.names)
    size = tool.encode_prelude_size(len(names), 0)
    opcode = tool.Opcode
    end = bytes([opcode.MP_BC_LOAD_CONST_NONE, opcode.MP_BC_RETURN_VALUE])
    made = code.fun_data[: code.offset_prelude_size] + bytes(size) + names + end
    if len(made) > CODE_BYTES:
        raise NotPlain("a prelude too long")
    return made


# ---- C ----------------------------------------------------------------------------------------------


def quoted(text):
    return tool.global_qstrs.find_by_str(text) or tool.global_qstrs.add(text)


def slots(names):
    """The names where a look by their hashes finds them; None: a free slot."""

    def hash_of(name):
        return tool.qstrutil.compute_hash(name.encode(), tool.config.MICROPY_QSTR_BYTES_IN_HASH)

    best = None
    for size in range(len(names) * 4 // 3 + 1, len(names) * 7 // 4 + 3):
        table, steps = [None] * size, 0
        for name in names:
            at = hash_of(name) % size
            while table[at] is not None:
                at, steps = (at + 1) % size, steps + 1
            table[at] = name
        for at in range(size):  # names that are not there are looked for as often
            while table[at % size] is not None:
                at, steps = at + 1, steps + 1
        if best is None or steps < best[0]:
            best = steps, table
    return best[1]


class Writer:
    """The constants of one class."""

    def __init__(self, module, code):
        self.module = module
        self.name = code.escaped_name
        self.made = {}

    def reference(self, value, name):
        """A C expression for the value, whatever it takes printed before."""
        if isinstance(value, Function):
            return f"MP_ROM_PTR(&{self.function(value)})"
        if isinstance(value, Property):
            proxies = [self.reference(proxy, "") for proxy in value.proxies]
            print(
                f"static const frozen_property_t property_{name} = {{{{&mp_type_property}}, {{{', '.join(proxies)}}}}};"
            )
            return f"MP_ROM_PTR(&property_{name})"
        if isinstance(value, Method):
            inner = self.reference(value.function, "")
            print(
                f"static const mp_rom_obj_static_class_method_t method_{name} = {{{{&mp_type_{value.kind}}}, {inner}}};"
            )
            return f"MP_ROM_PTR(&method_{name})"
        return self.module.freeze_constant_obj(f"const_{name}", value)

    def function(self, value):
        name = value.code.escaped_name
        if id(value.code) in self.made:
            return f"fun_{name}"
        self.made[id(value.code)] = value
        extra = [self.reference(d, f"{name}_{i}") for i, d in enumerate(value.defaults)]
        if value.named is not None:
            rows = [
                (quoted(key), self.reference(d, f"{name}_{key}")) for key, d in value.named.items()
            ]
            cells = ", ".join(f"{{MP_ROM_QSTR({q.qstr_id}), {d}}}" for q, d in rows)
            print(f"static const mp_rom_map_elem_t named_table_{name}[] = {{{cells}}};")
            print(f"static MP_DEFINE_CONST_DICT(named_{name}, named_table_{name});")
            extra.append(f"MP_ROM_PTR(&named_{name})")
        generates = value.code.scope_flags & tool.MP_SCOPE_FLAG_GENERATOR
        children = f"(void *)children_{name}" if value.code.children else "NULL"
        extra = "".join(f", (mp_obj_t){e}" for e in extra)
        print(
            f"static const mp_obj_fun_bc_t fun_{name} = {{{{&mp_type_{'gen_wrap' if generates else 'fun_bc'}}}, "
            f"&frozen_contexts[{self.module.context}], {children}, fun_data_{name}, {{{extra[2:]}}}}};"
        )
        return f"fun_{name}"

    def dictionary(self, names):
        values = {
            name: self.reference(value, f"{self.name}_{name}") for name, value in names.items()
        }
        table = slots(list(names))
        print(f"static const mp_rom_map_elem_t class_table_{self.name}[] = {{")
        for name in table:
            print(
                f"    {{MP_ROM_QSTR({quoted(name).qstr_id}), {values[name]}}},"
                if name
                else "    {NULL, NULL},"
            )
        print("};")
        return len(names), len(table)


def freeze_class(module, code, names, made, rows):
    """What is printed instead of the function that a class statement is; its row of frozen_classes."""
    for child in code.children:
        child.freeze_raw_code = lambda: None  # what a function is made of: it is made
        child.freeze()
        print()
    used, size = Writer(module, code).dictionary(names)
    print(f"#define proto_fun_{code.escaped_name} frozen_classes[{len(rows)}].code[0]")
    table = f"(mp_map_elem_t *)(mp_rom_map_elem_t *)class_table_{code.escaped_name}"
    dictionary = f"{{{{&mp_type_dict}}, {{1, 1, 0, {used}, {size}, {table}}}}}"  # fixed, by hash
    has_properties = int(any(isinstance(value, Property) for value in names.values()))
    stub = ",".join(map(str, made))
    rows.append(
        f"    {{{{{stub}}}, {dictionary}, &frozen_contexts[{module.context}], {has_properties}}},"
    )


def freeze(firmware_names, modules):
    rows, contexts = [], 0
    for module in modules:
        if module.source_file.str in RUN_AS_MAIN:
            continue
        plain = list(plain_classes(module))
        module.context, contexts = contexts, contexts + bool(plain)
        for code, names, made in plain:
            quoted(names["__module__"])
            code.freeze = lambda a=(module, code, names, made, rows): freeze_class(*a)
    print('#include "frozen.h"')
    upstreams_freeze(firmware_names, modules)
    print("const frozen_class_t frozen_classes[] = {", *(rows or ["    {{0}},"]), "};", sep="\n")
    print(f"const size_t frozen_class_count = {len(rows)};")
    print(f"mp_module_context_t frozen_contexts[{max(contexts, 1)}];")
    print(f"const size_t frozen_context_count = {contexts};")


def load(path):
    """mpy-tool.py as a module. It looks for what it needs beside the script."""
    sys.path[0] = str(Path(path).parent)
    spec = importlib.util.spec_from_file_location("mpy_tool", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load(sys.argv[1])
upstreams_freeze, tool.freeze_mpy = tool.freeze_mpy, freeze
tool.main(sys.argv[2:])
