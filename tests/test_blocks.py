"""Every block, through one battery: shapes, gradients, saving, tracing, exporting, compiling, fusing, low precision."""

import copy
import io
import math
import pickle

import pytest
import torch
import yolo_plugins as yp
from cases import CASES, Case, randomise
from conftest import export_onnx, mostly_slow
from torch import nn

every_block = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


def trained(case: Case) -> nn.Module:
    """The block with batch-norm statistics that are not the initial ones, in eval mode."""
    torch.manual_seed(0)
    return randomise(case())


def image(case: Case, h: int = 17, w: int = 12) -> torch.Tensor:
    return torch.randn(2, case.channels, h, w, generator=torch.Generator().manual_seed(1))


def test_every_registered_block_has_a_case() -> None:
    import yolo_plugins.networks  # noqa: F401  registers its stages

    heads = {cls for cls in yp.BLOCKS.values() if "ultralytics" in str(cls.__mro__)}
    assert {case.build for case in CASES} == set(yp.BLOCKS.values()) - heads - {yp.Timm}  # tests/test_timm.py


STAGES = {
    "C2fGhost": ("C2f", "GhostBottleneck", None),
    "C2fDW": ("C2f", "DWConv", None),
    "C2fShuffle": ("C2f", "ShuffleUnit(g=2)", None),
    "C2fSE": ("C2f", "ConvBNAct", "SE"),
}


@pytest.mark.parametrize("shortcut", [False, True])
@pytest.mark.parametrize(("name", "row"), STAGES.items(), ids=STAGES)
def test_a_named_stage_is_a_row_of_its_inner_block_and_gate(name: str, row: tuple[str, ...], shortcut: bool) -> None:
    stage, inner, gate = row
    named = randomise(yp.BLOCKS[name](16, 32, 2, shortcut))
    composed = yp.BLOCKS[stage](16, 32, 2, shortcut, inner, gate).eval()
    composed.load_state_dict(named.state_dict())
    x = torch.randn(1, 16, 9, 7)
    torch.testing.assert_close(composed(x), named(x))


