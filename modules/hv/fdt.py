# SPDX-License-Identifier: MIT
"""Flattened device trees (Devicetree Specification v0.4, chapter 5): read, edit, write.

    tree = fdt.parse(blob)                      # any buffer; ValueError names the offset
    tree["/chosen"]["bootargs"] = "quiet"       # str, int, bytes, or a list of those
    for path, node in tree.compatible("arm,pl011"):
        print(path, tree.reg(path))
    blob = tree.pack()

A property's value is the bytes of the blob; `node.u32()`, `.u64()`, `.string()` and their kin
decode it. Trees written by dtc are packed again to the same bytes.
"""

import struct
from collections import OrderedDict

MAGIC = 0xD00DFEED
MAX_SIZE = 0x20_0000  # Linux refuses larger ones (arm64 booting.rst: at most 2 MB)
MAX_DEPTH = 64
MAX_NAME = 255  # the specification says 31; trees in the field do not keep to it
MAX_PROPERTIES = 1024  # per node: OrderedDict is searched linearly
MAX_NODES = 16384

_HEADER = 40
_BEGIN_NODE, _END_NODE, _PROP, _NOP, _END = 1, 2, 3, 4, 9
_BEGIN_BYTES, _END_NODE_BYTES, _END_BYTES = b"\0\0\0\x01", b"\0\0\0\x02", b"\0\0\0\x09"
_PADS = (b"", b"\0", b"\0\0", b"\0\0\0", b"\0\0\0\0")


def u32(*values):
    """Cells: each value as four bytes, big-endian."""
    return b"".join([_number_bytes(value, ">I", 32) for value in values])


def u64(*values):
    """Cell pairs: each value as eight bytes, big-endian."""
    return b"".join([_number_bytes(value, ">Q", 64) for value in values])


def _number_bytes(value, form, bits):
    if value < 0 or value >> bits:  # MicroPython's struct would cut it
        raise ValueError(f"{value:#x} does not fit a {bits}-bit device tree value")
    return struct.pack(form, value)


def encode(value):
    """The bytes of a property.

    bytes as they are, str with its NUL, int as one cell, None as nothing, a list as its items.
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode() + b"\0"
    if value is None or value is True:
        return b""
    if isinstance(value, int):
        return _number_bytes(value, ">I", 32)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (list, tuple)):
        return b"".join([encode(item) for item in value])
    raise TypeError(f"a device tree property cannot hold {value!r}")


class Node:
    """A node: its name (with the unit address), properties in order, children in order."""

    def __init__(self, name="", props=None):
        self.name = name
        self.props = OrderedDict()
        self.children = []
        self.update(props)

    def __repr__(self):
        size = f"{len(self.props)} properties, {len(self.children)} children"
        return f"<Node {self.name or '/'}: {size}>"

    def __getitem__(self, prop):
        try:
            return self.props[prop]
        except KeyError:
            raise KeyError(f"{self.name or '/'} has no property {prop}") from None

    def __setitem__(self, prop, value):
        self.props[prop] = encode(value)

    def __delitem__(self, prop):
        self[prop]
        del self.props[prop]

    def __contains__(self, prop):
        return prop in self.props

    def get(self, prop, default=None):
        """The bytes of a property, or `default`."""
        return self.props.get(prop, default)

    def update(self, props):
        """Set properties from a dict or, where their order matters, from (name, value) pairs."""
        mine = self.props
        for name, value in props.items() if isinstance(props, dict) else props or ():
            mine[name] = encode(value)

    def discard(self, *props):
        """Remove those of the properties that are there."""
        for prop in props:
            self.props.pop(prop, None)

    def cells(self, prop, default=None):
        """A property as a tuple of 32-bit cells."""
        return self._numbers(prop, default, 4, "I")

    def u32(self, prop, default=None):
        """A property of one cell."""
        value = self.cells(prop, None if default is None else (default,))
        return self._one(prop, value)

    def u64(self, prop, default=None):
        """A property of two cells (or one, as some writers do) as one number."""
        raw = self.props.get(prop)
        if raw is not None and len(raw) == 4:
            return self.u32(prop)
        value = self._numbers(prop, None if default is None else (default,), 8, "Q")
        return self._one(prop, value)

    def strings(self, prop, default=None):
        """A property as a list of strings."""
        if default is not None and prop not in self.props:
            return default
        raw = self[prop]
        if raw[-1:] != b"\0":
            raise ValueError(f"{self.name or '/'}: {prop} is not a list of strings")
        try:
            return [part.decode() for part in raw[:-1].split(b"\0")]
        except UnicodeError:
            raise ValueError(f"{self.name or '/'}: {prop} is not text") from None

    def string(self, prop, default=None):
        """A property's first string."""
        return self.strings(prop, None if default is None else [default])[0]

    def _numbers(self, prop, default, width, form):
        if default is not None and prop not in self.props:
            return default
        raw = self[prop]
        if len(raw) % width:
            raise ValueError(
                f"{self.name or '/'}: {prop} has {len(raw)} bytes, not a multiple of {width}"
            )
        return struct.unpack(f">{len(raw) // width}{form}", raw)

    def _one(self, prop, values):
        if len(values) != 1:
            raise ValueError(
                f"{self.name or '/'}: {prop} has {len(values)} values where one is due"
            )
        return values[0]

    @property
    def phandle(self):
        """The node's phandle, or None."""
        for prop in ("phandle", "linux,phandle"):
            if prop in self.props:
                return self.u32(prop)
        return None

    def is_compatible(self, *names):
        """Whether "compatible" lists one of the names."""
        raw = self.props.get("compatible")
        if raw:
            for have in raw.split(b"\0"):
                for name in names:
                    if have == name.encode():
                        return True
        return False

    def child(self, name):
        """The child of that name or None; the unit address may be left out."""
        for node in self.children:
            if node.name == name:
                return node
        if "@" not in name:
            for node in self.children:
                if node.name.split("@")[0] == name:
                    return node
        return None

    def add(self, name, props=None):
        """Append a child (a name with its properties, or a Node) and return it."""
        node = name if isinstance(name, Node) else Node(name, props)
        if not _is_name(node.name.encode()):
            raise ValueError(f"{node.name!r} is no name for a device tree node")
        for other in self.children:
            if other.name == node.name:
                raise ValueError(f"{self.name or '/'} already has a child {node.name}")
        self.children.append(node)
        return node

    def walk(self, path=""):
        """(path, node) for this node and all below it, parents first; no edits meanwhile."""
        stack = [(path or "/", self)]
        while stack:
            path, node = stack.pop()
            yield path, node
            base = path if path.endswith("/") else path + "/"
            for child in reversed(node.children):
                stack.append((base + child.name, child))


