"""Light blocks in place of others: in any torch model (`replacing`), and in a model YAML (`yaml_writing`)."""

from .replacing import Match, replace
from .report import Report

__all__ = ["Match", "Report", "replace"]