@pytest.mark.parametrize(
    ("name", "args"), [("C2f", (2, True)), ("C3", (2, True)), ("C3k2", (2, False)), ("C3k2", (1, True))]
)
def test_a_plain_stage_is_ultralytics_own(name: str, args: tuple[object, ...]) -> None:
    modules = pytest.importorskip("ultralytics.nn.modules")
    if not hasattr(modules, name):
        pytest.skip(f"this Ultralytics has no {name}")
    stock = randomise(getattr(modules, name)(16, 32, *args))
    ours = yp.BLOCKS[name](16, 32, *args).eval()
    ours.load_state_dict(stock.state_dict())
    for m in ours.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.eps = 1e-5
    x = torch.randn(1, 16, 9, 7)
    torch.testing.assert_close(ours(x), stock(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("inner", "gate", "message"),
    [
        ("GostBottleneck", None, "no block is called 'GostBottleneck'; did you mean GhostBottleneck"),
        ("C2fGhost", None, "C2fGhost cannot be an inner block"),
        ("SE", None, "SE cannot be an inner block"),
        ("DWConv", "DWConv", r"DWConv is no gate; gates are SE, SqueezeExcite"),
        ("DWConv(3)", None, r"'DWConv\(3\)' names no block; write one as GhostBottleneck or ShuffleUnit\(g=4\)"),
        ("DWConv(q=3)", None, "DWConv has no argument q; it has k, s, d, act"),
        ("ShuffleUnit(g=3)", None, "cannot be divided into 3 groups"),
        (7, None, "'7' names no block|7 names no block"),
    ],
)
def test_a_part_that_does_not_fit_is_refused_by_name(inner: object, gate: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        yp.C2f(16, 32, 1, True, inner, gate)


@every_block
@pytest.mark.parametrize(("h", "w"), [(17, 12), (8, 8), (1, 5)])
def test_height_and_width_are_kept_at_stride_1_divided_rounding_up_or_multiplied(case: Case, h: int, w: int) -> None:
    out = trained(case)(image(case, h, w))
    assert out.shape == (2, case.c2, math.ceil(h / case.s), math.ceil(w / case.s))


@every_block
def test_parameter_count_is_the_formulas(case: Case) -> None:
    assert sum(p.numel() for p in case().parameters()) == case.params


@every_block
def test_gradients_reach_every_parameter(case: Case) -> None:
    block = trained(case)
    for training in (False, True):  # a bias before a batch norm that is training has none but by rounding
        block.train(training)
        (block(image(case).requires_grad_()) * torch.randn(1, case.c2, 1, 1)).square().sum().backward()
    without = [name for name, p in block.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not without


@every_block
def test_a_state_dict_and_a_pickle_bring_the_block_back(case: Case) -> None:
    block, x = trained(case), image(case)
    other = case().eval()
    other.load_state_dict(block.state_dict())
    torch.testing.assert_close(other(x), block(x))
    torch.testing.assert_close(pickle.loads(pickle.dumps(block))(x), block(x))


@pytest.mark.parametrize("case", mostly_slow(CASES, CASES[::4]), ids=lambda case: case.id)
@pytest.mark.filterwarnings("ignore")  # the exporter's, of branches by shape
def test_a_trace_gives_the_same_at_another_image_size(case: Case) -> None:
    block = trained(case)
    traced = torch.jit.trace(block, image(case))
    torch.testing.assert_close(traced(image(case, 10, 14)), block(image(case, 10, 14)))


@every_block
@pytest.mark.filterwarnings("ignore")  # the exporter's, of branches by shape
def test_onnx_runtime_gives_the_same(case: Case) -> None:
    runtime = pytest.importorskip("onnxruntime")
    block, x, file = trained(case), image(case), io.BytesIO()
    export_onnx(block, (x,), file)
    session = runtime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    (out,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(out), block(x), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("case", mostly_slow(CASES, CASES[::16]), ids=lambda case: case.id)
def test_it_compiles_as_one_graph(case: Case) -> None:
    block, x = trained(case), image(case)
    torch.compiler.reset()
    compiled = torch.compile(block, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), block(x), atol=1e-5, rtol=1e-4)


@every_block
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["half", "bfloat16"])
def test_it_runs_in_low_precision(case: Case, dtype: torch.dtype) -> None:
    if torch.__version__.startswith("2.1.") and (dtype is torch.float16 or case.build is yp.DySample):
        pytest.skip("on the CPU torch convolves in half, and samples a grid in bfloat16, from 2.2 on")
    out = trained(case).to(dtype)(image(case).to(dtype))
    assert out.dtype == dtype
    assert out.isfinite().all()


@every_block
def test_fusing_leaves_no_batch_norm_and_equal_outputs(case: Case) -> None:
    block, x = trained(case), image(case)
    fused = yp.fuse(copy.deepcopy(block))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fused.modules())
    assert (fused(x) - block(x)).abs().max() < 1e-4


@pytest.mark.parametrize("case", [case for case in CASES if case.build is not yp.HSwish], ids=lambda case: case.id)
def test_the_input_is_not_changed(case: Case) -> None:
    block, x = trained(case), image(case)
    for m in block.modules():
        if hasattr(m, "inplace"):  # as Ultralytics sets it on a model's activations
            m.inplace = True
    before = x.clone()
    block(x)
    assert torch.equal(x, before)


ACTIVATIONS = {"relu": nn.ReLU(), "silu": nn.SiLU(), "hardswish": nn.Hardswish(), "identity": nn.Identity()}


@pytest.mark.parametrize(("name", "function"), ACTIVATIONS.items(), ids=ACTIVATIONS)
def test_the_activation_is_an_argument(name: str, function: nn.Module) -> None:
    x = torch.randn(1, 4, 5, 5)
    conv = yp.ConvBNAct(4, 4, act=name).eval()
    torch.testing.assert_close(conv(x), function(conv.bn(conv.conv(x))))


def test_a_module_given_as_activation_is_copied_for_each_use() -> None:
    block = yp.DWConv(4, 4, act=nn.PReLU())
    assert len([m for m in block.modules() if isinstance(m, nn.PReLU)]) == 2
