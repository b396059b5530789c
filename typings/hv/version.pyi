# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/version.py.
"""Which Elapid this is."""

from typing import Any
