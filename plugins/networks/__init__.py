"""The whole networks that the blocks come from, each a table of rows read off its paper."""
