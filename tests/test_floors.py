# SPDX-License-Identifier: MIT
"""The house of hv_native stands: nothing calls up, no circle, no two functions of one name."""

import floors
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
