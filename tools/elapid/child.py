# SPDX-License-Identifier: MIT
"""Child processes that do not outlive this one."""

import ctypes
import signal

PR_SET_PDEATHSIG = 1  # prctl(2)


def dies_with_parent() -> None:
    """For Popen's preexec_fn: the child gets SIGTERM when this process ends, however it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
