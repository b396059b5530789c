# SPDX-License-Identifier: MIT
"""elapid look: the machine as a page, in a browser on this host (docs/look.md)."""
