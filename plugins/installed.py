"""Versions of what is installed, also where another distribution than the usual one brings a package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

OTHERS = {
    "ultralytics": ("ultralytics-opencv-headless",),
    "opencv-python": ("opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
}
"""Other distributions of a package, which are imported by the same name."""


def installed_version(package: str) -> str | None:
    """The version of a package, whichever of its distributions is installed; None where there is none."""
    for name in (package, *OTHERS.get(package, ())):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None
