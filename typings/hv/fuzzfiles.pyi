# SPDX-License-Identifier: MIT
# Made by tools/gen_api.py from modules/hv/fuzzfiles.py.
"""Files of a fuzzer: AFL++'s directory, and drcov."""

from typing import Any

import os
import struct
def export(fz: Any, path: Any) -> Any: ...
def load(fz: Any, path: Any) -> Any: ...
def drcov(fz: Any, path: Any, base: Any) -> Any: ...