class Tree:
    """A device tree: `root`, `reserved` (list of (address, size) in memory), `boot_cpu`."""

    def __init__(self, root=None, reserved=(), boot_cpu=0):
        self.root = root or Node()
        self.reserved = list(reserved)
        self.boot_cpu = boot_cpu

    def __repr__(self):
        return (
            f"<Tree {self.root.string('model', '')}: {len(self.root.children)} nodes at the top>"
        )

    def __getitem__(self, path):
        node = self.get(path)
        if node is None:
            raise KeyError(f"the device tree has no {path}")
        return node

    def __contains__(self, path):
        return self.get(path) is not None

    def get(self, path, default=None):
        """The node at a path, "/a/b@1" or "alias/b"; unit addresses may be left out."""
        path = self.absolute(path)
        node = None if path is None else self.root
        for name in (path or "").split("/"):
            if name and node is not None:
                node = node.child(name)
        return default if node is None else node

    def absolute(self, path):
        """A path without an alias and options (":115200n8"); None if there is no such alias."""
        path = path.split(":")[0]
        if path.startswith("/"):
            return path
        alias, _, rest = path.partition("/")
        aliases = self.root.child("aliases")
        if aliases is None or alias not in aliases:
            return None
        target = aliases.string(alias)
        if not target.startswith("/"):  # an alias of an alias: the specification has none
            return None
        return f"{target}/{rest}" if rest else target

    def node(self, path, props=None):
        """The node at an absolute path, made if missing, with those properties set."""
        node = self.root
        for name in path.split("/"):
            if name:
                node = node.child(name) or node.add(name)
        node.update(props)
        return node

    def parent(self, path):
        """The parent of the node at a path."""
        path = self.absolute(path) or path
        return self[path.rsplit("/", 1)[0] or "/"]

    def remove(self, path):
        """Remove the node at a path and all below it."""
        node = self[path]
        if node is self.root:
            raise ValueError("the root of a device tree cannot be removed")
        self.parent(path).children.remove(node)

    def walk(self):
        """(path, node) for every node, parents first; no edits meanwhile."""
        return self.root.walk()

    def compatible(self, *names):
        """[(path, node)] of the nodes compatible with one of the names."""
        return [(path, node) for path, node in self.walk() if node.is_compatible(*names)]

    def reg(self, path, prop="reg"):
        """[(address, size)] of a node, by its parent's #address-cells and #size-cells."""
        parent = self.parent(path)
        address_cells = parent.u32("#address-cells", 2)
        size_cells = parent.u32("#size-cells", 1)
        cells = self[path].cells(prop)
        step = address_cells + size_cells
        if not 0 < step <= 8 or len(cells) % step:
            raise ValueError(f"{path}: {prop} has {len(cells)} cells, not a multiple of {step}")
        pairs = []
        for at in range(0, len(cells), step):
            size_at = at + address_cells
            pairs.append((_number(cells[at:size_at]), _number(cells[size_at : at + step])))
        return pairs

    def phandle(self, number):
        """The node with that phandle, or None."""
        for _, node in self.walk():
            if node.phandle == number:
                return node
        return None

    def new_phandle(self):
        """A phandle that no node has."""
        return max([0] + [node.phandle or 0 for _, node in self.walk()]) + 1

    def pack(self, size=0):
        """The blob (version 17) as a bytearray, padded to `size` bytes if it is smaller."""
        parts = [u64(*pair) for pair in self.reserved]
        parts.append(bytes(16))
        structure = _HEADER + 16 * len(parts)
        names = _Names()
        _write_node(self.root, parts, names, 0)
        parts.append(_END_BYTES)
        body = b"".join(parts)
        strings = _HEADER + len(body)
        need = strings + len(names.block)
        size = max(size, need)
        if size > MAX_SIZE:
            raise ValueError(f"the device tree needs {size} bytes; the limit is {MAX_SIZE}")
        out = bytearray(size)
        struct.pack_into(">7I", out, 0, MAGIC, size, structure, strings, _HEADER, 17, 16)
        struct.pack_into(">3I", out, 28, self.boot_cpu, len(names.block), strings - structure)
        out[_HEADER:strings] = body
        out[strings:need] = names.block
        return out


