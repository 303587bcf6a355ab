"""What a block or a model is and costs: counts, checks, drawings."""
