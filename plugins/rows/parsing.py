"""What the patched Ultralytics asks of a model with rows of the pack, and of such a model alone, while it is built."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

from ..blocks.registry import BLOCKS, PREFIX, Spec, spec_of
from .arguments import MODEL_WIDE, Scale, plan
from .description import ModelYAMLError, check, has_plugins, rows_of
from .errors import row_problem
from .names import names

LARGE = ("m", "l", "x")
"""The letters of the scales at which Ultralytics makes some stages of larger parts."""


class Parsing:
    """Answers for one Ultralytics, whose `ultralytics.nn.tasks` is given."""

    def __init__(self, tasks: ModuleType) -> None:
        self._tasks = tasks

    @staticmethod
    def is_plugin(m: Any) -> Spec | None:
        """The specification of a row's module, if it is a registered block."""
        return spec_of(m)

    @staticmethod
    def task_of(model: Any) -> str | None:
        """The task of a model description, or of a model built from one, whose last row is a head of ours."""
        description = model if isinstance(model, dict) else getattr(model, "yaml", None)
        if not has_plugins(description):
            return None
        try:
            name = rows_of(description)[-1][2]
            spec = spec_of(BLOCKS.get(name.removeprefix(PREFIX))) if name.startswith(PREFIX) else None
        except (AttributeError, IndexError, KeyError, TypeError):
            return None
        return (spec.task or None) if spec else None

    def prepare(self, description: Any) -> None:
        """Refuse a model with rows of ours that cannot be built, and put our blocks where rows are looked up.

        Raises:
            ModelYAMLError: structure, names or `from` references that are wrong.
        """
        if has_plugins(description):
            vars(self._tasks).update({PREFIX + name: block for name, block in BLOCKS.items()})
            check(description, file_of(description), names(self._tasks))

    def forget_names(self) -> None:
        """Take our blocks out of where rows are looked up."""
        for name in [name for name in vars(self._tasks) if name.startswith(PREFIX)]:
            delattr(self._tasks, name)

    def read_row(self, m: type, scope: dict[str, Any]) -> Any:
        """Output channels, repeats and constructor arguments of a row, from `parse_model`'s local variables.

        Last, `legacy`: whether the head is the one before YOLO11, which upstream tells by rows that may be swapped.
        """
        f, ch, description = scope["f"], scope["ch"], scope["d"]
        inputs = ch[f] if isinstance(f, int) else [ch[x] for x in f]
        defaults = {key: description[key] for key in MODEL_WIDE if key in description}
        if scope.get("act"):
            defaults["act"] = self._tasks.Conv.default_act
        legacy = description.get("legacy", scope.get("legacy", True))
        scale = Scale(scope["width"], scope["max_channels"], scope.get("scale") in LARGE)
        return *plan(m, inputs, scope["n"], scope["args"], scale, defaults), legacy

    def explain(self, error: Exception, scope: dict[str, Any]) -> None:
        """Say which row an error in `parse_model`'s loop comes from, and put back what upstream leaves changed.

        Of a model without rows of ours the error stays as it is, with a note where a block of ours lacks its prefix.

        Raises:
            ModelYAMLError: for a model with rows of ours.
        """
        description = scope["d"]
        if has_plugins(description):
            if "default_act" in scope:
                self._tasks.Conv.default_act = scope["default_act"]
            self._explain(error, description)
        elif isinstance(error, KeyError) and error.args and error.args[0] in BLOCKS and hasattr(error, "add_note"):
            error.add_note(f"{error.args[0]} is a block of yolo-plugins; a row names it as {PREFIX}{error.args[0]}")

    def naming_rows(self, init: Callable[..., None]) -> Callable[..., None]:
        """A model's `__init__`; of a model of ours, an error says which row does not fit the others.

        That first shows when the model runs, which it does while it is built, to find its strides.
        """

        @wraps(init)
        def build(model: Any, *args: Any, **kwargs: Any) -> None:
            try:
                init(model, *args, **kwargs)
            except Exception as error:
                if has_plugins(getattr(model, "yaml", None)) and not isinstance(error, OSError):
                    self._explain(error, model.yaml)
                raise

        return build

    def _explain(self, error: Exception, description: dict[str, Any]) -> None:
        if isinstance(error, ModelYAMLError):
            return
        # A refusal says all there is to say; any other error may be a bug, whose own traceback is wanted.
        cause = None if isinstance(error, ValueError) else error
        raise ModelYAMLError(file_of(description), row_problem(error, description, self._tasks)) from cause


def file_of(description: dict[str, Any]) -> str:
    """The name by which messages call a model."""
    return str(description.get("yaml_file", "model"))
