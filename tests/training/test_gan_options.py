"""What a WassersteinGAN takes besides its networks: penalties, averages, clipping, parts of batches, labels."""

import copy

import pytest
import pytorch_lightning as pl
import torch

from tests.training.builders import fit, tiny_gan
from tests.training.test_resume import same_state
from wgan_lip.lipschitz import ConstrainedLinear, GradientPenalty, Unconstrained, WeightClipping, certify
from wgan_lip.networks import DCGANGenerator, MLPCritic, MLPGenerator
from wgan_lip.report import read_history
from wgan_lip.training import ExponentialAverage, WassersteinGAN


def free_critic() -> MLPCritic:
    """Without constraints, with a function that ``certify`` can bound."""
    return MLPCritic((1, 8, 8), 16, 2, linear=lambda m, n: ConstrainedLinear(m, n, Unconstrained(), initial="uniform"))


def test_a_gradient_penalty_holds_the_gradient_near_one(tmp_path):
    def slope(penalty) -> float:
        gan = tiny_gan(generator_steps=150, penalty=penalty, linear_decay=False)
        gan.critic = free_critic()
        gan._trained["critic"] = gan.critic
        fit(tmp_path / str(penalty is None), gan=gan, every=150)
        return read_history(tmp_path / str(penalty is None) / "metrics.csv").having("w1/seconds")[-1]["w1/uncertified"]

    free, held = slope(None), slope(GradientPenalty(10.0))
    # Nothing holds the first critic; the second one's estimate is about that of a 1-Lipschitz one.
    assert free > 10 * held


def test_the_penalty_is_drawn_from_the_seed_and_the_step(tmp_path):
    runs = []
    for i in range(2):
        gan = tiny_gan(generator_steps=4, penalty=GradientPenalty(10.0, one_sided=True))
        runs.append(fit(tmp_path / str(i), gan=gan))
    assert same_state(runs[0].state_dict(), runs[1].state_dict())


def test_clipped_weights_stay_clipped_and_prove_little(tmp_path):
    torch.manual_seed(0)
    critic = MLPCritic((1, 8, 8), 16, 2, linear=lambda m, n: ConstrainedLinear(m, n, WeightClipping(0.05)))
    gan = WassersteinGAN(critic, MLPGenerator((1, 8, 8), 8, 16, 1), n_critic=2, generator_steps=5)
    fit(tmp_path, gan=gan)
    assert all(
        float(layer.weight.detach().abs().max()) <= 0.05 + 1e-8 for layer in gan.critic if hasattr(layer, "weight")
    )
    last = read_history(tmp_path / "metrics.csv").having("w1/seconds")[-1]
    assert last["w1/critic"] <= last["w1/exact"]
    assert (last["w1/uncertified"] is None) == (certify(gan.critic).bound <= 1.01)


def test_the_average_of_the_generator_is_its_mean_over_the_run(tmp_path):
    """A short run's average is the plain mean of the generators after each step, batch statistics too."""
    seen = []

    class Keep(pl.Callback):
        def on_train_batch_end(self, trainer, pl_module, *_):
            if pl_module.critic_step % pl_module.n_critic == 0:
                seen.append(copy.deepcopy(pl_module.generator.state_dict()))

    torch.manual_seed(0)
    gan = WassersteinGAN(
        tiny_gan().critic,
        DCGANGenerator((1, 8, 8), 8, 4),
        n_critic=2,
        generator_steps=6,
        generator_average=ExponentialAverage(),
    )
    fit(tmp_path, Keep(), gan=gan)
    assert len(seen) == 6
    for name, value in gan.averaged.state_dict().items():
        if value.is_floating_point():
            expected = torch.stack([state[name] for state in seen]).mean(0)
            torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-6)
        else:
            assert torch.equal(value, seen[-1][name])
    assert not same_state(gan.averaged.state_dict(), gan.generator.state_dict())
    noise = gan.noise(5, "test")
    assert not torch.equal(gan.sample(noise), gan.sample(noise, averaged=True))


