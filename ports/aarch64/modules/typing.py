# SPDX-License-Identifier: MIT
# typing, for what is written for CPython: its names can be imported, subscripted and be base classes. They mean nothing here.

from collections import namedtuple as _namedtuple

TYPE_CHECKING = False
TypedDict = dict


class Protocol:
    pass


class _Name:
    def __getitem__(self, of):
        return self

    def __call__(self, *args, **named):
        return self

    def __or__(self, other):
        return self


class _Generic:
    def __getitem__(self, of):
        return Protocol


Generic = _Generic()
_name = _Name()


def __getattr__(name):
    if not "A" <= name[0] <= "Z":
        raise AttributeError(name)
    return _name


def cast(of, value):
    return value


def NewType(name, of):
    return of


def NamedTuple(name, fields):
    return _namedtuple(name, [field for field, _ in fields])


def overload(f):
    return f


final = override = no_type_check = runtime_checkable = overload
