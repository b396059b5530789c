# SPDX-License-Identifier: MIT
"""The houses stand: hv_native, where nothing calls up, no circle, no two functions of one name; Python without circles."""

import floors
import python_floors
from harness import ROOT

BUILD = ROOT / "build/QEMU_VIRT"


def test_nothing_calls_up(image):
    assert list(floors.faults(BUILD)) == []


def test_a_house_upside_down_is_seen(image, monkeypatch):
    order = floors.floors()
    monkeypatch.setattr(
        floors, "floors", lambda: {name: -height for name, height in order.items()}
    )
    found = list(floors.faults(BUILD))
    assert any("vcpu/sched calls up into vm/runqueue" in line for line in found), found
    assert any("includes core/arch.h from above" in line for line in found), found


def test_a_folder_nobody_placed_is_seen(image, monkeypatch):
    order = floors.floors()
    monkeypatch.setattr(floors, "floors", lambda: {n: h for n, h in order.items() if n != "vgic"})
    assert any(line.startswith("vgic/ is not in") for line in floors.faults(BUILD))


def test_circles_are_found():
    assert floors.circles([("a", "b"), ("b", "c")]) == []
    assert floors.circles([("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")]) == [["b", "c"]]


def test_python_has_no_circles():
    assert list(python_floors.faults()) == []


def test_python_that_reaches_up_is_seen(tmp_path):
    """At the top, in a function, for types; by the name of the package or by dots."""
    house = tmp_path / "modules/hv"
    (house / "sub").mkdir(parents=True)
    for name, text in {
        "__init__": "from .low import f",
        "low": "def f():\n    from .mid import g",
        "mid": "if TYPE_CHECKING:\n    from hv import top\nimport struct",
        "top": "from .sub.leaf import x",
        "sub/__init__": "",
        "sub/leaf": "from .. import low",
        "alone": "from . import top",
    }.items():
        (house / f"{name}.py").write_text(text)
    assert list(python_floors.faults(tmp_path)) == [
        "modules/hv: a circle: hv.low, hv.mid, hv.sub.leaf, hv.top"
    ]
