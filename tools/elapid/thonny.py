# SPDX-License-Identifier: MIT
"""elapid thonny: the editor on the target's prompt, with a configuration of its own; the user's stays as it is.

Thonny lists real serial ports only, but opens whatever it is told.
"""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from .say import Stop, say

CONFIGURATION = """\
[run]
backend_name = GenericMicroPython

[GenericMicroPython]
port = {port}
"""
# What Thonny itself starts to talk to a board, run by Thonny's own Python: connects, and has a line executed.
CHECK = """
import subprocess, sys
from thonny.common import ToplevelCommand, parse_message, serialize_message
from thonny.plugins.micropython import bare_metal_backend as backend

options = dict.fromkeys(("dtr", "rts", "submit_mode", "write_block_size", "write_block_delay"))
options |= dict(port=sys.argv[1], clean=True, interrupt_on_connect=True, sync_time=False)
options |= dict(validate_time=False, utc_clock=True, local_rtc=True, proxy_class="GenericMicroPythonProxy")
child = subprocess.Popen(
    [sys.executable, backend.__file__, repr(options)],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
)
asked = False
for line in child.stdout:
    if "stream_name='stderr'" in line or line.startswith("Traceback"):
        print(line, end="")
    if "answer 42" in line:
        print("answer 42")
        break
    if "ToplevelResponse(" in line and not asked:
        asked = True
        command = ToplevelCommand("execute_source", source="print('answer', 6 * 7)\\n")
        print(serialize_message(command), file=child.stdin, flush=True)
child.kill()
"""


def find() -> tuple[list[str], str]:
    """Its command, and the Python that has it."""
    if find_spec("thonny"):
        return [sys.executable, "-m", "thonny"], sys.executable
    path = shutil.which("thonny")
    if not path:
        raise Stop("Thonny is not installed: pip install thonny")
    first = Path(path).read_bytes().split(b"\n", 1)[0].decode(errors="replace")
    if not first.startswith("#!"):
        raise Stop(f"{path} is no script of Python's: pip install thonny beside elapid")
    return [path], first[2:].split()[0]


def thonny(port: str, state: Path, check: bool) -> int:
    """Starts it on a terminal or serial port; its exit status. check: only whether it gets on with the target."""
    command, python = find()
    home = state / "thonny"
    home.mkdir(parents=True, exist_ok=True)
    (home / "configuration.ini").write_text(CONFIGURATION.format(port=port))
    environment = os.environ | {"THONNY_USER_DIR": str(home.resolve())}
    if not check:
        return subprocess.run(command, env=environment).returncode
    try:
        done = subprocess.run(
            [python, "-c", CHECK, port],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
    except subprocess.TimeoutExpired:
        raise Stop(f"Thonny's backend says nothing on {port}") from None
    if "answer 42" not in done.stdout:
        raise Stop(f"Thonny's backend does not get on with {port}: {done.stdout}{done.stderr}")
    say(f"Thonny has the prompt at {port}")
    return 0
