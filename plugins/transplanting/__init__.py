"""Trained weights that survive a swap: each light block learns to do what the block that it replaces did."""

from .schedule import Schedule, TransplantReport
from .transplanting import transplant

__all__ = ["Schedule", "TransplantReport", "transplant"]
