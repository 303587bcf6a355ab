"""Ablations: a base model and named changes, trained alike with several seeds, timed, and told in one table."""
