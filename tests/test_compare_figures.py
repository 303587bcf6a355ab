"""What a comparison computes from plain rows: ratios, agreement, fronts, winners and their wording."""

import subprocess
import sys

import numpy as np
import pytest
from comparison_rows import FAILED, GHOST, LEVEL, MISSING, ROWS, SHUFFLE, STOCK, WRONG, made, ratios
from yolo_plugins.comparing import Budget, answer, ratio, winner
from yolo_plugins.comparing.agreement import disagreement, raw_differences, same_boxes
from yolo_plugins.comparing.words import accuracy_text, agreement_text, ratio_text


def test_what_runs_beside_a_runtime_or_before_any_work_imports_neither_torch_nor_ultralytics():
    """A worker's size is that of the runtime that it measures; a misspelt command is answered at once."""
    code = (
        "import sys\n"
        "from yolo_plugins.comparing import agreement, candidates, choosing, page, settings, store, words, worker\n"
        "print(sorted({'torch', 'ultralytics', 'yolo_plugins.comparing.comparison'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


@pytest.mark.parametrize(
    ("values", "first", "expected"),
    [
        ([15.0] * 20 + [150.0] * 20, [10.0] * 20 + [100.0] * 20, (1.5, 1.5, 1.5)),
        ([2.0] * 5, [1.0] * 5, (None, 2.0, None)),
    ],
    ids=["a machine that slows down tenfold half-way", "five pairs are too few for an interval"],
)
def test_a_ratio_is_taken_pair_by_pair(values, first, expected):
    found = ratio(values, first)
    assert (found.low, found.median, found.high) == expected


def test_an_interval_covers_the_true_ratio_as_often_as_it_says():
    random = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        first = random.normal(10, 0.5, 30)
        found = ratio(list(1.2 * first * random.lognormal(0, 0.1, 30)), list(first), seed=trial)
        covered += found.low <= 1.2 <= found.high
    assert 0.88 <= covered / 200 <= 0.99


def test_equal_models_show_no_difference_and_the_same_timings_the_same_interval():
    random = np.random.default_rng(2)
    times = list(random.normal(10, 1, 40)), list(random.normal(10, 1, 40))
    found = ratio(*times)
    assert found.low < 1 < found.high
    assert ratio(*times) == found


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
    ("part", "amount", "shared", "reason"),
    [
        ("boxes", 0.9, 0.96, ""),
        ("boxes", 1.1, None, "boxes differ by 1.1 px from torch's"),
        ("scores", 0.019, None, ""),
        ("scores", 0.021, None, "scores differ by 0.021 from torch's"),
        ("scores", 0.0, 0.9, "only 90% of the final boxes are torch's"),
    ],
)
def test_a_difference_above_tolerance_is_wrong(part, amount, shared, reason):
    assert disagreement({part: amount}, shared) == reason


def test_outputs_that_are_no_numbers_are_wrong():
    found = raw_differences([np.full((1, 7, 84), np.nan)], [outputs()], "detect", nc=3)
    assert disagreement(found, None) == "boxes differ by inf px from torch's"


def test_outputs_of_another_shape_are_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"\[1, 7, 83\].*\[1, 7, 84\]"):
        raw_differences([outputs()[..., :83]], [outputs()], "detect", nc=3)


def test_a_head_without_nms_is_compared_by_its_sorted_scores():
    """Rows of equal scores may come in another order, so boxes are not compared row by row."""
    theirs = np.zeros((1, 300, 6))
    theirs[0, :2] = [[0, 0, 9, 9, 0.5, 0], [30, 30, 60, 60, 0.5, 1]]
    ours = theirs[:, [1, 0, *range(2, 300)]]
    assert raw_differences([ours], [theirs], "detect", nc=80) == {"scores": 0.0}


BOXES = [[0, 0, 10, 10, 0.9, 0], [20, 20, 40, 40, 0.8, 1], [50, 50, 60, 60, 0.26, 0]]


@pytest.mark.parametrize(
    ("ours", "theirs", "part"),
    [
        (BOXES[::-1], BOXES, 1.0),
        (BOXES[:2], BOXES, 1.0),
        ([[*BOXES[0][:5], 2.0], *BOXES[1:]], BOXES, 4 / 6),
        ([[5.0, *BOXES[0][1:]], *BOXES[1:]], BOXES, 4 / 6),
        ([BOXES[0], *BOXES], BOXES, 6 / 7),
        ([], BOXES, 0.0),
        ([], [], None),
        ([0.1, 0.9], [0.2, 0.8], 1.0),
        ([0.6, 0.4], [0.2, 0.8], 0.0),
    ],
    ids=[
        "another order", "one at the threshold is missing", "another class", "another place", "one twice",
        "none found again", "none at all", "the same best class", "another best class",
    ],
)  # fmt: skip
def test_a_box_must_be_found_again_with_its_class(ours, theirs, part):
    """What only one side has counts on that side, unless its confidence is near the threshold."""
    assert same_boxes([ours], [theirs], conf=0.25) == pytest.approx(part)


