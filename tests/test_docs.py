# SPDX-License-Identifier: MIT
"""What the documentation shows is what happens: every session is played, every command is run."""

import sys

import pytest
from harness import ROOT
from transcript import RUNNABLE, blocks, matches, options, play, run_host, statements

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_page(path, boot, tmp_path):
    page = path.read_text()
    machine, files = options(page)
    target = None
    for language, text, line in blocks(page):
        where = f"{path.name}:{line}"
        assert language, f"{where}: a code block says what it is, see tests/transcript.py"
        if language in ("pycon", "python") and target is None:
            target = boot(**machine)
            for file in files:
                target.mpremote("cp", file, ":")
        if language == "pycon":
            for typed, expected in statements(text):
                printed = play(target, typed)
                assert matches(expected, printed), "\n".join(
                    [
                        f"{where}: after >>> {typed[0]}",
                        "expected:",
                        *expected,
                        "printed:",
                        *printed,
                    ]
                )
        elif language == "python":
            target.exec(text, seconds=60)
        elif language == "py":
            script = tmp_path / "page.py"
            script.write_text(text)
            run_host(f"{sys.executable} {script}")
        elif language == "sh":
            run_host(text)


def test_a_session_that_lies_is_found(target):
    assert not matches(["43"], play(target, ["6 * 7"]))
    assert matches(["4..."], play(target, ["6 * 7"]))
    assert play(
        target, ["for i in range(2):", "    if i:", "        print(i)", "    print('-')", ""]
    ) == [
        "-",
        "1",
        "-",
    ]
    with pytest.raises(AssertionError):
        run_host("false")
    assert RUNNABLE == ("pycon", "python", "py", "sh")
