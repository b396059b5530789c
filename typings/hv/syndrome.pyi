# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/syndrome.py.
"""What an exception syndrome says, in the ARM ARM's words (DDI 0487 D13.2.37, ESR_ELx)."""

from typing import Any

from _hv import sysreg as sysreg
def explain(esr: Any, far: Any=None, hpfar: Any=None, pc: Any=None, ipa: Any=None) -> Any:
    """One line on a syndrome. `esr` is ESR_ELx, or an Exit, which brings the addresses itself;
    `far` and `hpfar` are FAR_ELx and HPFAR_EL2 as read, used where they are valid."""
def fault_status(fsc: Any) -> Any:
    """The words for a fault status code: bits 5:0 of an abort's ISS."""
def register(iss: Any) -> Any:
    """The name of the system register that a trap's ISS is of."""
def class_name(ec: Any) -> Any:
    """The words for an exception class; None: it is reserved."""
