"""What a comparison computes from plain rows: medians, ratios, agreement, fronts, winners and their wording."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from comparison_rows import FAILED, GHOST, LEVEL, MISSING, ROWS, SHUFFLE, STOCK, WRONG, made, ratios
from yolo_plugins.comparing.agreement import judge, raw_differences, same_boxes
from yolo_plugins.comparing.choosing import Budget, nearest_miss, pareto, winner
from yolo_plugins.comparing.intervals import ratio, spread
from yolo_plugins.comparing.words import accuracy_text, agreement_text, answer, ratio_text


def test_the_arithmetic_imports_neither_torch_nor_ultralytics():
    code = (
        "import sys\n"
        "from yolo_plugins.comparing import agreement, candidates, choosing, intervals\n"
        "from yolo_plugins.comparing import page, progress, rows, store, words\n"
        "print(sorted({'torch', 'ultralytics'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_a_spread_is_the_median_and_the_quartiles():
    found = spread([5.0, 1.0, 4.0, 2.0, 3.0])
    assert (found.low, found.median, found.high) == (2.0, 3.0, 4.0)


def test_a_spread_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no values"):
        spread([])


def test_a_ratio_is_taken_pair_by_pair():
    """A machine that slows down tenfold half-way changes neither the ratio nor its interval."""
    first = [10.0] * 20 + [100.0] * 20
    found = ratio([1.5 * time for time in first], first)
    assert (found.low, found.median, found.high) == pytest.approx((1.5, 1.5, 1.5))
    assert found.shown


def test_an_interval_covers_the_true_ratio_as_often_as_it_says():
    random = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        first = random.normal(10, 0.5, 30)
        found = ratio(list(1.2 * first * random.lognormal(0, 0.1, 30)), list(first), seed=trial)
        covered += found.low <= 1.2 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_equal_models_show_no_difference():
    random = np.random.default_rng(2)
    found = ratio(list(random.normal(10, 1, 40)), list(random.normal(10, 1, 40)))
    assert not found.shown


def test_the_same_timings_give_the_same_interval():
    values, first = [1.0, 1.2, 0.9, 1.1, 1.3, 1.0, 1.1], [1.0] * 7
    assert ratio(values, first) == ratio(values, first)


def test_five_pairs_are_too_few_for_an_interval():
    found = ratio([2.0] * 5, [1.0] * 5)
    assert (found.median, found.low, found.shown) == (2.0, None, False)


@pytest.mark.parametrize(
    ("values", "first"), [([1.0], []), ([], []), ([1.0], [0.0])], ids=["one side", "none", "a time of 0"]
)
def test_pairs_that_are_none_are_refused(values, first):
    with pytest.raises(ValueError, match=r"pairs need|above 0"):
        ratio(values, first)


def outputs(nc: int = 3, masks: int = 0, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    boxes, scores = random.uniform(0, 64, (1, 4, 84)), random.uniform(0, 1, (1, nc, 84))
    return np.concatenate([boxes, scores, random.normal(0, 1, (1, masks, 84))], 1)


def test_differences_are_told_apart_by_part():
    theirs = outputs(masks=8)
    ours = theirs.copy()
    ours[0, 2, 7] += 0.5
    ours[0, 5, 3] -= 0.01
    ours[0, 9, 1] += 0.02 * np.ptp(theirs[:, 7:])
    found = raw_differences([ours], [theirs], "segment", nc=3)
    assert found == pytest.approx({"boxes": 0.5, "scores": 0.01, "masks": 0.02})


@pytest.mark.parametrize(
    ("part", "amount", "agrees"),
    [("boxes", 0.9, True), ("boxes", 1.1, False), ("scores", 0.019, True), ("scores", 0.021, False)],
)
def test_a_difference_above_tolerance_is_wrong(part, amount, agrees):
    verdict = judge({part: amount}, None)
    assert verdict.agrees is agrees
    assert agrees or part in verdict.reason


def test_outputs_that_are_no_numbers_are_wrong():
    ours = outputs()
    ours[0, 0, 0] = np.nan
    assert not judge(raw_differences([ours], [outputs()], "detect", nc=3), None).agrees


def test_outputs_of_another_shape_are_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"\[1, 7, 83\].*\[1, 7, 84\]"):
        raw_differences([outputs()[..., :83]], [outputs()], "detect", nc=3)


def test_a_head_without_nms_is_compared_by_its_sorted_scores():
    """Rows of equal scores may come in another order, so boxes are not compared row by row."""
    theirs = np.zeros((1, 300, 6))
    theirs[0, :2] = [[0, 0, 9, 9, 0.5, 0], [30, 30, 60, 60, 0.5, 1]]
    ours = theirs[:, [1, 0, *range(2, 300)]]
    assert raw_differences([ours], [theirs], "detect", nc=80) == {"scores": 0.0}


BOXES = np.array([[0, 0, 10, 10, 0.9, 0], [20, 20, 40, 40, 0.8, 1], [50, 50, 60, 60, 0.26, 0]], float)


def test_boxes_are_the_same_in_any_order():
    assert same_boxes([BOXES[::-1]], [BOXES], conf=0.25) == 1.0


def test_a_box_at_the_threshold_may_be_missing():
    assert same_boxes([BOXES[:2]], [BOXES], conf=0.25) == 1.0


@pytest.mark.parametrize(
    "change", [(0, 5, 2.0), (0, 0, 5.0)], ids=["another class", "another place"]
)  # row, column, value
def test_a_box_that_is_another_counts_on_both_sides(change):
    row, column, value = change
    ours = BOXES.copy()
    ours[row, column] = value
    assert same_boxes([ours], [BOXES], conf=0.25) == pytest.approx(4 / 6)


def test_images_without_boxes_show_nothing():
    assert same_boxes([np.zeros((0, 6))], [np.zeros((0, 6))], conf=0.25) is None


def test_classification_agrees_by_the_best_class():
    assert same_boxes([np.array([0.1, 0.9]), np.array([0.6, 0.4])], [np.array([0.2, 0.8])] * 2, conf=0.25) == 0.5


def test_the_front_keeps_what_nothing_beats():
    points = [(1, 0.2), (2, 0.4), (3, 0.3), (4, 0.5), (4, 0.5), (1, 0.1)]
    assert pareto(points) == [0, 1, 3, 4]


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (Budget(), STOCK),
        (Budget(max_ms=21), STOCK),
        (Budget(max_ms=19), SHUFFLE),
        (Budget(max_mb=8.0), LEVEL),
        (Budget(max_mb=7.5), GHOST),
        (Budget(max_ms=16, min_map=0.35), None),
    ],
    ids=str,
)
def test_the_winner_is_the_most_accurate_within_the_budget(budget, expected):
    """Never a file that is wrong, however fast and accurate it seems."""
    assert winner(ROWS, budget) is expected


def test_accuracies_that_differ_by_rounding_alone_are_equal():
    rows = [made("a", "torch", 20.0, 0.40012), made("a", "onnx", 9.0, 0.40009)]
    assert winner(rows, Budget()) is rows[1]
    assert "from 9.0 ms on a as onnx (0.400)." in answer(rows, Budget())[0]


def test_without_accuracy_the_fastest_wins():
    rows = [made("a", "onnx", 3.0, None), made("b", "onnx", 2.0, None)]
    assert winner(rows, Budget())["model"] == "b"


def test_a_row_without_accuracy_keeps_no_accuracy_budget():
    assert winner([made("a", "onnx", 3.0, None)], Budget(min_map=0.1)) is None


def test_what_misses_a_budget_is_told_with_the_best_that_was_measured():
    assert nearest_miss(ROWS, Budget(max_ms=10, min_map=0.5)) == "best ms 15 (limit 10); best mAP 0.4 (limit 0.5)"


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (STOCK, "–"),
        (GHOST, "1.10× (1.05–1.15)"),
        (LEVEL, "no difference shown (0.98–1.04)"),
        (made("a", "b", 1.0, None, **ratios(1.0, 1.1, 1.2)), "no difference shown (1.00–1.20)"),
        (made("a", "b", 1.0, None, ratio=1.2), "1.20× (fewer than 6 rounds: no interval)"),
    ],
    ids=["first", "slower", "level", "touching 1", "few"],
)
def test_a_ratio_is_printed_with_what_it_shows(row, text):
    assert ratio_text(row) == text


def test_cells_without_a_figure_say_why():
    assert accuracy_text(made("a", "onnx", 1.0, None, accuracy_note="no weights")) == "no weights"
    assert agreement_text(WRONG) == "wrong: boxes differ by 30 px from torch's"
    assert agreement_text(MISSING) == "missing: MNN not installed: pip install MNN"


def test_seeds_are_told_as_mean_and_spread():
    row = made("a", "onnx", 1.0, 0.41, seeds=3, map_mean=0.4, map_spread=0.02)
    assert accuracy_text(row) == "0.410 (torch, 3 seeds: 0.400 ± 0.020)"


def test_the_answer_opens_with_the_choice_and_what_it_gives_up():
    lines = answer(ROWS, Budget(max_mb=7.5))
    assert lines[0] == "Within at most 7.5 MB: ghost as onnx, 22.0 ms end to end, 7.0 MB, mAP50-95 0.380."
    assert lines[1] == (
        "ghost as onnx gives up 7.0 ms against shuffle as onnx, 0.020 mAP50-95 against yolov8n as onnx, "
        "2.0 MB against shuffle as onnx."
    )


def test_the_answer_lists_the_best_for_each_time():
    (line,) = [line for line in answer(ROWS, Budget()) if line.startswith("Most accurate")]
    assert line == "Most accurate for each time allowed: from 15.0 ms on shuffle as onnx (0.300); " + (
        "from 20.0 ms on yolov8n as onnx (0.400)."
    )


def test_the_answer_says_where_fewer_flops_were_not_faster():
    lines = [line for line in answer(ROWS, Budget()) if line.startswith("Fewer FLOPs")]
    assert len(lines) == 2
    assert "ghost has 38% fewer than yolov8n" in lines[0]
    assert "onnx: 1.10× (1.05–1.15)" in lines[0]
    assert "level has 25% fewer" in lines[1]
    assert "no difference shown" in lines[1]


def test_the_answer_names_what_is_wrong_failed_or_missing():
    text = "\n".join(answer(ROWS, Budget()))
    assert "Not to be deployed: ghost as ncnn (boxes differ by 30 px from torch's)." in text
    assert f"Not measured: shuffle as ncnn ({FAILED['reason']})." in text
    assert "Runtimes that are not here: mnn: MNN not installed: pip install MNN." in text


def test_a_budget_that_nothing_keeps_is_told_so():
    assert answer(ROWS, Budget(max_ms=1))[0] == "Nothing keeps the budget (at most 1 ms): best ms 15 (limit 1)."
