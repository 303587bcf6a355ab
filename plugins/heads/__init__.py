"""Heads that derive from Ultralytics' own, and need it. Every file here is found by itself."""

from ..blocks.registry import import_all

import_all(__name__, __path__)
