"""Drawings of blocks and of whole models: as Mermaid text, and as the figure that a paper shows."""
