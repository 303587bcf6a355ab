"""The blocks: torch alone, a paper's family to a file. Every file here is found by itself."""

from .registry import import_all

import_all(__name__, __path__)
