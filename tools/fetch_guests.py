# SPDX-License-Identifier: MIT
"""Fetches real guests from Debian packages into build/guests-debian, with an initramfs for them.

    python3 tools/fetch_guests.py            all of them
    python3 tools/fetch_guests.py --list     what there is
    python3 tools/fetch_guests.py 6.1-cloud u-boot

The mirror and the keys are those of the machine's own apt, which does the fetching in a directory
of its own: nothing of the system's apt is touched and root is not needed. What is there is not
fetched again.
"""

import argparse
import fcntl
import gzip
import hashlib
import lzma
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import archive
import cpio
from elapid.say import Stop, say

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "guests-debian"
DOWNLOADS = ROOT / "build" / "downloads" / "guests"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

INSTALLER = "usr/lib/debian-installer/images/12/arm64/text/debian-installer/arm64/"

# name: (suite, package, {path in the package: file here})
FILES = {
    "u-boot": ("bookworm", "u-boot-qemu", {"usr/lib/u-boot/qemu_arm64/u-boot.bin": "u-boot.bin"}),
    "edk2": (
        "bookworm",
        "qemu-efi-aarch64",
        {"usr/share/qemu-efi-aarch64/QEMU_EFI.fd": "QEMU_EFI.fd"},
    ),
    "installer": (
        "bookworm",
        "debian-installer-12-netboot-arm64",
        {
            INSTALLER + "linux": "linux",
            INSTALLER + "initrd.gz": "initrd.gz",
        },
    ),
}
# name: (suite, package that depends on the newest kernel of its kind)
KERNELS = {
    "6.1-cloud": ("bookworm", "linux-image-cloud-arm64"),
    "6.1": ("bookworm", "linux-image-arm64"),
    "6.12-cloud": ("trixie", "linux-image-cloud-arm64"),
    "6.12": ("trixie", "linux-image-arm64"),
}
# name: (suite, kernel): its vmlinux with DWARF, for drgn and gdb; 250 MB, fetched only by its name.
DEBUG = {
    "6.1-cloud-dbg": ("bookworm", "6.1-cloud"),
    "6.12-cloud-dbg": ("trixie", "6.12-cloud"),
}
BUSYBOX = ("bookworm", "busybox-static")
# name: (suite, {package: program}): with their libraries, as an initramfs to put behind another one.
PROGRAMS = {
    "load": ("bookworm", {"iperf3": "usr/bin/iperf3", "fio": "usr/bin/fio"}),
}

# Loaded by /init in this order, with what they depend on. Those a kernel has built in are skipped.
MODULES = """virtio_mmio virtio_blk virtio_net virtio_console virtio_rng rtc-pl031
    crc32c_generic ext4 nls_cp437 nls_ascii vfat""".split()

INIT = """#!/bin/busybox sh
# Started by the kernel: mounts, modules, a shell on the console.
/bin/busybox mkdir -p /proc /sys /dev /mnt /tmp /sbin /usr/bin /usr/sbin
/bin/busybox --install -s
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/ TERM=vt100
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod /modules/$module; done < /modules/order
echo "$(uname -s) $(uname -r) $(uname -m): a busybox shell; poweroff -f or reboot -f ends it"
while :; do setsid cttyhack sh; done
"""


