"""The whole networks that the blocks come from, each a table of rows. Every file here is found by itself."""

from ..blocks.registry import import_all

import_all(__name__, __path__)
