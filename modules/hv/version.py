# SPDX-License-Identifier: MIT
"""Which Elapid this is."""

__version__ = "0.1.0"  # tools/elapid has the same