class Suite:
    """One Debian suite for arm64, seen by an apt with a state of its own."""

    def __init__(self, name, mirrors):
        self.name = name
        self.mirrors = mirrors
        self.dir = DOWNLOADS / "apt" / name
        self.ready = False

    def _apt(self, command, *arguments, cwd=None):
        options = {
            "Dir::State": self.dir / "state",
            "Dir::State::status": self.dir / "status",
            "Dir::Cache": self.dir / "cache",
            "Dir::Etc::SourceList": self.dir / "sources.list",
            "Dir::Etc::SourceParts": "-",
            "Dir::Etc::Preferences": "-",
            "Dir::Etc::PreferencesParts": "-",
            "APT::Architecture": "arm64",
            "APT::Architectures": "arm64",
            "APT::Sandbox::User": "",
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            "Acquire::http::Timeout": "20",
        }
        words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        return subprocess.run(
            [command, "-q", *words, *arguments],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def update(self):
        """Have the suite's index, from the first of the machine's mirrors that has it."""
        if self.ready:
            return
        for part in ("state/lists/partial", "cache/archives/partial"):
            (self.dir / part).mkdir(parents=True, exist_ok=True)
        (self.dir / "status").touch()
        self.ready = True
        reasons = []
        for mirror in self.mirrors:
            self._use(mirror)
            done = self._apt("apt-get", "update")
            if done.returncode == 0:
                return
            reasons.append(complaint(done))
        for mirror in self.mirrors:
            self._use(mirror)
            if self._apt("apt-get", "indextargets", "--format", "$(FILENAME)").stdout.strip():
                say(f"Debian {self.name} is out of reach; taking the index of last time")
                return
        self.ready = False
        raise Stop(
            f"no index of Debian {self.name} ({'; '.join(reasons) or 'apt has no sources'}): "
            "is there a network, and does this machine's apt know a Debian mirror?"
        )

    def _use(self, mirror):
        signed = f"[signed-by={KEYRING}] " if os.path.exists(KEYRING) else ""
        (self.dir / "sources.list").write_text(f"deb {signed}{mirror} {self.name} main\n")

    def show(self, package):
        """The fields of the newest version of a package."""
        self.update()
        done = self._apt("apt-cache", "show", "--no-all-versions", package)
        fields = {}
        for line in done.stdout.split("\n\n")[0].splitlines():
            if ": " in line and not line[0].isspace():
                key, _, value = line.partition(": ")
                fields[key] = value
        if "SHA256" not in fields:
            raise Stop(f"Debian {self.name} has no package {package} for arm64")
        return fields

    def package(self, name):
        """The package's file, fetched if it is not here, checked against the index."""
        fields = self.show(name)
        path = DOWNLOADS / fields["Filename"].rpartition("/")[2]
        if not path.exists() or sha256(path) != fields["SHA256"]:
            say(f"fetching {path.name} ({int(fields['Size']) >> 20} MB)")
            stage = self.dir / "stage"
            shutil.rmtree(stage, ignore_errors=True)
            stage.mkdir()
            done = self._apt("apt-get", "download", f"{name}={fields['Version']}", cwd=stage)
            found = sorted(stage.glob("*.deb"))
            if done.returncode or not found:
                raise Stop(f"{path.name} cannot be fetched: {complaint(done)}")
            have, due = sha256(found[0]), fields["SHA256"]
            if have != due:
                raise Stop(f"{path.name}: its SHA-256 is {have}, but the index says {due}")
            found[0].replace(path)
        say(f"{fields['SHA256']}  {path.name}")
        return path


def complaint(done):
    """Why an apt command failed, in one line."""
    errors = [line for line in done.stderr.splitlines() if line.startswith("E:")]
    return errors[0].removeprefix("E:").strip() if errors else "apt-get failed"


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def members(deb, wanted):
    """(path, bytes) of the regular files in a package for whose path `wanted(path)` holds."""
    command = ["dpkg-deb", "--fsys-tarfile", str(deb)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes) as unpack:
        try:
            with tarfile.open(fileobj=unpack.stdout, mode="r|") as tar:
                for member in tar:
                    path = member.name.removeprefix("./")
                    if member.isfile() and wanted(path):
                        yield path, tar.extractfile(member).read()
            unpack.stdout.read()
        except tarfile.TarError:
            raise Stop(f"{deb.name} cannot be unpacked") from None
    if unpack.returncode:
        raise Stop(f"{deb.name} cannot be unpacked")


def fetch_files(suites, name):
    """Take a guest's files out of its package."""
    suite, package, files = FILES[name]
    deb = suites[suite].package(package)
    found = dict(members(deb, files.__contains__))
    if set(found) != set(files):
        raise Stop(f"{deb.name} does not hold {', '.join(sorted(set(files) - set(found)))}")
    return {files[path]: data for path, data in found.items()}


def fetch_kernel(suites, name):
    """A kernel's Image as `vmlinuz`, and an initramfs with its modules as `initrd.gz`."""
    suite, package = KERNELS[name]
    depends = suites[suite].show(package)["Depends"]
    deb = suites[suite].package(depends.split()[0])
    kernel, built_in, modules = None, set(), {}
    for path, data in members(deb, _is_kernel_file):
        if path.startswith("boot/vmlinuz"):
            kernel = data
        elif path.endswith("/modules.builtin"):
            built_in = {module_name(line) for line in data.decode().split()}
        else:
            modules[module_name(path)] = data
    if kernel is None:
        raise Stop(f"{deb.name} holds no boot/vmlinuz")
    busybox = dict(
        members(suites[BUSYBOX[0]].package(BUSYBOX[1]), lambda path: path.endswith("bin/busybox"))
    )
    chosen = with_dependencies(MODULES, modules, built_in)
    data = initramfs(next(iter(busybox.values())), chosen)
    say(f"{name}: initramfs with {' '.join(module for module, _ in chosen)}")
    return {"vmlinuz": kernel, "initrd.gz": gzip.compress(data, 9, mtime=0)}


def fetch_debug(suites, name):
    """`vmlinux` with the debug information of the very kernel that is here."""
    suite, kernel = DEBUG[name]
    image = OUT / kernel / "vmlinuz"
    release = image.exists() and re.search(rb"Linux version (\S+) \(", image.read_bytes())
    if not release:
        raise Stop(f"{name} is of the kernel {kernel}, which is not here: fetch that first")
    path = f"usr/lib/debug/boot/vmlinux-{release[1].decode()}"
    deb = suites[suite].package(f"linux-image-{release[1].decode()}-dbg")
    for _, data in members(deb, path.__eq__):
        return {"vmlinux": data}
    raise Stop(f"{deb.name} does not hold {path}")


def fetch_programs(suites, name):
    """`programs.gz`: Linux takes one archive behind another, so kernels and programs are fetched apart."""
    suite, programs = PROGRAMS[name]
    queue, seen, libraries = list(programs), set(), {}
    files = {}
    for _ in programs:
        _next_package(suites[suite], queue, seen, programs, files, libraries)
    while missing := {need for data in files.values() for need in linked(data)[1]} - set(files):
        found = missing & set(libraries)
        files.update({need: libraries[need] for need in found})
        if not found:
            _next_package(suites[suite], queue, seen, programs, files, libraries)
    entries = [cpio.directory("bin"), cpio.directory("lib")]
    for file, data in sorted(files.items()):
        place = "bin" if file in [path.rpartition("/")[2] for path in programs.values()] else "lib"
        entries.append(cpio.file(f"{place}/{file}", data, 0o755))
    say(f"{name}: {' '.join(sorted(files))}")
    return {"programs.gz": gzip.compress(cpio.archive(entries), 9, mtime=0)}


def _next_package(suite, queue, seen, programs, files, libraries):
    """Take programs and libraries out of the next package, and queue what it depends on."""
    if not queue:
        raise Stop("no package that a program depends on holds all of its libraries")
    package = queue.pop(0)
    if package in seen:
        return
    seen.add(package)
    depends = suite.show(package).get("Depends", "")
    for path, data in members(
        suite.package(package), lambda path: "bin/" in path or ".so" in path
    ):
        if path == programs.get(package):
            files[path.rpartition("/")[2]] = data
        elif data[:4] == b"\x7fELF" and (soname := linked(data)[0]):
            libraries.setdefault(soname, data)
    names = [choice.split("|")[0].split()[0] for choice in depends.split(",") if choice]
    queue += [name for name in names if name.startswith(("lib", "zlib"))]


def linked(data):
    """The name that a library has (or None), and the names of those it needs: of an ELF file."""
    at, size, count = struct.unpack_from("<Q", data, 32) + struct.unpack_from("<HH", data, 54)
    headers = [struct.unpack_from("<IIQQQQ", data, at + size * number) for number in range(count)]
    entries = []
    for kind, _, offset, _, _, length in headers:
        if kind == 2:  # PT_DYNAMIC
            entries = list(struct.iter_unpack("<qQ", data[offset : offset + length]))
    table = next((value for tag, value in entries if tag == 5), 0)  # DT_STRTAB, an address
    for kind, _, offset, address, _, length in headers:
        if kind == 1 and address <= table < address + length:
            table += offset - address
            break

    def text(value):
        return data[table + value : data.index(b"\0", table + value)].decode()

    soname = next((text(value) for tag, value in entries if tag == 14), None)
    return soname, [text(value) for tag, value in entries if tag == 1]


def _is_kernel_file(path):
    return path.startswith("boot/vmlinuz") or path.endswith("/modules.builtin") or ".ko" in path


def module_name(path):
    """fs/ext4/ext4.ko.xz -> ext4, with "-" as "_" as the kernel has it."""
    return path.rpartition("/")[2].split(".ko")[0].replace("-", "_")


def unpacked(data):
    """A module as insmod takes it: trixie's are xz'd."""
    return lzma.decompress(data) if data[:6] == b"\xfd7zXZ\0" else data


def module_info(data):
    """The (key, value) pairs of a module's .modinfo section."""
    table, size, count, names = struct.unpack_from("<Q", data, 40) + struct.unpack_from(
        "<HHH", data, 58
    )
    sections = [
        struct.unpack_from("<IIQQQQ", data, table + size * number) for number in range(count)
    ]
    for name, _, _, _, offset, length in sections:
        if data[sections[names][4] + name :].startswith(b".modinfo\0"):
            text = data[offset : offset + length].decode()
            return [tuple(pair.split("=", 1)) for pair in text.split("\0") if "=" in pair]
    return []


def with_dependencies(names, modules, built_in):
    """[(name, unpacked data)] of modules in an order in which insmod accepts them."""
    chosen = {}

    def choose(name):
        name = name.replace("-", "_")
        if name in chosen or name in built_in:
            return
        if name not in modules:
            raise Stop(f"the kernel's package has no module {name}")
        data = unpacked(modules[name])
        for key, value in module_info(data):
            if key == "depends":
                for needed in filter(None, value.split(",")):
                    choose(needed)
        chosen[name] = data

    for name in names:
        choose(name)
    return list(chosen.items())


def initramfs(busybox, modules):
    """The archive: busybox, /init, modules and the order to load them in."""
    order = "".join(f"{name}.ko\n" for name, _ in modules)
    entries = [cpio.directory(path) for path in ("bin", "dev", "modules")]
    entries += [cpio.device("dev/console", 5, 1), cpio.file("bin/busybox", busybox, 0o755)]
    entries += [cpio.symlink("bin/sh", "busybox"), cpio.file("init", INIT.encode(), 0o755)]
    entries += [cpio.file(f"modules/{name}.ko", data) for name, data in modules]
    return cpio.archive([*entries, cpio.file("modules/order", order.encode())])


def is_here(directory):
    """Whether a guest's files are all there as SHA256SUMS in its directory says."""
    try:
        lines = (directory / "SHA256SUMS").read_text().splitlines()
        return all(sha256(directory / line[66:]) == line[:64] for line in lines)
    except OSError:
        return False


def put(directory, files):
    """Write a guest's files, and last of all the list that says they are complete."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "SHA256SUMS").unlink(missing_ok=True)
    lines = ""
    for name, data in sorted(files.items()):
        (directory / name).write_bytes(data)
        lines += f"{sha256(directory / name)}  {name}\n"
    (directory / "SHA256SUMS").write_text(lines)


def fetch(names):
    """Fetch the named guests that are not here yet; every file's checksum is printed."""
    OUT.mkdir(parents=True, exist_ok=True)
    with open(OUT / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second one waits, then finds them
        _fetch(names)


def _fetch(names):
    missing = [name for name in names if not is_here(OUT / name)]
    if missing:
        for tool in ("apt-get", "dpkg-deb"):
            if not shutil.which(tool):
                raise Stop(f"guests come from Debian packages, and this machine has no {tool}")
        mirrors = sorted(archive.mirrors(), key=lambda mirror: not mirror.endswith("/debian/"))
        suites = {name: Suite(name, mirrors) for name in ("bookworm", "trixie")}
    for name in names:
        if name in missing:
            how = {
                **dict.fromkeys(KERNELS, fetch_kernel),
                **dict.fromkeys(PROGRAMS, fetch_programs),
                **dict.fromkeys(DEBUG, fetch_debug),
            }
            put(OUT / name, how.get(name, fetch_files)(suites, name))
        for line in (OUT / name / "SHA256SUMS").read_text().splitlines():
            print(f"{line[:64]}  {(OUT / name / line[66:]).relative_to(ROOT)}")


def main():
    names = [*KERNELS, *FILES, *PROGRAMS, *DEBUG]
    parser = argparse.ArgumentParser(description="Fetch real guests from Debian packages.")
    parser.add_argument(
        "--list", action="store_true", help="print the names and whether they are here"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    options = parser.parse_args()
    if options.list:
        for name in names:
            print(name, "here" if is_here(OUT / name) else "missing", sep="\t")
        return
    unknown = [name for name in options.names if name not in names]
    if unknown:
        raise Stop(f"no guest is called {' '.join(unknown)}; there are {' '.join(names)}")
    fetch(options.names or [name for name in names if name not in DEBUG])


if __name__ == "__main__":
    try:
        main()
    except Stop as stop:
        sys.exit(f"elapid: {stop}")