class _Names:
    """The strings block in the making. A name that ends an earlier one shares its bytes (dtc)."""

    def __init__(self):
        self.block = b""
        self.offsets = {}

    def add(self, name):
        """The offset of a name that is not in `offsets` yet."""
        raw = name.encode() + b"\0"
        at = self.block.find(raw)
        if at < 0:
            at = len(self.block)
            self.block += raw
        self.offsets[name] = at
        return at


def _write_node(node, parts, names, depth):
    """Append the node's part of the structure block to a list of bytes."""
    if depth > MAX_DEPTH:
        raise ValueError(f"{node.name}: the device tree is nested more than {MAX_DEPTH} deep")
    name = node.name.encode()
    parts.append(_BEGIN_BYTES)
    parts.append(name)
    parts.append(_PADS[4 - (len(name) & 3)])
    known = names.offsets
    for prop, value in node.props.items():
        size = len(value)
        at = known[prop] if prop in known else names.add(prop)
        parts.append(struct.pack(">III", _PROP, size, at))
        parts.append(value)
        if size & 3:
            parts.append(_PADS[4 - (size & 3)])
    for child in node.children:
        _write_node(child, parts, names, depth + 1)
    parts.append(_END_NODE_BYTES)


def _number(cells):
    value = 0
    for cell in cells:
        value = value << 32 | cell
    return value


def _is_name(raw):
    """Whether bytes can be the name of a property or of a node (a node's holds no "/")."""
    if not 0 < len(raw) <= MAX_NAME:
        return False
    for byte in raw:
        if not 0x21 <= byte <= 0x7E or byte == 0x2F:
            return False
    return True


def parse(blob):
    """Read a blob of version 16 or 17; ValueError names the offset and what is wrong there."""
    blob = memoryview(blob)
    total, structure, strings, reserved, boot_cpu = _header(blob)
    reserved = _reservations(blob, reserved, total)
    reader = _Reader(bytes(blob[structure[0] : sum(structure)]), structure[0])
    reader.names = bytes(blob[strings[0] : sum(strings)])
    return Tree(reader.tree(), reserved, boot_cpu)


def _bad(offset, what):
    raise ValueError(f"device tree, offset {offset:#x}: {what}")


