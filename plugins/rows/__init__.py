"""What a row of a model YAML means: names, arguments, validation, row maps, the stock model behind a variant."""
