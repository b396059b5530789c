# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/rows.py.
"""Lists that are tables at the prompt, and what is raised where they break off."""

from typing import Any

from _hv import Fault as Fault

class Broken(Fault):
    """A list in a guest leads nowhere: what does, and where. `rows` are those before."""



class Rows(list):
    """A list of namedtuples of these fields, or of lines; printed it is a table."""

    def __init__(self, fields: Any=None) -> None: ...

def rows(fields: Any, found: Any) -> Any:
    """The Rows of what a generator finds."""
