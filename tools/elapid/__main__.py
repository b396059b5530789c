# SPDX-License-Identifier: MIT
"""python -m elapid"""

import sys

from .cli import main

sys.exit(main())