def test_the_average_is_evaluated_beside_the_generator(tmp_path):
    fit(tmp_path, gan=tiny_gan(generator_steps=10, generator_average=ExponentialAverage(0.9)))
    rows = read_history(tmp_path / "metrics.csv").having("w1/seconds")
    assert rows[0]["w1_averaged/exact"] == pytest.approx(rows[0]["w1/exact"])
    assert all(row["w1_averaged/exact"] is not None for row in rows)
    assert rows[-1]["w1_averaged/exact"] != rows[-1]["w1/exact"]


def test_keeping_an_average_does_not_change_the_training(tmp_path):
    plain = fit(tmp_path / "plain", gan=tiny_gan(generator_steps=5))
    kept = fit(tmp_path / "kept", gan=tiny_gan(generator_steps=5, generator_average=ExponentialAverage()))
    assert same_state(plain.generator.state_dict(), kept.generator.state_dict())


def test_without_an_average_there_is_none_to_sample():
    gan = tiny_gan()
    with pytest.raises(ValueError, match="requires generator_average"):
        gan.sample(gan.noise(1, "x"), averaged=True)


def test_a_batch_in_parts_is_the_same_step(tmp_path):
    runs = []
    for i, parts in enumerate((1, 3)):
        gan = tiny_gan(generator_steps=5, accumulate=parts).double()
        runs.append(fit(tmp_path / str(i), gan=gan, precision="64-true"))
    for a, b in zip(runs[0].parameters(), runs[1].parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


def test_gradients_are_clipped(tmp_path):
    norms = []

    class Look(pl.Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            norms.append(float(torch.linalg.vector_norm(torch.cat([g.flatten() for g in gradients]))))

    fit(tmp_path / "free", Look(), gan=tiny_gan(generator_steps=3))
    free, norms[:] = list(norms), []
    fit(tmp_path / "clipped", Look(), gan=tiny_gan(generator_steps=3, gradient_clip=0.5 * min(free)))
    assert max(norms) <= 0.5 * min(free) * (1 + 1e-4)


def test_a_diverged_training_is_named(tmp_path):
    gan = tiny_gan(log_every=1, critic_optimizer=lambda p: torch.optim.SGD(p, lr=1e30))
    gan.critic = free_critic()
    gan._trained["critic"] = gan.critic
    with pytest.raises(ValueError, match=r"the training diverged|hold NaN or infinity"):
        fit(tmp_path, gan=gan, every=1000)


def test_labels_come_with_the_noise():
    gan = tiny_gan()
    gan.classes = 3
    noise = gan.noise(300, "labels")
    assert noise.shape == (300, 8 + 3)
    labels = noise[:, 8:]
    assert torch.equal(labels.sum(1), torch.ones(300))
    assert int(labels.sum(0).min()) > 60
    gan.classes = 0
    assert torch.equal(gan.noise(300, "labels"), noise[:, :8])


def test_half_precision_keeps_the_certificate(tmp_path):
    gan = fit(tmp_path, gan=tiny_gan(generator_steps=10), precision="bf16-mixed")
    assert {p.dtype for p in gan.parameters()} == {torch.float32}
    rows = read_history(tmp_path / "metrics.csv").having("w1/seconds")
    assert all(row["lipschitz/certified"] <= 1 + 1e-5 and row["w1/critic"] <= row["w1/exact"] for row in rows)
    other = fit(tmp_path / "full", gan=tiny_gan(generator_steps=10))
    assert not same_state(gan.state_dict(), other.state_dict())


# PyTorch's compiler looks at attributes of tensors of which PyTorch warns.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.slow
def test_compiled_training_is_the_same(tmp_path):
    plain = fit(tmp_path / "plain", gan=tiny_gan(generator_steps=5))
    compiled = fit(tmp_path / "compiled", gan=tiny_gan(generator_steps=5, compile=True))
    for a, b in zip(plain.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_bad_options_are_named():
    for name, value in (("accumulate", 0), ("gradient_clip", 0.0)):
        with pytest.raises(ValueError, match=f"{name}={value}"):
            tiny_gan(**{name: value})
