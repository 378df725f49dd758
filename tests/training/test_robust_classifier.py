"""Training classifiers with a known Lipschitz constant."""

import copy

import pytest
import torch
from torch import nn

from tests.training.classifiers import labelled, tiny_classifier, train
from tests.training.test_resume import CutOff, CutOffError, rows, same_state
from wgan_lip.data import FewPerClass
from wgan_lip.lipschitz import ConstrainedConv2d, ConstrainedLinear, LInfNormalization, LInfProjection, certify
from wgan_lip.networks import ConvClassifier, MLPClassifier
from wgan_lip.report import accuracy_figure, accuracy_table, read_history
from wgan_lip.robustness import PGD, CrossEntropy, MarginCrossEntropy, MulticlassHinge
from wgan_lip.training import RandomShift, RobustClassifier
from wgan_lip.training.robust_classifier import images_and_labels


def l_infinity(constraint) -> MLPClassifier:
    return MLPClassifier((1, 28, 28), hidden=(16,), linear=lambda i, o: ConstrainedLinear(i, o, constraint()))


NETWORKS = {
    "orthogonal": lambda: MLPClassifier((1, 28, 28), hidden=(16, 16), dropout=0.2),
    "convolutional": lambda: ConvClassifier((1, 28, 28), channels=(4,), hidden=(16,), lipschitz_constant=2.0),
    "projected": lambda: l_infinity(LInfProjection),
    "normalised": lambda: l_infinity(LInfNormalization),
    "l_inf convolutions": lambda: ConvClassifier(
        (1, 28, 28),
        channels=(4,),
        hidden=(16,),
        conv=lambda i, o, k, s: ConstrainedConv2d(i, o, k, s, LInfNormalization()),
        linear=lambda i, o: ConstrainedLinear(i, o, LInfProjection()),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_learns_and_stays_certified(name, tmp_path):
    torch.manual_seed(0)
    network = NETWORKS[name]()
    bound = getattr(network, "lipschitz_constant", 1.0)
    loss = MarginCrossEntropy(0.02, 0.02)
    classifier = train(tmp_path, classifier=tiny_classifier(network=network, loss=loss, steps=60))
    assert classifier.classifier_step == 60
    certificate = certify(classifier.network)
    assert certificate.norm == classifier.norm
    assert certificate.bound <= bound * (1 + 1e-4)
    history = read_history(tmp_path / "metrics.csv").having("accuracy/clean")
    assert [row.step for row in history] == list(range(0, 61, 4))
    for row in history:
        clean = row["accuracy/clean"]
        assert row["accuracy/clean_low"] <= clean <= row["accuracy/clean_high"]
        assert row["accuracy/certified_0.5"] <= row["accuracy/certified_0.1"] <= clean
    losses = [float(row["train/loss"]) for row in rows(tmp_path) if row["train/loss"]]
    assert len(losses) == 15
    assert losses[-1] < 0.95 * losses[0]
    accuracy_figure(history, "name")
    accuracy_table(history, "name")


def test_a_resumed_run_ends_as_one_that_was_not_interrupted(tmp_path):
    options = {"augmentation": RandomShift(1), "adversary": PGD(0.1, "l2", steps=2, restarts=2, early_stop=False)}
    straight = train(tmp_path / "straight", classifier=tiny_classifier(**options))
    with pytest.raises(CutOffError):
        train(tmp_path / "cut", CutOff(7), classifier=tiny_classifier(**options))
    resumed = train(
        tmp_path / "cut",
        classifier=tiny_classifier(seed=0, **options),
        ckpt_path=tmp_path / "cut" / "checkpoints" / "last.ckpt",
    )
    assert same_state(straight.state_dict(), resumed.state_dict())
    assert rows(tmp_path / "straight") == rows(tmp_path / "cut")


@pytest.mark.parametrize("loss", [MulticlassHinge(0.5), CrossEntropy(), MarginCrossEntropy()])
def test_a_step_is_one_of_gradient_descent_on_the_loss(loss, tmp_path):
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    before = copy.deepcopy(network)
    data = labelled(tmp_path)
    classifier = tiny_classifier(
        network=network,
        norm="l2",
        loss=loss,
        steps=1,
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.5),
        linear_decay=False,
    )
    train(tmp_path, classifier=classifier, data=data)
    (tmp_path / "other").mkdir()
    x, y = images_and_labels(next(iter(labelled(tmp_path / "other").train_dataloader())), 10)
    assert float(x.min()) >= 0
    assert float(x.max()) <= 1
    loss(before(x), y).mean().backward()
    for old, new in zip(before.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(new, old - 0.5 * old.grad)


def test_adversarial_training_sees_the_attacked_images(tmp_path):
    """A margin that the attack takes away everywhere is missed by the clean loss."""
    seen = []

    class Spy(MarginCrossEntropy):
        def __call__(self, logits, y):
            seen.append(logits.detach())
            return super().__call__(logits, y)

    adversary = PGD(0.2, "linf", steps=2, restarts=1, early_stop=False)
    attacked = tiny_classifier(loss=Spy(), adversary=adversary, steps=1)
    train(tmp_path / "a", classifier=attacked)
    train(tmp_path / "b", classifier=tiny_classifier(loss=Spy(), steps=1))
    x, y = images_and_labels(next(iter(labelled(tmp_path / "b").train_dataloader())), 10)
    del x
    losses = [MarginCrossEntropy()(logits, y).mean() for logits in seen]
    assert losses[0] > losses[1]


def test_few_images_of_each_class(tmp_path):
    (tmp_path / "data").mkdir()
    data = FewPerClass(labelled(tmp_path), per_class=2, batch_size=20)
    assert train(tmp_path, data=data).classifier_step == 12


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: tiny_classifier(steps=0), "steps must be at least 1; got steps=0"),
        (lambda: tiny_classifier(norm="l1"), "norm must be 'linf' or 'l2'; got norm='l1'"),
        (
            lambda: tiny_classifier(norm="linf"),
            "norm must be 'l2', in which the network's layers are constrained; got norm='linf'",
        ),
        (
            lambda: RobustClassifier(nn.Linear(2, 2)),
            "norm must be 'l2' or 'linf' for a network without constraints; got norm=None",
        ),
        (lambda: MLPClassifier((1, 2, 2), classes=1), "classes must be at least 2; got classes=1"),
        (lambda: MLPClassifier((1, 2, 2), dropout=1.0), r"dropout must lie in \[0, 1\); got dropout=1.0"),
        (lambda: ConvClassifier((1, 6, 6)), "2 convolutions need sides divisible by 4"),
    ],
)
def test_what_is_wrong_is_said(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_data_without_labels_are_refused(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(ValueError, match="MNIST has no labels: set labels to true"):
        train(tmp_path, data=labelled(tmp_path, labels=False))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (MLPClassifier((1, 28, 28), classes=5, hidden=(16,)), "the network must return 10 logits per image"),
        (MLPClassifier((1, 8, 8), hidden=(16,)), r"the network does not take inputs of shape \(2, 1, 28, 28\)"),
    ],
)
def test_networks_for_other_images_are_refused(network, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        train(tmp_path, classifier=tiny_classifier(network=network))


def test_a_diverged_loss_stops_the_training(tmp_path):
    classifier = tiny_classifier(
        network=nn.Sequential(nn.Flatten(), nn.Linear(784, 10)),
        norm="l2",
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1e38),
        loss=CrossEntropy(),
    )
    with pytest.raises(ValueError, match=r"the training diverged: train/loss is .* at classifier step"):
        train(tmp_path, classifier=classifier)


def test_pixels_are_brought_to_the_units_of_attacks(tmp_path):
    (tmp_path / "data").mkdir()
    data = labelled(tmp_path)
    samples = torch.stack([data.split("train")[i] for i in range(5)])
    x, y = images_and_labels(samples, 10)
    raw = data.split("train").pixels[:5].double() / 255
    torch.testing.assert_close(x.double(), raw, atol=1e-6, rtol=0)
    assert y.tolist() == [0, 1, 2, 3, 4]
