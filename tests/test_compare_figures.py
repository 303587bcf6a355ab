"""What a comparison computes from plain rows: ratios, agreement, fronts, winners and their wording."""

import subprocess
import sys

import numpy as np
import pytest
from comparison_rows import EIGHT, FAILED, GHOST, LEVEL, MISSING, ROWS, SHUFFLE, STOCK, WRONG, faster, made
from yolo_plugins.comparing import Budget, answer, ratio, warnings, winner
from yolo_plugins.comparing.agreement import disagreement, found_again, lost, raw_differences, same_boxes
from yolo_plugins.comparing.columns import columns


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
    ("before", "after", "expected"),
    [
        ([15.0] * 20 + [150.0] * 20, [10.0] * 20 + [100.0] * 20, (1.5, 1.5, 1.5)),
        ([2.0] * 5, [1.0] * 5, (None, 2.0, None)),
    ],
    ids=["a machine that slows down tenfold half-way", "five pairs are too few for an interval"],
)
def test_how_many_times_as_fast_is_taken_pair_by_pair_and_above_1_where_it_takes_less_time(before, after, expected):
    found = ratio(before, after)
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


def detections(more: int, n: int = 300, seed: int = 0) -> np.ndarray:
    """What a head without NMS gives of one image: boxes, descending scores, classes and `more` of each."""
    random = np.random.default_rng(seed)
    corners, sides = random.uniform(0, 640, (n, 2)), random.uniform(5, 90, (n, 2))
    scores = np.sort(random.uniform(0.2, 0.9, (n, 1)), 0)[::-1]
    rest = random.normal(0, 1, (n, more))
    return np.concatenate([corners, corners + sides, scores, random.integers(0, 80, (n, 1)), rest], 1)[None]


WIDTHS = {"detect": 0, "segment": 32, "obb": 1, "pose": 51}


@pytest.mark.parametrize("task", WIDTHS)
def test_the_detections_of_a_head_without_nms_are_looked_for_wherever_they_are(task):
    theirs = detections(WIDTHS[task])
    theirs[0, 10:20, 4] = theirs[0, 10, 4]
    ours = theirs[:, np.r_[0:10, 19:9:-1, 20:300]]
    assert raw_differences([ours], [theirs], task, nc=80) == pytest.approx(
        {"boxes": 0.0, "scores": 0.0} | ({"masks": 0.0} if WIDTHS[task] else {})
    )


@pytest.mark.parametrize("task", ["detect", "pose"])
def test_a_head_without_nms_is_wrong_where_one_detection_is_another(task):
    theirs = detections(WIDTHS[task])
    for part, column, amount in (("boxes", 2, 3.0), ("scores", 5, 1.0), ("masks", 40, 9.0)):
        if part == "masks" and not WIDTHS[task]:
            continue
        ours = theirs.copy()
        ours[0, 4, column] += amount
        found = raw_differences([ours], [theirs], task, nc=80)
        assert part in disagreement(found, None)


def test_of_detections_that_nearly_were_cut_off_some_may_be_others():
    theirs = detections(0)
    ours = theirs.copy()
    ours[0, 295:, :4] += 50
    assert not disagreement(raw_differences([ours], [theirs], "detect", nc=80), None)
    ours[0, 200:, :4] += 50
    assert "boxes differ" in disagreement(raw_differences([ours], [theirs], "detect", nc=80), None)


def test_detections_that_are_no_numbers_are_wrong():
    found = raw_differences([np.full((1, 300, 7), np.nan)], [detections(1)], "obb", nc=80)
    assert disagreement(found, None) == "boxes differ by inf px from torch's"


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
        (EIGHT, Budget(max_mb=3), EIGHT[1]),
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
    assert answer(rows, Budget()) == [
        "The fastest and most accurate is a in ONNX Runtime: 9.0 ms an image, 6.0 MB, mAP50-95 0.400."
    ]


FAINT = [[0, 0, 10, 10, 0.5, 0], [20, 20, 40, 40, 0.35, 1], [50, 50, 60, 60, 0.06, 0]]


