"""Short names of the places in a network, under the bars of a figure and in the rows of a table."""

from collections.abc import Sequence

from wgan_lip.lipschitz import LayerGradient
from wgan_lip.report.gradient_summary import NetworkSummary


def place_labels(network: NetworkSummary, layers: Sequence[LayerGradient]) -> list[str]:
    """ "output", "W2", "ReLU", "W1", "input": weights by their number from the input on, other layers by their class.

    Args:
        network: says which layers are weights.
        layers: of a profile, from the output to the input.
    """
    weights = [weight.name for weight in network.weights]
    labels = []
    for layer in layers:
        if layer.name in weights:
            labels.append(f"W{weights.index(layer.name) + 1}")
        else:
            labels.append(layer.kind)
    return ["output", *labels[1:]]


def shared_labels(networks: Sequence[NetworkSummary]) -> list[str] | None:
    """Labels for bars that stand beside each other; None where the networks' layers do not correspond.

    Layers correspond where they are as many, and weights stand where weights do; other classes may differ, and are then
    called "act." (activation).

    Args:
        networks: at least one.
    """
    labels = [place_labels(network, network.points[0].layers) for network in networks]
    if len({len(names) for names in labels}) > 1:
        return None
    shared = []
    for names in zip(*labels, strict=True):
        if len(set(names)) == 1:
            shared.append(names[0])
        elif any(_is_weight(name) or name in ("input", "output") for name in names):
            return None
        else:
            shared.append("act.")
    return shared


def _is_weight(label: str) -> bool:
    return label[:1] == "W" and label[1:].isdigit()
