"""Which block at which row is worth its time on this machine: a model YAML within a budget of milliseconds."""
