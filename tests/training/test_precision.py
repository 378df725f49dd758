"""Every precision of Lightning's trains every kind of network on the CPU, or says in one sentence what is wanted."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.plugins.precision import TransformerEnginePrecision
from torch import nn

from tests.training.precisions import ALIASES, MIXED, TRAINED, TRUE, train
from tests.training.test_resume import CutOff, CutOffError, same_state
from wgan_lip.data import Digits
from wgan_lip.data.loader import TensorSamples
from wgan_lip.lipschitz import Cayley, MaxMin, OrthogonalLinear, certify
from wgan_lip.networks import MLPCritic, MLPGenerator
from wgan_lip.training import ExponentialAverage, W1Estimator, WassersteinGAN
from wgan_lip.training.checks import check_precision

pytestmark = [
    # Lightning says that it takes bfloat16 for float16 on a CPU, and that it has other names for a precision.
    pytest.mark.filterwarnings("ignore:You passed .*precision='16-mixed'.* but AMP with fp16 is not supported"),
    pytest.mark.filterwarnings("ignore:.*is supported for historical reasons"),
]

FAST = (
    ("WGAN-GP, MLP", "bf16-mixed"),
    ("WGAN-LP, convolutional", "16-mixed"),
    ("WGAN-GP, residual", 16),
    ("Lipschitz WGAN, residual", "bf16-true"),
    ("Lipschitz WGAN, MLP", "bf16-mixed"),
    ("reshaped Bjorck, MLP", "bf16-true"),
    ("estimator", "bf16-true"),
    ("estimator, StiefelAdam", "16-true"),
    ("estimator, gradient penalty", "bf16"),
    ("estimator, averaged", "bf16-true"),
    ("classifier, hinge", "bf16-true"),
    ("classifier, PGD in l2", "bf16-mixed"),
)


def check_training(folder: Path, name: str, precision: Any) -> None:
    module = TRAINED[name]()
    logged = train(folder, module, precision=precision)
    assert module.step == module.total_steps
    numbers = [float(value) for row in logged for value in row.values() if value]
    assert all(math.isfinite(number) for number in numbers)
    evaluated = [row for row in logged if row.get("w1/gap") or row.get("accuracy/clean")]
    assert len(evaluated) == module.total_steps + 1
    for row in evaluated:
        if "accuracy/clean" not in row:
            # In float64, of the critic as it is: a lower bound but for rounding of float64.
            assert float(row["w1/gap"]) >= -1e-9
    network = getattr(module, "critic", None) or module.network
    if isinstance(module, W1Estimator):
        network = module.final_critic()
    float64 = copy.deepcopy(network).double().eval()
    # What is certified is the function that the stored weights define, in float64.
    assert float(evaluated[-1]["lipschitz/certified"]) == certify(float64, getattr(module, "norm", None)).bound


@pytest.mark.parametrize(("name", "precision"), FAST)
def test_some_kinds_in_some_precisions(name, precision, tmp_path):
    check_training(tmp_path, name, precision)


@pytest.mark.slow
@pytest.mark.parametrize("precision", [*TRUE, *MIXED])
@pytest.mark.parametrize("name", TRAINED)
def test_every_kind_in_every_precision(name, precision, tmp_path):
    check_training(tmp_path, name, precision)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ALIASES)
@pytest.mark.parametrize("name", ["WGAN-GP, MLP", "Lipschitz WGAN, MLP", "estimator", "classifier, margin"])
def test_every_alias_of_a_precision(name, precision, tmp_path):
    check_training(tmp_path, name, precision)


@pytest.mark.parametrize("name", ["WGAN-GP, MLP", "WGAN (clipping), convolutional", "Lipschitz WGAN, MLP"])
def test_float16_says_which_precision_trains_with_adam(name, tmp_path):
    with pytest.raises(ValueError, match=r"Adam has eps=1e-08, which is 0 in torch.float16: train with .* bf16-true"):
        train(tmp_path, TRAINED[name](), precision="16-true")


def test_float16_trains_where_eps_is_a_number(tmp_path):
    module = TRAINED["WGAN-GP, MLP"]()
    for role in ("critic_optimizer", "generator_optimizer"):
        setattr(module, role, lambda parameters: torch.optim.Adam(parameters, lr=1e-4, eps=1e-3))
    train(tmp_path, module, precision="16-true")
    assert module.generator_step == 2
    assert {p.dtype for p in module.critic.parameters()} == {torch.float16}


def test_orthogonal_layers_are_orthogonal_to_the_precision_of_bfloat16(tmp_path):
    module = TRAINED["Lipschitz WGAN, MLP"]()
    train(tmp_path, module, precision="bf16-true")
    for layer in module.critic:
        if isinstance(layer, OrthogonalLinear):
            assert layer.weight.dtype == torch.bfloat16
            values = torch.linalg.svdvals(layer.weight.detach().double())
            # Each entry is off by half an eps of it, so the matrix by half an eps of its Frobenius norm.
            allowed = torch.finfo(torch.bfloat16).eps / 2 * math.sqrt(min(layer.weight.shape)) + 1e-5
            assert float((values - 1).abs().max()) <= allowed


@pytest.mark.parametrize("name", ["Lipschitz WGAN, MLP", "estimator, averaged"])
def test_a_resume_in_bfloat16_is_exact(name, tmp_path):
    whole = TRAINED[name]()
    for folder in ("whole", "cut"):
        (tmp_path / folder).mkdir()
    train(tmp_path / "whole", whole, precision="bf16-true")
    with pytest.raises(CutOffError):
        train(tmp_path / "cut", TRAINED[name](), precision="bf16-true", callbacks=[CutOff(2)])
    resumed = TRAINED[name]()
    last = tmp_path / "cut" / "checkpoints" / "last.ckpt"
    train(tmp_path / "cut", resumed, precision="bf16-true", ckpt_path=last)
    assert same_state(resumed.state_dict(), whole.state_dict())
    for ours, theirs in zip(resumed.trainer.optimizers, whole.trainer.optimizers, strict=True):
        assert same_state(ours.state_dict(), theirs.state_dict())


def test_an_average_is_not_rounded_to_half_precision():
    gan = TRAINED["WGAN-GP, MLP"]()
    gan.generator_average = ExponentialAverage(0.999)
    gan.to(torch.bfloat16)
    assert {p.dtype for p in gan.generator.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in gan.averaged.parameters()} == {torch.float32}
    before = [p.clone() for p in gan.averaged.parameters()]
    with torch.no_grad():
        for p in gan.generator.parameters():
            p.add_(0.0625)
    gan.generator_average.update_(gan.averaged, gan.generator, 10_000)
    for old, new, target in zip(before, gan.averaged.parameters(), gan.generator.parameters(), strict=True):
        # In bfloat16 an entry of 0.1 would not have moved at all.
        torch.testing.assert_close(new, old + 1e-3 * (target.float() - old))
    assert gan.sample(gan.noise(3, "average"), averaged=True).dtype == torch.float32


def test_noise_of_half_precision_is_that_of_float32_rounded():
    gan = TRAINED["WGAN-GP, MLP"]().to(torch.bfloat16)
    outside = gan.noise(500, "draws")
    before = torch.get_default_dtype()
    # As Lightning does it while a step is taken in bf16-true.
    torch.set_default_dtype(torch.bfloat16)
    try:
        inside = gan.noise(500, "draws")
    finally:
        torch.set_default_dtype(before)
    assert torch.equal(inside, outside)


class CastDigits(Digits):
    """The digits as numbers of another kind."""

    def __init__(self, dtype: torch.dtype, **options: Any) -> None:
        super().__init__(batch_size=20, **options)
        self.dtype = dtype

    def load(self):
        return {name: TensorSamples(data.samples.to(self.dtype)) for name, data in super().load().items()}


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "bf16-true"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_data_of_any_kind_of_number_train(dtype, precision, tmp_path):
    module = TRAINED["WGAN-GP, MLP"]()
    logged = train(tmp_path, module, CastDigits(dtype), precision=precision)
    assert module.step == 2
    assert all(float(row["w1/gap"]) >= -1e-9 for row in logged if row["w1/gap"])
    generated = [row["gradient_norm/generated/input"] for row in logged if row["gradient_norm/generated/input"]]
    assert all(float(value) > 0 for value in generated)


def test_pixels_of_another_scale_are_one_sentence(tmp_path):
    with (
        pytest.warns(UserWarning, match=r"the numbers in the data are on the scale 0\.\.255"),
        pytest.raises(ValueError, match="real samples must lie within their bounds"),
    ):
        train(tmp_path, TRAINED["WGAN-GP, MLP"](), CastDigits(torch.uint8))


def cayley_gan() -> WassersteinGAN:
    critic = MLPCritic((1, 8, 8), 8, 1, lambda m, n: OrthogonalLinear(m, n, constraint=Cayley()), MaxMin)
    return WassersteinGAN(critic, MLPGenerator((1, 8, 8), 6, 8, 1), generator_steps=1, n_critic=1)


@pytest.mark.parametrize("precision", ["bf16-true", "16-true"])
def test_half_precision_is_none_for_cayley(precision, tmp_path):
    with pytest.raises(ValueError, match=f"trainer.precision {precision} is not supported by layers with Cayley"):
        train(tmp_path, cayley_gan(), precision=precision)


@pytest.mark.parametrize("precision", MIXED)
def test_cayley_trains_in_mixed_precision(precision, tmp_path):
    certified = [row["lipschitz/certified"] for row in train(tmp_path, cayley_gan(), precision=precision)]
    assert all(float(bound) < 1 + 1e-5 for bound in certified if bound)


def test_precisions_that_replace_layers_are_refused(tmp_path):
    # It cannot be built where its package is missing.
    plugin = TransformerEnginePrecision.__new__(TransformerEnginePrecision)
    plugin.precision = "transformer-engine"
    with pytest.raises(ValueError, match="precision transformer-engine replaces layers by its own"):
        check_precision(plugin, TRAINED["estimator"]())


@pytest.mark.parametrize("part", ["critic", "generator"])
def test_networks_on_the_meta_device_are_refused(part):
    networks = {"critic": MLPCritic((1, 8, 8), 8, 1), "generator": MLPGenerator((1, 8, 8), 6, 8, 1)}
    networks[part].to("meta")
    with pytest.raises(ValueError, match=f"{part} must hold values, but its .* lies on the meta device"):
        WassersteinGAN(**networks)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_networks_built_under_another_default_dtype_train(dtype, tmp_path):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        module = TRAINED["Lipschitz WGAN, MLP"]()
        logged = train(tmp_path, module)
    finally:
        torch.set_default_dtype(before)
    assert {p.dtype for p in module.critic.parameters()} == {dtype}
    assert all(float(row["w1/gap"]) >= -1e-9 for row in logged if row["w1/gap"])


def test_a_network_of_another_dtype_than_the_module_is_one_sentence(tmp_path):
    gan = WassersteinGAN(MLPCritic((1, 8, 8), 8, 1).double(), MLPGenerator((1, 8, 8), 6, 8, 1), generator_steps=1)
    assert isinstance(gan.critic, nn.Module)
    with pytest.raises(ValueError, match=r"float64|Double|double"):
        train(tmp_path, gan)
