"""Every block, through one battery: shapes, gradients, saving, tracing, exporting, compiling, fusing, low precision."""

from __future__ import annotations

import copy
import io
import pickle
import warnings

import pytest
import torch
import yolo_plugins as yp
from cases import CASES, Case, randomise
from torch import nn

every_block = pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])


def trained(case: Case) -> nn.Module:
    """The block with batch-norm statistics that are not the initial ones, in eval mode."""
    torch.manual_seed(0)
    return randomise(case())


def image(case: Case, h: int = 17, w: int = 12) -> torch.Tensor:
    return torch.randn(2, case.c1, h, w, generator=torch.Generator().manual_seed(1))


def test_every_registered_block_has_a_case() -> None:
    assert {case.build for case in CASES} == set(yp.BLOCKS.values())


@every_block
@pytest.mark.parametrize(("h", "w"), [(17, 12), (8, 8), (1, 5)])
def test_height_and_width_are_kept_at_stride_1_and_divided_rounding_up_else(case: Case, h: int, w: int) -> None:
    out = trained(case)(image(case, h, w))
    assert out.shape == (2, case.c2, -(-h // case.s), -(-w // case.s))


@every_block
def test_parameter_count_is_the_formulas(case: Case) -> None:
    assert sum(p.numel() for p in case().parameters()) == case.params


@every_block
def test_gradients_reach_every_parameter(case: Case) -> None:
    torch.manual_seed(0)
    block = case().train()
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


@every_block
def test_a_trace_gives_the_same_at_another_image_size(case: Case) -> None:
    block = trained(case)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(block, image(case))
    torch.testing.assert_close(traced(image(case, 10, 14)), block(image(case, 10, 14)))


@every_block
def test_onnx_runtime_gives_the_same(case: Case) -> None:
    runtime = pytest.importorskip("onnxruntime")
    block, x, file = trained(case), image(case), io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(block, (x,), file, dynamo=False)
    session = runtime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    (out,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(out), block(x), atol=1e-4, rtol=1e-4)


@every_block
def test_it_compiles_as_one_graph(case: Case) -> None:
    block, x = trained(case), image(case)
    torch.compiler.reset()
    torch.testing.assert_close(
        torch.compile(block, fullgraph=True, backend="aot_eager")(x), block(x), atol=1e-5, rtol=1e-4
    )


@every_block
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["half", "bfloat16"])
def test_it_runs_in_low_precision(case: Case, dtype: torch.dtype) -> None:
    out = trained(case).to(dtype)(image(case).to(dtype))
    assert out.dtype == dtype
    assert out.isfinite().all()


@every_block
def test_fusing_leaves_no_batch_norm_and_equal_outputs(case: Case) -> None:
    block, x = trained(case), image(case)
    fused = yp.fuse(copy.deepcopy(block))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fused.modules())
    assert (fused(x) - block(x)).abs().max() < 1e-4


@every_block
def test_the_input_is_not_changed(case: Case) -> None:
    block, x = trained(case), image(case)
    for m in block.modules():
        if hasattr(m, "inplace"):  # as Ultralytics sets it on a model's activations
            m.inplace = True
    if case.build is yp.HSwish:
        pytest.skip("in place on request is what an activation is asked for")
    before = x.clone()
    block(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize("name", ["relu", "silu", "hardswish", "identity"])
def test_the_activation_is_an_argument(name: str) -> None:
    x = torch.randn(1, 4, 5, 5)
    conv = yp.ConvBNAct(4, 4, act=name).eval()
    function = {"relu": torch.relu, "silu": nn.functional.silu, "hardswish": nn.functional.hardswish}.get(
        name, lambda y: y
    )
    torch.testing.assert_close(conv(x), function(conv.bn(conv.conv(x))))


def test_a_module_given_as_activation_is_copied_for_each_use() -> None:
    block = yp.DWConv(4, 4, act=nn.PReLU())
    slopes = [m for m in block.modules() if isinstance(m, nn.PReLU)]
    assert len(slopes) == 2
    assert slopes[0] is not slopes[1]