@pytest.mark.parametrize(
    ("ours", "theirs", "share", "shift"),
    [
        (FAINT, BOXES, 1.0, -0.4),
        (BOXES, FAINT, 1.0, 0.425),
        ([[1.0, *FAINT[0][1:]], *FAINT[1:]], BOXES, 1.0, -0.4),
        ([[5.0, *FAINT[0][1:]], *FAINT[1:]], BOXES, 4 / 6, -0.325),
        (FAINT[:1], BOXES, 2 / 3, -0.4),
        ([], [], None, None),
        ([0.3, 0.7], [0.2, 0.8], 1.0, -0.1),
    ],
    ids=[
        "fainter but all there", "stronger", "a side moved by a pixel", "another place", "others lost",
        "none at all", "the same best class",
    ],
)  # fmt: skip
def test_fewer_bits_must_leave_the_boxes_and_may_move_their_confidences(ours, theirs, share, shift):
    """A box near the threshold may be lost; one that is found again counts at whatever confidence."""
    found = found_again([ours], [theirs], conf=0.25)
    assert (found.share, found.shift) == (pytest.approx(share), pytest.approx(shift))
    assert bool(lost(found)) is (share is not None and share < 0.9)


def cells(row: dict, rows: list[dict] = ROWS) -> dict[str, str]:
    """What the table's row shows, by the figure that a column is sorted by."""
    return {column.key: column.plain(row) for column in columns([*rows, *EIGHT])}


@pytest.mark.parametrize(
    ("key", "row", "expected"),
    [
        ("speedup", STOCK, "–"),
        ("speedup", GHOST, "0.91× (0.87–0.95)"),
        ("speedup", STOCK | {"speedup": 1.2}, "1.20×"),
        ("map", STOCK | {"map": None, "accuracy_note": "no weights"}, "–"),
        ("map", STOCK | {"seeds": 3, "map_mean": 0.39, "map_spread": 0.02}, "0.400 (3 seeds in torch: 0.390 ± 0.020)"),
        ("state", WRONG, "wrong"),
        ("state", MISSING, "not installed"),
        ("state", STOCK | {"boxes_px": 0.02, "same_boxes": 1.0}, "ok (boxes 0.02 px, 100% of boxes)"),
        ("state", EIGHT[2] | {"boxes_px": 90.0}, "ok (97% of boxes)"),
        ("state", EIGHT[2] | {"same_boxes": None}, "not judged"),
        ("format", EIGHT[3], "ONNX Runtime (8 bits by yolo-plugins)"),
        ("own_speedup", EIGHT[2], "1.65× (1.57–1.73)"),
        ("conf_shift", EIGHT[2], "−0.20"),
        ("conf_shift", EIGHT[2] | {"conf_shift": -0.001}, "0.00"),
        ("best_conf", EIGHT[2], "0.21"),
        ("network_ms", STOCK, "10.0 (9.0–11.0)"),
    ],
)
def test_a_cell_shows_its_figure_with_what_it_means(key, row, expected):
    assert cells(row)[key] == expected


def test_a_speed_is_grey_where_its_interval_spans_1_or_is_not_known():
    (speed,) = [column for column in columns(ROWS) if column.key == "speedup"]
    rows = [STOCK, GHOST, LEVEL, made("x", "onnx", 9.0, None, **faster(1.0, 1.1, 1.2)), GHOST | {"speedup_low": None}]
    assert [speed.level(row) for row in rows] == [False, False, True, True, True]


def test_columns_without_any_figure_are_left_out():
    headings = [column.heading for column in columns([made("a", "onnx", 3.0, None)])]
    assert headings[:3] == ["model", "runtime", "ms"]


NOT_FASTER = "{} fewer FLOPs than yolov8n and is not faster for it: {} in ONNX Runtime (the network alone)."
STOCK_SAID = "yolov8n in ONNX Runtime: 20.0 ms an image, 12.0 MB, mAP50-95 0.400."
SHUFFLE_SAID = (
    "shuffle in ONNX Runtime: 1.33 times as fast as yolov8n, 5.0 MB, 10 points less accurate (mAP50-95 0.300)."
)
LITE_SAID = "lite in ONNX Runtime: 3.1 times as fast as yolov8n, 3.1 MB, accuracy not known."


