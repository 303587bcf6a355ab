"""Whole models' times from those of their rows: rows alone, corrected by what a few whole models took.

A row inside a model finds its input in the cache and its weights not, is not read out afterwards, and is laid out for
its neighbours; so its time there is not its time alone, and how far off it is differs from runtime to runtime and from
block to block. The model's time is taken as

    rest + Σ over its rows of a·(1 + s + u + v) + noise,   s ~ N(0, SLOPE²), one for all,
                                                           u ~ N(0, of_names²), one for each block,
                                                           v ~ N(0, of_options²), one for each block at each row,

where `a` is the row's time alone. `rest` is fitted freely, s, u and v as far as the whole models ask for them: a
Gaussian process (universal kriging). A few models do not tell for sure what the spreads of u, v and of the noise are:
fits with all that come into question are averaged, each weighed by how probable it makes each model given the others
(Rasmussen and Williams, Gaussian Processes for Machine Learning, 5.4.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Choice = Mapping[int, str]
"""A whole model: by row, the name of its block."""

SLOPE = 0.3
SPREADS = (0.0, 0.03, 0.1, 0.3)
NOISES = (0.01, 0.03, 0.1, 0.3)
"""Parts of a whole model's time by which two runs of it may differ."""


@dataclass(frozen=True)
class Prediction:
    """Milliseconds of each block at each row inside a model, and of what is not one of these rows."""

    rest: float
    options: Mapping[tuple[int, str], float]

    def __call__(self, choice: Choice) -> float:
        return self.rest + sum(self.options[option] for option in choice.items())


def fitted(alone: Mapping[tuple[int, str], float], models: Sequence[Choice], times: Sequence[float]) -> Prediction:
    """What rows take inside a model, from their times alone and whole models with theirs.

    Args:
        alone: Milliseconds of each block at each row alone.
        models: Whole models, at least three that differ.
        times: Their milliseconds.

    Raises:
        ValueError: fewer than three models, or not as many times.
    """
    if len(models) != len(times) or len(models) < 3:
        raise ValueError(f"a fit needs at least three models with their times, got {len(models)} and {len(times)}")
    design, y = _Design(alone, models), np.asarray(times, float)
    fits = [_Fit(design, y, *spreads) for spreads in product(SPREADS, SPREADS, NOISES)]
    likelihoods = np.array([fit.likelihood for fit in fits])
    shares = np.exp(likelihoods - likelihoods.max())
    shares /= shares.sum()
    inside = np.maximum(shares @ [fit.inside() for fit in fits], 0)
    return Prediction(float(shares @ [fit.rest for fit in fits]), dict(zip(design.keys, inside.tolist(), strict=True)))


def uncorrected(alone: Mapping[tuple[int, str], float], model: Choice, time: float) -> Prediction:
    """Rows inside a model as if they took what they take alone, `rest` being what is left of one model's time."""
    return Prediction(time - sum(alone[option] for option in model.items()), alone)


class _Design:
    """The models as rows of a matrix over the options: what those that they hold take alone."""

    def __init__(self, alone: Mapping[tuple[int, str], float], models: Sequence[Choice]) -> None:
        self.keys = list(alone)
        self.alone = np.array([alone[key] for key in self.keys])
        self.held = np.array([[float(model.get(i) == name) for i, name in self.keys] for model in models]) * self.alone
        names = list(dict.fromkeys(name for _, name in self.keys))
        self.named = np.array([[float(name == other) for other in names] for _, name in self.keys])


class _Fit:
    """The fit with given spreads, and the log of how probable each model is given the others."""

    def __init__(self, design: _Design, y: Array, of_names: float, of_options: float, noise: float) -> None:
        self._design, self._spreads = design, (of_names, of_options)
        held, by_name, one = design.held, design.held @ design.named, np.ones(len(y))
        total = held.sum(1)
        covariance = SLOPE**2 * np.outer(total, total) + of_names**2 * by_name @ by_name.T
        covariance += of_options**2 * held @ held.T + np.diag((noise * y) ** 2)
        precision = np.linalg.inv(covariance)
        gain = one @ precision / (one @ precision @ one)
        left = precision - np.outer(precision @ one, gain)  # the precision, less what fitting `rest` takes
        self.rest = float(gain @ (y - total))
        self._weights = left @ (y - total)
        own = np.diag(left)
        self.likelihood = float(np.sum(np.log(own) - self._weights**2 / own)) / 2

    def inside(self) -> Array:
        """Each option's time in a model."""
        (of_names, of_options), design, weights = self._spreads, self._design, self._weights
        slope = 1 + SLOPE**2 * design.held.sum(1) @ weights
        shared = of_names**2 * design.named @ (design.held @ design.named).T @ weights
        own = of_options**2 * design.held.T @ weights
        return np.asarray(design.alone * (slope + shared + own))


def errors(prediction: Prediction, models: Sequence[Choice], times: Sequence[float]) -> list[float]:
    """How far each model's predicted time is from its measured one, as part of it."""
    return [prediction(model) / time - 1 for model, time in zip(models, times, strict=True)]
