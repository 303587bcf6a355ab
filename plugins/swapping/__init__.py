"""Light blocks in place of others: in any torch model (`replacing`), and in a model YAML (`yaml_writing`)."""

from .composing import compose
from .replacing import Match, replace
from .report import Report
from .yaml_writing import SwappedYAML, swap_yaml

__all__ = ["Match", "Report", "SwappedYAML", "compose", "replace", "swap_yaml"]