@pytest.mark.parametrize(
    ("budget", "lines"),
    [
        (
            Budget(),
            [
                f"The most accurate is {STOCK_SAID}",
                f"In between is {SHUFFLE_SAID}",
                f"The fastest is {LITE_SAID}",
                NOT_FASTER.format("ghost has 38 %", "0.91 times as fast"),
                NOT_FASTER.format("level has 25 %", "no measurable difference"),
            ],
        ),
        (
            Budget(max_mb=7.5),
            [
                "Within at most 7.5 MB, deploy ghost in ONNX Runtime: slower than yolov8n (0.91 times as fast), "
                "7.0 MB, 2 points less accurate (mAP50-95 0.380).",
                f"The most accurate is {STOCK_SAID}",
            ],
        ),
        (
            Budget(min_map=0.395),
            [f"Within at least 0.395 mAP, deploy {STOCK_SAID}", f"In between is {SHUFFLE_SAID}"],
        ),
        (
            Budget(max_ms=10, min_map=0.5),
            [
                "No file keeps the budget of at most 10 ms and at least 0.5 mAP: the fastest takes 6.5 ms, "
                "the most accurate reaches 0.4."
            ],
        ),
    ],
    ids=str,
)
def test_the_answer_says_in_plain_sentences_what_to_deploy_and_what_it_costs(budget, lines):
    assert answer(ROWS, budget)[: len(lines)] == lines


def test_what_is_not_told_apart_from_the_first_model_is_not_called_faster():
    rows = [STOCK, LEVEL | {"map": 0.41, "mb": 3.0}]
    assert answer(rows, Budget())[0] == (
        "The most accurate is level in ONNX Runtime: not measurably faster or slower than yolov8n, 3.0 MB, "
        "1 point more accurate (mAP50-95 0.410)."
    )


def test_a_task_is_named_where_there_are_several():
    said = answer([STOCK, made("seg", "onnx", 9.0, 0.3, task="segment")], Budget())
    assert said[0].startswith("detect: yolov8n in ONNX Runtime: ")
    assert said[1] == "segment: seg in ONNX Runtime: 9.0 ms an image, 6.0 MB, mask mAP50-95 0.300."


def test_warnings_are_told_once_and_not_in_the_cells():
    assert warnings(ROWS) == [
        "Wrong, not to be deployed: ghost in NCNN (boxes differ by 30 px from torch's).",
        f"Not measured: shuffle in NCNN ({FAILED['reason']}).",
        "Not to be run here: MNN (MNN not installed: pip install MNN).",
        "No accuracy: lite (no weights).",
        "Speeds in grey show no difference: their interval spans 1.",
    ]
    few = [row | {"rounds": 5, "map": None, "accuracy_note": "no data"} for row in (STOCK, GHOST)]
    assert warnings(few) == [
        "No accuracy: no labelled data was given.", "Fewer than 6 rounds were timed: speeds have no interval."
    ]  # fmt: skip


def test_what_fewer_bits_bring_and_cost_is_said_in_words():
    """Slower included; a file that is wrong is not praised."""
    said = answer(EIGHT, Budget())
    assert said[-4:] == [
        "ONNX Runtime with 16 bits by Ultralytics is slower than 32 bits here (0.80 times as fast), "
        "and no less accurate.",
        "ONNX Runtime with 8 bits by Ultralytics is faster than 32 bits here (1.65 times as fast), "
        "and 5 points less accurate.",
        "Its confidences move, so it needs other thresholds: "
        "yolov8n lower by 0.20, best threshold 0.21 instead of 0.45.",
        "ONNX Runtime with 8 bits by yolo-plugins is faster than 32 bits here for yolov8n (1.60 times as fast) "
        "and not measurably faster or slower for shuffle, and at most 0.5 points less accurate (yolov8n).",
    ]
    assert "NCNN has no 8 bits." in warnings(EIGHT)
