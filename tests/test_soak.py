"""Models built, fused and exported again and again leave nothing behind; `tests/benchmarks/soak.py` is the long run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).with_name("benchmarks")))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_memory_and_registries_stay_as_they_are() -> None:
    from soak import soak

    memory, first, last = soak(["yolov8n-ghost.yaml", "mobilenetv3-small-cls.yaml"], cycles=4, seconds=600)
    assert first == last
    assert memory[-1] - memory[1] < 3, memory
