"""Whole models' times from those of their rows: rows alone, corrected by what a few whole models took.

A row inside a model finds its input in the cache and its weights not, is not read out afterwards, and is laid out for
its neighbours; so its time there is not its time alone, and how far off it is differs from runtime to runtime and from
block to block. The model's time is taken as

    rest + Σ over its rows of a·(slope + u + v),   u ~ N(0, of_names²), one for each block,
                                                   v ~ N(0, of_options²), one for each block at each row,

where `a` is the row's time alone. `rest` and `slope` are fitted freely, u and v as far as the whole models ask for
them (a Gaussian process with a linear trend: universal kriging). The two spreads are those with which each model is
predicted best from the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Choice = Mapping[int, str]
"""A whole model: by row, the name of its block."""

SPREADS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)
NOISE = 0.02
"""Of a whole model's time, as part of it: what two runs of the same may differ by."""


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
    y = np.asarray(times, float)
    design = _Design(alone, models)
    spreads = min(
        ((names, options) for names in SPREADS for options in SPREADS),
        key=lambda pair: _left_out(design, y, *pair),
    )
    trend, weights = _solved(design.trend, design.covariance(*spreads), y)[:2]
    return Prediction(float(trend[0]), design.inside(trend[1], weights, *spreads))


def uncorrected(alone: Mapping[tuple[int, str], float], model: Choice, time: float) -> Prediction:
    """Rows inside a model as if they took what they take alone, `rest` being what is left of one model's time."""
    return Prediction(time - sum(alone[option] for option in model.items()), alone)


class _Design:
    """The models as rows of matrices over the options: which they hold, and what these take alone."""

    def __init__(self, alone: Mapping[tuple[int, str], float], models: Sequence[Choice]) -> None:
        self.keys = list(alone)
        self.alone = np.array([alone[key] for key in self.keys])
        self.held = np.array([[float(model.get(i) == name) for i, name in self.keys] for model in models]) * self.alone
        names = list(dict.fromkeys(name for _, name in self.keys))
        self.named = np.array([[float(name == other) for other in names] for _, name in self.keys])
        self.trend = np.c_[np.ones(len(models)), self.held.sum(1)]

    def covariance(self, of_names: float, of_options: float) -> Array:
        by_name = self.held @ self.named
        return of_names**2 * by_name @ by_name.T + of_options**2 * self.held @ self.held.T

    def inside(self, slope: float, weights: Array, of_names: float, of_options: float) -> dict[tuple[int, str], float]:
        """Each option's time in a model."""
        own = of_options**2 * self.held.T @ weights
        shared = of_names**2 * self.named @ (self.held @ self.named).T @ weights
        return dict(zip(self.keys, (self.alone * (slope + own + shared)).tolist(), strict=True))


def _solved(trend: Array, covariance: Array, y: Array) -> tuple[Array, Array, Array]:
    """Rest and slope; the weights of the models' deviations; and K⁻¹ less what the trend takes from it."""
    precision = np.linalg.inv(covariance + np.diag((NOISE * y) ** 2))
    projected = trend.T @ precision
    gain = np.linalg.pinv(projected @ trend) @ projected
    left = precision - projected.T @ gain
    return gain @ y, left @ y, left


def _left_out(design: _Design, y: Array, of_names: float, of_options: float) -> float:
    """Mean square of the relative errors with which each model is predicted from all the others, in closed form."""
    _, weights, left = _solved(design.trend, design.covariance(of_names, of_options), y)
    return float(np.mean((weights / np.diag(left) / y) ** 2))


def errors(prediction: Prediction, models: Sequence[Choice], times: Sequence[float]) -> list[float]:
    """How far each model's predicted time is from its measured one, as part of it."""
    return [prediction(model) / time - 1 for model, time in zip(models, times, strict=True)]