@pytest.mark.parametrize(
    ("rows", "budget", "expected"),
    [
        (ROWS, Budget(), STOCK),
        (ROWS, Budget(max_ms=21), STOCK),
        (ROWS, Budget(max_ms=19), SHUFFLE),
        (ROWS, Budget(max_mb=8.0), LEVEL),
        (ROWS, Budget(max_mb=7.5), GHOST),
        (ROWS, Budget(max_ms=16, min_map=0.35), None),
        ([made("a", "onnx", 3.0, None), made("b", "onnx", 2.0, None)], Budget(), made("b", "onnx", 2.0, None)),
        ([made("a", "onnx", 3.0, None)], Budget(min_map=0.1), None),
    ],
    ids=lambda value: str(value) if isinstance(value, Budget) else "",
)
def test_the_winner_is_the_most_accurate_within_the_budget(rows, budget, expected):
    """Never a file that is wrong, however fast and accurate it seems; without any accuracy the fastest."""
    assert winner(rows, budget) == expected


def test_accuracies_that_differ_by_rounding_alone_are_equal():
    rows = [made("a", "torch", 20.0, 0.40012), made("a", "onnx", 9.0, 0.40009)]
    assert winner(rows, Budget()) is rows[1]
    assert "from 9.0 ms on a as onnx (0.400)." in answer(rows, Budget())[0]


SEEDS = {"seeds": 3, "map_mean": 0.39, "map_spread": 0.02}


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        (ratio_text, STOCK, "–"),
        (ratio_text, GHOST, "1.10× (1.05–1.15)"),
        (ratio_text, LEVEL, "no difference shown (0.98–1.04)"),
        (ratio_text, ratios(1.0, 1.1, 1.2), "no difference shown (1.00–1.20)"),
        (ratio_text, STOCK | {"ratio": 1.2}, "1.20× (fewer than 6 rounds: no interval)"),
        (accuracy_text, STOCK | {"map": None, "accuracy_note": "no weights"}, "no weights"),
        (accuracy_text, STOCK | SEEDS, "0.400 (torch, 3 seeds: 0.390 ± 0.020)"),
        (agreement_text, WRONG, "wrong: boxes differ by 30 px from torch's"),
        (agreement_text, MISSING, "missing: MNN not installed: pip install MNN"),
        (agreement_text, STOCK | {"boxes_px": 0.02, "same_boxes": 1.0}, "ok: boxes 0.02 px, 100% of final boxes"),
    ],
)
def test_a_cell_shows_its_figure_with_what_it_means_or_why_there_is_none(text, row, expected):
    assert text(row) == expected


NOT_FASTER = "Fewer FLOPs, not faster: {} fewer than yolov8n, but its network takes, of yolov8n's time, in onnx: {}."


@pytest.mark.parametrize(
    ("budget", "lines"),
    [
        (
            Budget(),
            [
                "Most accurate for each time allowed: from 15.0 ms on shuffle as onnx (0.300); "
                "from 20.0 ms on yolov8n as onnx (0.400).",
                "shuffle as onnx gives up 0.100 mAP50-95 against yolov8n as onnx.",
                "Smallest: shuffle as onnx, 15.0 ms end to end, 5.0 MB, mAP50-95 0.300.",
                NOT_FASTER.format("ghost has 38%", "1.10× (1.05–1.15)"),
                NOT_FASTER.format("level has 25%", "no difference shown (0.98–1.04)"),
                "Not to be deployed: ghost as ncnn (boxes differ by 30 px from torch's).",
                f"Not measured: shuffle as ncnn ({FAILED['reason']}).",
                "Runtimes that are not here: mnn: MNN not installed: pip install MNN.",
            ],
        ),
        (
            Budget(max_mb=7.5),
            [
                "Within at most 7.5 MB: ghost as onnx, 22.0 ms end to end, 7.0 MB, mAP50-95 0.380.",
                "ghost as onnx gives up 7.0 ms against shuffle as onnx, 0.020 mAP50-95 against yolov8n as onnx, "
                "2.0 MB against shuffle as onnx.",
            ],
        ),
        (
            Budget(max_ms=10, min_map=0.5),
            [
                "Nothing keeps the budget (at most 10 ms, at least 0.5 mAP): best ms 15 (limit 10); "
                "best mAP 0.4 (limit 0.5)."
            ],
        ),
    ],
    ids=str,
)
def test_the_answer_says_what_to_deploy_what_that_gives_up_and_what_not_to_deploy(budget, lines):
    assert answer(ROWS, budget)[: len(lines)] == lines
