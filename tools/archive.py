# SPDX-License-Identifier: MIT
"""The Debian or Ubuntu archive this machine already uses: its addresses, and fetching from it.

No mirror is named here: the addresses come from apt's configuration, and where apt is installed
its own helper does the fetching, so that its proxies and credentials count.
"""

import os
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

APT_HELPER = "/usr/lib/apt/apt-helper"


def mirrors(etc=Path("/etc/apt")):
    """The archive's base addresses, each ending in "/", in apt's order."""
    found = _from_apt() if etc == Path("/etc/apt") else []
    return _plain(found or _from_files(etc))


def _from_apt():
    if not shutil.which("apt-get"):
        return []
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.split() if done.returncode == 0 else []


def _from_files(etc):
    """The same from apt's files, for a machine where apt-get cannot tell."""
    found = []
    one_line = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))]
    for path in one_line:
        if path.is_file():
            found += _one_line_form(path.read_text())
    for path in sorted((etc / "sources.list.d").glob("*.sources")):
        found += _deb822_form(path.read_text())
    return found


def _one_line_form(text):
    """Addresses in `deb [options] address suite component...` lines."""
    found = []
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if line.startswith(("deb ", "deb-src ", "deb\t", "deb-src\t")):
            rest = line.split(None, 1)[1]
            if rest.startswith("["):
                rest = rest.partition("]")[2].strip()
            found += rest.split()[:1]
    return found


def _deb822_form(text):
    """Addresses in the URIs fields of `Field: value` stanzas, disabled ones left out."""
    found = []
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in "\n".join(lines).split("\n\n"):
        fields, name = {}, None
        for line in stanza.splitlines():
            if line[:1].isspace():
                fields[name] = fields.get(name, "") + " " + line.strip()
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields.get("enabled", "yes").lower() not in ("no", "false", "0"):
            found += fields.get("uris", "").split()
    return found


def _plain(addresses):
    """Resolves lists of mirrors, drops media and repeats, adds the final slash."""
    found = []
    for address in addresses:
        if address.startswith("mirror+file:"):
            path = Path(address.removeprefix("mirror+file:").replace("//", "/", 1))
            listed = path.read_text().splitlines() if path.is_file() else []
            found += [line.split()[0] for line in listed if line.strip() and line[0] != "#"]
        elif not address.startswith(("cdrom:", "mirror")):
            found.append(address)
    return list(dict.fromkeys(address.rstrip("/") + "/" for address in found))


def fetch(address, path):
    """Fetches one address into the file `path`; OSError with one line when that fails."""
    if os.path.exists(APT_HELPER):
        options = []
        for option in (
            "APT::Sandbox::User=root",
            "Acquire::http::Timeout=20",
            "Acquire::Retries=2",
            "Acquire::Retries::Delay=false",
        ):
            options += ["-o", option]
        command = [APT_HELPER, *options, "download-file", address, str(path)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode or not os.path.exists(path):
            lines = [line for line in done.stderr.splitlines() if line.startswith("E:")]
            reason = lines[0].removeprefix("E:").strip() if lines else "apt's helper failed"
            raise OSError(f"{address}: {reason}")
        return
    try:
        with urllib.request.urlopen(address, timeout=20) as reply, open(path, "wb") as out:
            shutil.copyfileobj(reply, out)
    except (OSError, ValueError) as error:
        raise OSError(f"{address}: {getattr(error, 'reason', error)}") from None
