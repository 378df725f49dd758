"""The exact Wasserstein-1 distance beside the critic's estimate during training."""

import math
import warnings
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, cast, get_args

import torch
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor, nn

from wgan_lip.data import SampleDataModule, Split
from wgan_lip.evaluation import (
    Evaluation,
    Evaluations,
    Feature,
    FeatureMap,
    axes_of,
    certified_map,
    check_features,
    evaluate,
    name_of,
    principal_axes,
)
from wgan_lip.files import different_scales
from wgan_lip.lipschitz import norm_of
from wgan_lip.randomness import keyed_generator
from wgan_lip.saved import named_value
from wgan_lip.training.callbacks.every_steps import EvaluateEverySteps
from wgan_lip.training.checks import try_network
from wgan_lip.training.ranks import Ranks
from wgan_lip.training.stepped import SteppedModule
from wgan_lip.training.wgan import WassersteinGAN
from wgan_lip.transport import Norm, check_norm

# Training samples that give principal axes, at most.
_AXES_FROM = 4096
# Of samples with more coordinates, by default.
_AXES = 32

# When copies of the critic are fitted to an evaluation's samples.
Fit: TypeAlias = Literal["end", "always", "never"]


class ExactW1(EvaluateEverySteps):
    """Logs the critic's estimate, the exact W1, and the W1 of real and of generated samples against others of the kind.

    At the start, every ``every`` generator steps, and at the end, it draws ``n`` held-out real and ``n_generated``
    generated samples, twice, and logs the values of an :class:`Evaluation` as ``w1/exact``, ``w1/critic``, ..., and
    ``lipschitz/certified``. In ``validate`` and ``test`` it does so once. Values that are not known are not logged.
    The same distances behind each map of ``features`` are logged as ``w1_critic_features/exact``, ``w1_pca_32/exact``
    and so on: lower bounds of ``w1/exact`` that are further above their noise floors.
    Each solve starts from the critic's values or from the potential of the last evaluation (unless samples are
    redrawn), whichever is nearer; the potential is kept in checkpoints, so a resumed run starts from the same one.

    If the module keeps an average of the generator, the same values of its samples, from the same noise, are logged as
    ``w1_averaged/exact`` and so on.

    On several ranks each rank generates and reads its part of the samples; rank 0 solves, and the others wait for the
    result. There the solver has a time budget, so that no rank waits longer than a collective may take. When it is
    spent, ``w1/exact_lower`` and ``w1/exact_upper`` are logged, between which the value is proven to lie, and no
    ``w1/exact``.

    The population bracket holds with probability ``confidence`` for each single evaluation, not for all of them
    together. Its upper end is finite if data module and generator have ``bounds`` of their samples' coordinates. The
    lower bounds ``w1/population_lower_all`` of all evaluations hold together with probability ``(1 + confidence) / 2``,
    as long as ``every`` stays the same; so do those of the averaged generator.

    Args:
        every: number of generator steps between two evaluations.
        n: held-out real samples; at least 2.
        n_generated: generated samples, at least n; None is n. More of them lower the exact W1 and its noise floor, and
            narrow the bracket of the distributions' W1. The training split must hold as many for the noise floor.
        features: 1-Lipschitz maps behind which the samples are compared, too: "critic" is the critic's last hidden
            layer, "pca-K" the first K principal axes of training samples, and a module any map that ``certify`` can
            bound. None is "critic" and "pca-32", where the critic is certified and samples have more coordinates.
        seed: of the samples.
        redraw: draw other samples and noise at each evaluation. By default they are the same throughout the training,
            so that a curve shows the training and not the draws.
        norm: the ground norm; None is the one in which the critic is certified.
        confidence: of the population bracket.
        fit: when copies of the critic are fitted to the samples of the evaluation itself, see :func:`fit_critic`: "end"
            at the last step, and in ``validate`` and ``test``; "always"; or "never". It takes about as long as twenty
            exact solves, and about two minutes at most. ``w1/critic_fitted`` divides the gap: ``w1/gap_unseen`` of it
            is what the critic has not seen of these samples, and ``w1/gap_beyond`` what such critics do not express.
        time_budget: seconds that the solver may take for one evaluation (checked between its steps); None is no limit
            on one rank, and half of the collectives' timeout on several.

    Raises:
        ValueError: a count that is too small, a confidence outside (0, 1), an unknown norm or map, a time budget that
            is not positive; when training starts: a split smaller than n, a data module that is not a
            ``SampleDataModule``, a critic for samples of another shape, a map that is not certified or has more axes
            than there are coordinates, or a time budget not below the collectives' timeout.
    """

    def __init__(
        self,
        every: int = 500,
        n: int = 500,
        seed: int = 0,
        norm: Norm | None = None,
        confidence: float = 0.95,
        redraw: bool = False,
        time_budget: float | None = None,
        n_generated: int | None = None,
        features: Sequence[Feature] | None = None,
        fit: Fit = "end",
    ) -> None:
        if every < 1 or n < 2:
            raise ValueError(f"every must be at least 1 and n at least 2; got every={every}, n={n}")
        if n_generated is not None and n_generated < n:
            raise ValueError(f"n_generated must be at least n; got n_generated={n_generated}, n={n}")
        check_features(features or ())
        if fit not in get_args(Fit):
            raise ValueError(f"fit must be one of {', '.join(get_args(Fit))}; got fit={fit!r}")
        if not 0 < confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1; got confidence={confidence}")
        if norm is not None:
            check_norm(norm)
        if time_budget is not None and not time_budget > 0:
            raise ValueError(f"time_budget must be positive; got time_budget={time_budget}")
        super().__init__(every)
        self._warned = False
        self.n = n
        self.seed = seed
        self.norm = norm
        self.confidence = confidence
        self.redraw = redraw
        self.time_budget = time_budget
        self.n_generated = n if n_generated is None else n_generated
        self.features = None if features is None else tuple(features)
        self.fit = fit
        self._maps: Sequence[FeatureMap] | None = None
        self._same_real: Evaluation | None = None
        # One for the generator, and one for its average.
        self._real_potentials: list[Tensor] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        module, data = _module(pl_module), _data(trainer)
        for split in get_args(Split):
            name = "n_generated" if split == "train" and self.n_generated > self.n else "n"
            needed = getattr(self, name)
            if data.size(split) < needed:
                raise ValueError(
                    f"exact_w1.{name} must be at most {data.size(split)}, the samples of {type(data).__name__}'s "
                    f"{split} split; got {needed}"
                )
        self._same_real = self._maps = None
        # Shapes are checked before the first step.
        made = try_network(module.generator, "generator", module.noise(1, "probe"))
        if tuple(made.shape[1:]) != tuple(data.sample_shape):
            raise ValueError(
                f"the generator makes samples of shape {tuple(made.shape[1:])}; "
                f"{type(data).__name__}'s are {data.sample_shape}"
            )
        try_network(module.critic, "critic", torch.zeros(1, *data.sample_shape, dtype=made.dtype, device=made.device))

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "real_potentials": self._real_potentials}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        # Older checkpoints lack them, and n may have changed.
        kept = state_dict.get("real_potentials", [])
        if not isinstance(kept, list) or not all(isinstance(one, Tensor) and one.ndim == 1 for one in kept):
            raise ValueError(f"ExactW1's real_potentials in the checkpoint must be vectors; got {named_value(kept)}")
        self._real_potentials = [one for one in kept if len(one) == self.n]

    def evaluate(self, trainer: Trainer, module: SteppedModule) -> Evaluations:
        gan, data = _module(module), _data(trainer)
        parts = gan.ranks.on_all(lambda: self._draw(data, gan))
        # Whole on rank 0 only.
        samples = [gan.ranks.gather(part) for part in parts]
        is_last = gan.step >= gan.total_steps or trainer.state.fn != "fit"
        fit = self.fit == "always" or (self.fit == "end" and is_last)
        return gan.ranks.on_rank_zero(lambda: self._compare(data, gan, fit, *cast(list[Tensor], samples)))

    def _draw(self, data: SampleDataModule, gan: WassersteinGAN) -> list[Tensor]:
        """Return this rank's part of held-out and training samples, and twice of each generator's."""
        key = ("exact w1", gan.generator_step if self.redraw else 0)
        mine, stream = gan.ranks.part(self.n_generated), keyed_generator(self.seed, *key)
        real = data.draw("heldout", self.n, stream, gan.ranks.part(self.n))
        other_real = data.draw("train", self.n_generated, stream, mine)
        noises = [mine.of(gan.noise(self.n_generated, *more, self.seed)) for more in (key, (*key, "other"))]
        averaged = (False, True) if gan.averaged else (False,)
        return [real, other_real, *(gan.sample(noise, which) for which in averaged for noise in noises)]

    def _compare(
        self, data: SampleDataModule, gan: WassersteinGAN, fit: bool, real: Tensor, other_real: Tensor, *fakes: Tensor
    ) -> Evaluations:
        self._check_scales(real, fakes[0], getattr(gan.generator, "bounds", None))
        budget, found = self._budget(gan.ranks), []
        pairs = list(zip(fakes[::2], fakes[1::2], strict=True))
        in_critic, maps = self._wanted(data, gan.critic)
        for i, (fake, other_fake) in enumerate(pairs):
            evaluation = evaluate(
                gan.critic,
                real,
                fake,
                other_real,
                other_fake,
                norm=self.norm,
                bounds=data.bounds,
                fake_bounds=getattr(gan.generator, "bounds", None),
                confidence=self.confidence,
                look=self.look(gan),
                in_critic_features=in_critic,
                maps=maps,
                same_real=self._same_real,
                same_critic=i > 0,
                real_potential=self._real_potentials[i].numpy() if i < len(self._real_potentials) else None,
                # Of the generator itself only: it takes long, and the critic is the same.
                fit=fit and i == 0,
                time_budget=None if budget is None else budget / len(pairs),
            )
            # The noise floor is that of real samples: the same for both generators, and for later evaluations.
            self._same_real = evaluation
            found.append(evaluation)
        if self.redraw:
            self._same_real = None
        else:
            self._real_potentials = [torch.from_numpy(one.real_potential) for one in found]
        return Evaluations(*found)

    def _wanted(self, data: SampleDataModule, critic: nn.Module) -> tuple[bool | None, Sequence[FeatureMap]]:
        """Return whether to compare in the critic's features, and the other maps, which stay the same in a training."""
        few = math.prod(data.sample_shape) <= _AXES
        others = (() if few else (f"pca-{_AXES}",)) if self.features is None else self.features
        if self._maps is None:
            norm = self.norm or norm_of(critic) or "l2"
            self._maps = [self._map(one, data, norm) for one in others if one != "critic"]
        return (None if self.features is None else "critic" in self.features), self._maps

    def _map(self, feature: Feature, data: SampleDataModule, norm: Norm) -> FeatureMap:
        axes = axes_of(feature)
        if axes is None:
            return certified_map(name_of(feature), cast(nn.Module, feature), norm)
        stream = keyed_generator(self.seed, "principal axes")
        return principal_axes(data.draw("train", min(data.size("train"), _AXES_FROM), stream), axes, norm)

    def _check_scales(self, real: Tensor, fake: Tensor, bounds: tuple[float, float] | None) -> None:
        """Warn once if data and generator have evidently different scales; bounds are surer than samples."""
        if bounds is not None:
            fake = torch.tensor(bounds).view(2, *(1 for _ in real.shape[1:])).expand(2, *real.shape[1:])
        a, b = (samples.detach().cpu().double().numpy() for samples in (real, fake))
        warning = None if self._warned else different_scales(a, b, ("the data", "the generator's samples"))
        if warning:
            self._warned = True
            warnings.warn(warning, stacklevel=2)

    def _budget(self, ranks: Ranks) -> float | None:
        """Return the seconds for one evaluation, or None."""
        if ranks.size == 1:
            return self.time_budget
        longest = ranks.timeout.total_seconds()
        if self.time_budget is not None and self.time_budget >= longest:
            raise ValueError(
                f"time_budget must be below the strategy's timeout of {longest:g} s, after which waiting ranks fail; "
                f"got time_budget={self.time_budget}"
            )
        return self.time_budget or longest / 2


def _module(pl_module: LightningModule) -> WassersteinGAN:
    if not isinstance(pl_module, WassersteinGAN):
        raise ValueError(f"ExactW1 requires a WassersteinGAN; got {type(pl_module).__name__}")
    return pl_module


def _data(trainer: Trainer) -> SampleDataModule:
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not isinstance(data, SampleDataModule):
        raise ValueError(
            "ExactW1 requires a SampleDataModule; got "
            f"{'plain dataloaders' if data is None else type(data).__name__}: pass datamodule= to the trainer"
        )
    return data
