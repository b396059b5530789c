# SPDX-License-Identifier: MIT
"""A real browser for the tests: Debian's Chromium, headless, driven by Playwright. Installed when it is first wanted."""

import contextlib
import importlib.util
import subprocess
import sys
from pathlib import Path

from harness import ROOT

sys.path.append(str(ROOT / "tools"))
import host  # noqa: E402

PLAYWRIGHT = "playwright==1.65.2"


def _playwright():
    if not importlib.util.find_spec("playwright"):
        pip = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, PLAYWRIGHT], check=True, timeout=600)
        importlib.invalidate_caches()
    from playwright import sync_api

    return sync_api


@contextlib.contextmanager
def chromium():
    """Playwright's Browser."""
    program = Path(host.need("chromium", "chromium"))
    with _playwright().sync_playwright() as play:
        # As root, and without a GPU, as in CI.
        browser = play.chromium.launch(
            executable_path=str(program), args=["--no-sandbox", "--disable-gpu"], timeout=120_000
        )
        yield browser
        browser.close()
