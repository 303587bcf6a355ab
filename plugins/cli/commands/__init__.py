"""The commands of `yolo-plugins`, a module each: `HELP`, `run(args)`, and `configure(parser)` where it has options.

`run` returns the exit code, None for 0.

They are all imported for `--help`, so torch and Ultralytics are imported inside `run` only.
"""

GROUPS = {
    "to begin": ("demo", "activate", "deactivate", "status", "completion"),
    "blocks and models": ("list", "info", "cost", "check", "networks"),
    "to make a model light": ("yaml", "search", "transplant", "init", "quantize"),
    "to judge models": ("compare", "ablate"),
    "to show them": ("draw", "heatmap"),
}
"""By what people want, as `yolo-plugins --help` shows them."""

COMMANDS = tuple(command for group in GROUPS.values() for command in group)
