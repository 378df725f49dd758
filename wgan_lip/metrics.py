"""The metrics that trainings log: name, label, meaning, unit, error, and the panel of the page that draws each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Metric:
    """A number that a training logs.

    Attributes:
        name: in metrics.csv and in Weights & Biases; ``*`` stands for a layer, a radius or the like.
        label: in the legend of a figure.
        meaning: what it is.
        unit: what it is measured in, which titles its axis.
        panel: the panel of the page that draws it; "" if none does.
        error: the metric that is its standard error; "" where none is logged.
        ends: the metrics that are the ends of its confidence interval; empty where none are logged.
    """

    name: str
    label: str
    meaning: str
    unit: str
    panel: str = ""
    error: str = ""
    ends: tuple[str, ...] = ()

    def of(self, what: str) -> "Metric":
        """The metric of one layer, radius or the like.

        Args:
            what: stands in place of ``*``.
        """
        name, label, error = (text.replace("*", what) for text in (self.name, self.label, self.error))
        return replace(
            self, name=name, label=label, error=error, ends=tuple(end.replace("*", what) for end in self.ends)
        )


Metrics = Mapping[str, Metric]

DISTANCE, GRADIENT, RATIO, SHARE, SECONDS = "Wasserstein-1 distance", "gradient norm", "ratio", "share", "seconds"
_RADIUS = "radius, pixels in [0, 1]"


def listed(metrics: Iterable[Metric]) -> dict[str, Metric]:
    """Metrics by their names.

    Args:
        metrics: with different names.
    """
    return {metric.name: metric for metric in metrics}


_TRAINING_STEP = Metric(
    "train/seconds", "a training step", "wall time of a step, without evaluations; a mean", SECONDS, "times"
)
_CERTIFIED = Metric(
    "lipschitz/certified",
    "L, at most",
    "the certified Lipschitz constant L of the critic or the classifier: an upper bound",
    RATIO,
    "certificate",
)
_TRAINING_ESTIMATE = Metric(
    "train/w1_critic",
    "critic's estimate of a batch",
    "the critic's estimate on a training batch; proves nothing",
    DISTANCE,
    "training",
)
_GRADIENT_NORM = Metric(
    "gradient_norm/*",
    "*",
    "norm of the network's gradient at the input or after a layer (`POINTS/PLACE`); a mean over points",
    GRADIENT,
    "gradient-input",
    error="gradient_norm/*_standard_error",
)


def _distance(name: str, label: str, meaning: str, error: str = "_standard_error") -> Metric:
    return Metric(name, label, meaning, DISTANCE, "w1", error=f"{name}{error}" if error else "")


# Of generated images, and again of real ones; those with a standard error are drawn.
_FEATURES = (
    ("features/kernel_distance", "squared MMD of features; 0 where they are alike", "squared MMD", True),
    ("features/precision", "share of generated images that lie among real ones, by features", SHARE, True),
    ("features/recall", "share of real images that lie among generated ones, by features", SHARE, True),
    ("features/coverage", "share of real images that have a generated one near, by features", SHARE, True),
    ("features/density", "how many real neighbourhoods hold a generated image; 1 for real images", "count", True),
    ("features/sliced_w1", "mean W1 of one-dimensional projections of features", DISTANCE, False),
    ("features/w1", "exact W1 of features", DISTANCE, False),
    ("inception/fid", "Fréchet distance of Inception's features; 0 where they are alike", "FID", True),
    ("inception/kid", "squared MMD of Inception's features; 0 where they are alike", "KID", True),
)


def _features() -> Iterable[Metric]:
    for name, meaning, unit, has_error in _FEATURES:
        panel, error = (name.replace("/", "-"), f"{name}_standard_error") if has_error else ("", "")
        yield Metric(name, "generated images", meaning, unit, panel, error)
        floor = "the same of real images of the training split instead of generated ones"
        yield Metric(f"{name}_floor", "real images", floor, unit, panel, f"{error}_floor" if has_error else "")


GAN = listed(
    (
        _distance("w1/exact", "exact W1", "W1 of n held-out real and n generated samples; proven"),
        _distance(
            "w1/exact_lower",
            "exact W1, at least",
            "proven lower bound of `w1/exact`, where its time budget was spent",
            "",
        ),
        _distance(
            "w1/exact_upper",
            "exact W1, at most",
            "proven upper bound of `w1/exact`, where its time budget was spent",
            "",
        ),
        _distance("w1_averaged/exact", "exact W1, averaged generator", "exact W1 of samples of the averaged generator"),
        _distance(
            "w1/critic", "critic's proven bound", "`(mean f(real) - mean f(fake)) / L` on the samples of `w1/exact`", ""
        ),
        _distance(
            "w1/critic_fitted",
            "copies of the critic, fitted to the samples",
            "as `w1/critic`, of copies of the critic that were fitted to these samples; at most `w1/exact`",
            "",
        ),
        _distance(
            "w1/uncertified",
            "critic's estimate, which proves nothing",
            "`mean f(real) - mean f(fake)` of a critic whose L is not about 1",
            "",
        ),
        _distance(
            "w1/noise_floor",
            "noise floor: real against real",
            "exact W1 of the held-out samples and n others of the training split",
        ),
        _distance(
            "w1/generated_floor",
            "generated against generated",
            "exact W1 of generated samples and as many others; below `w1/noise_floor` if they vary less than real ones",
        ),
        Metric("w1/gap", "gap", "`w1/exact - w1/critic`, never negative beyond rounding", DISTANCE, "gap"),
        Metric(
            "w1/gap_unseen",
            "of the gap: not seen",
            "`w1/critic_fitted - w1/critic`: what the critic has not seen of these samples",
            DISTANCE,
            "gap",
        ),
        Metric(
            "w1/gap_beyond",
            "of the gap: beyond such critics",
            "`w1/exact - w1/critic_fitted`: what critics of its kind, so fitted, do not express",
            DISTANCE,
            "gap",
        ),
        Metric("w1/gap_relative", "relative gap", "`w1/gap / w1/exact`", RATIO),
        _distance(
            "w1/population_lower",
            "W1 of the distributions, at least",
            "lower end of the bracket of W1(P, Q); the confidence is that of each single evaluation",
            "",
        ),
        _distance(
            "w1/population_lower_all",
            "the same, at all evaluations",
            "lower bound of W1(P, Q); all evaluations of the run hold together with the confidence of that end",
            "",
        ),
        _distance(
            "w1/population_upper", "W1 of the distributions, at most", "upper end of the bracket of W1(P, Q)", ""
        ),
        Metric("w1/seconds", "an evaluation", "wall time of the evaluation", SECONDS, "times"),
        Metric(
            "w1_averaged/seconds",
            "an evaluation, averaged generator",
            "wall time of the averaged generator's evaluation",
            SECONDS,
            "times",
        ),
        Metric("w1_averaged/*", "averaged generator", "what `w1/*` is, of the averaged generator", DISTANCE),
        _distance(
            "w1_*/exact",
            "exact W1, *",
            "exact W1 of `w1/exact`'s samples behind a 1-Lipschitz map, so at most `w1/exact`: `critic_features`, the "
            "critic's last hidden layer; `pca_32`, principal axes; `averaged_MAP`, of the averaged generator",
        ),
        _distance("w1_*/exact_lower", "exact W1, *, at least", "as `w1/exact_lower`, behind the map", ""),
        _distance("w1_*/exact_upper", "exact W1, *, at most", "as `w1/exact_upper`, behind the map", ""),
        _distance("w1_*/noise_floor", "real against real, *", "as `w1/noise_floor`, behind the map"),
        _distance("w1_*/generated_floor", "generated against generated, *", "as `w1/generated_floor`, behind the map"),
        _CERTIFIED,
        _GRADIENT_NORM,
        *_features(),
        _TRAINING_ESTIMATE,
        _TRAINING_STEP,
    )
)

ESTIMATOR = listed(
    (
        replace(
            _distance(
                "w1/critic",
                "critic's proven estimate",
                "`(mean f(x) - mean f(y)) / L` on held-out samples: at most W1(P, Q), but for its standard error",
            ),
            error="w1/standard_error",
        ),
        _distance(
            "w1/uncertified",
            "critic's estimate, which proves nothing",
            "`mean f(x) - mean f(y)` of a critic whose L is not about 1",
        ),
        _distance("w1/truth", "truth: W1 of the distributions", "W1(P, Q); its standard error is 0 for a closed form"),
        Metric("w1/error", "error", "`w1/critic - w1/truth`", DISTANCE),
        _distance("w1/exact", "exact W1 of a part of the samples", "W1 of `exact_n` held-out samples of each; proven"),
        _distance("w1/noise_floor", "noise floor: P against P", "exact W1 of as many samples of P against others of P"),
        Metric("w1/gap", "gap", "`w1/exact` less the proven estimate on the same samples", DISTANCE, "gap"),
        GAN["w1/population_lower"],
        GAN["w1/population_lower_all"],
        GAN["w1/population_upper"],
        Metric("w1/seconds", "an evaluation", "wall time of scoring the critic", SECONDS, "times"),
        Metric("gradient/norm", "norm", "norm of the critic's gradient on P; a mean", GRADIENT),
        Metric("gradient/cosine", "cosine", "cosine with an optimal potential's gradient; a mean", RATIO, "gradients"),
        Metric(
            "gradient/l2",
            "squared distance",
            "squared distance to an optimal potential's gradient; a mean",
            "squared norm",
            "gradients",
        ),
        _CERTIFIED,
        _GRADIENT_NORM,
        _TRAINING_ESTIMATE,
        _TRAINING_STEP,
    )
)


def _with_ends(name: str, label: str, meaning: str, unit: str, panel: str) -> Metric:
    return Metric(name, label, meaning, unit, panel, ends=(f"{name}_low", f"{name}_high"))


CLASSIFIER = listed(
    (
        _with_ends(
            "accuracy/clean", "clean", "share of held-out images that are classified correctly", SHARE, "accuracy"
        ),
        _with_ends(
            "accuracy/certified_*",
            "certified at *",
            "share of held-out images that are provably classified correctly within the radius",
            SHARE,
            "accuracy",
        ),
        _with_ends(
            "accuracy/median_radius",
            "median radius",
            "the radius within which half of the images are provably classified correctly",
            _RADIUS,
            "radius",
        ),
        _CERTIFIED,
        _GRADIENT_NORM,
        Metric("train/loss", "loss of a batch", "the loss on a training batch", "loss", "training"),
        _TRAINING_STEP,
    )
)
