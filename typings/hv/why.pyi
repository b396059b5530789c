# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/why.py.
"""vm.why() and vm.explain(): in words, who answers an exit, how, what it costs, and what there is at an address."""

from typing import Any

from .syndrome import class_name as class_name, explain as explain, register as register
def why(vm: Any, exit: Any=None) -> Any:
    """The text of vm.why()."""
def at(vm: Any, where: Any) -> Any:
    """The text of vm.explain()."""