def _header(blob):
    """(total, (structure, size), (strings, size), reservations, boot cpu): offsets, checked."""
    if len(blob) < _HEADER:
        _bad(0, f"truncated: {len(blob)} bytes are less than a header")
    fields = struct.unpack(">10I", blob[:_HEADER])
    (
        magic,
        total,
        structure,
        strings,
        reserved,
        version,
        compatible,
        boot_cpu,
        strings_size,
        size,
    ) = fields
    if magic != MAGIC:
        _bad(0, f"the magic number is {magic:#x}, not {MAGIC:#x}: not a device tree")
    if total > len(blob):
        _bad(4, f"truncated: {total} bytes promised, {len(blob)} there")
    if not _HEADER <= total <= MAX_SIZE:
        _bad(4, f"a size of {total:#x} bytes; {_HEADER:#x} to {MAX_SIZE:#x} make sense")
    if version < 16 or compatible > 17:
        _bad(20, f"version {version} (compatible with {compatible}); 16 and 17 can be read")
    if version == 16:  # has no structure size: it ends with its end token
        size = total - min(structure, total)
    if structure % 4 or not _HEADER - 4 <= structure <= total - size:
        _bad(
            8,
            f"structure block at {structure:#x}, {size:#x} bytes: unaligned or outside {total:#x}",
        )
    if not _HEADER - 4 <= strings <= total - strings_size:
        _bad(12, f"strings block at {strings:#x} with {strings_size:#x} bytes, outside {total:#x}")
    if reserved % 8 or reserved < _HEADER:
        _bad(16, f"memory reservations at {reserved:#x}, in the header or unaligned")
    return total, (structure, size), (strings, strings_size), reserved, boot_cpu


def _reservations(blob, at, total):
    pairs = []
    while True:
        if at + 16 > total:
            _bad(at, "memory reservations without an end")
        pair = struct.unpack(">QQ", blob[at : at + 16])
        if pair == (0, 0):
            return pairs
        pairs.append(pair)
        at += 16


class _Reader:
    """Walks the structure block; `base` is its offset in the blob, for messages."""

    def __init__(self, block, base):
        self.block = block
        self.base = base
        self.at = 0
        self.names = b""
        self.known = {}

    def fail(self, what, at=None):
        _bad(self.base + (self.at if at is None else at), what)

    def word(self):
        at = self.at
        if at + 4 > len(self.block):
            self.fail("the structure block ends early")
        self.at = at + 4
        return struct.unpack_from(">I", self.block, at)[0]

    def tree(self):
        """The root node. No recursion: a depth bomb must not reach the C stack."""
        root = None
        path = []
        nodes = 0
        while True:
            at = self.at
            token = self.word()
            if token == _PROP:
                if not path or path[-1].children:
                    self.fail("a property outside a node or after a child", at)
                self.property(path[-1])
            elif token == _BEGIN_NODE:
                nodes += 1
                if (root and not path) or len(path) > MAX_DEPTH or nodes > MAX_NODES:
                    self.fail("a second root, too deep or too many nodes", at)
                node = Node(self.node_name(root is None))
                if path:
                    path[-1].children.append(node)
                else:
                    root = node
                path.append(node)
            elif token == _END_NODE:
                if not path:
                    self.fail("the end of a node that did not begin", at)
                path.pop()
            elif token == _END:
                if path or not root:
                    self.fail("the end inside a node, or without one", at)
                return root
            elif token != _NOP:
                self.fail(f"{token:#x} is no token", at)

    def node_name(self, is_root):
        at = self.at
        end = self.block.find(b"\0", at, at + MAX_NAME + 1)
        if end < 0:
            self.fail("a node name without an end")
        raw = self.block[at:end]
        if is_root and raw in (b"", b"/"):
            raw = b""
        elif not _is_name(raw):
            self.fail(f"{raw!r} is no name for a node")
        self.at = (end + 4) & ~3
        return raw.decode()

    def property(self, node):
        at = self.at
        size = self.word()
        name = self.property_name(self.word())
        start = self.at
        if start + size > len(self.block):
            self.fail(f"{name} with {size:#x} bytes reaches beyond the structure block", at)
        if name in node.props:
            self.fail(f"{name} for the second time in one node", at)
        if len(node.props) >= MAX_PROPERTIES:
            self.fail(f"more than {MAX_PROPERTIES} properties in one node", at)
        node.props[name] = self.block[start : start + size]
        self.at = (start + size + 3) & ~3

    def property_name(self, offset):
        name = self.known.get(offset)
        if name is None:
            end = (
                self.names.find(b"\0", offset, offset + MAX_NAME + 1)
                if offset < len(self.names)
                else -1
            )
            raw = self.names[offset:end] if end > 0 else b""
            if not _is_name(raw):
                self.fail(f"no property name at {offset:#x} in the strings block", self.at - 4)
            name = self.known[offset] = raw.decode()
        return name
