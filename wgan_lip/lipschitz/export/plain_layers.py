"""A list of ordinary layers in the making, into whose affine layers factors and channel maps are merged."""

from typing import TypeGuard

from torch import Tensor, nn

from wgan_lip.lipschitz.export.affine import Affine, after_map, convolution, linear, scaled, then_map
from wgan_lip.lipschitz.export.relu_form import Stage
from wgan_lip.lipschitz.layers.scale import Scale

_PADDINGS = (nn.CircularPad2d, nn.ZeroPad2d)
# Linear maps without a bias: a factor may pass them.
_LINEAR = (*_PADDINGS, nn.Flatten, nn.Unflatten, nn.PixelShuffle, nn.PixelUnshuffle, nn.AvgPool2d)
# They leave the number of channels, and images as images.
_CHANNELWISE = (
    *_PADDINGS,
    nn.AvgPool2d,
    nn.BatchNorm2d,
    nn.LPPool2d,
    nn.LeakyReLU,
    nn.MaxPool2d,
    nn.ReLU,
    nn.Sigmoid,
    nn.Tanh,
    nn.Upsample,
)


class PlainLayers:
    """Layers in order; :meth:`sort` adds activations that are made of ReLUs."""

    def __init__(self) -> None:
        self._layers: list[nn.Module] = []
        # A map of the channels that is still to be applied, and merged into the next layer if that is affine.
        self._pending: Tensor | None = None
        self._channels: int | None = None
        self._images = False
        # A factor that is still to be merged into a later layer.
        self._factor = 1.0

    def sequential(self) -> nn.Sequential:
        """All layers, in evaluation mode."""
        self._flush()
        self._flush_factor()
        return nn.Sequential(*self._layers).eval()

    def channels_on(self, dim: object) -> int:
        """How many channels there are on an axis.

        Args:
            dim: the axis that an activation counts as its channels.

        Raises:
            ValueError: it is not known.
        """
        if self._channels is None:
            raise ValueError("with relu=True it must follow a linear layer or a convolution, to know its channels")
        if dim != 1 and (dim != -1 or self._images):
            raise ValueError(f"with relu=True it must act on axis 1; got dim={dim}")
        return self._channels

    def extend(self, modules: list[nn.Module]) -> None:
        """Add layers one after the other."""
        for module in modules:
            self.add(module)

    def add(self, module: nn.Module) -> None:
        """Add a layer.

        Args:
            module: of which the list becomes the owner.
        """
        if isinstance(module, Scale):
            self._scale(module.factor)
            return
        if self._pending is not None and self._images and isinstance(module, _PADDINGS):
            # Padding commutes with maps of the channels.
            self._layers.append(module)
            return
        if self._pending is not None and _merges(module) and isinstance(module, nn.Linear) != self._images:
            module, self._pending = after_map(module, self._pending), None
        self._flush()
        if self._factor != 1.0 and isinstance(module, Affine):
            module, self._factor = scaled(module, self._factor, with_bias=False), 1.0
        elif not isinstance(module, _LINEAR):
            self._flush_factor()
        self._layers.append(module)
        self._follow(module)

    def sort(self, stages: list[Stage]) -> None:
        """Add an activation that is made of ReLUs.

        Args:
            stages: on as many channels as there are.
        """
        for stage in stages:
            self._flush_factor()
            before = stage.before if self._pending is None else stage.before @ self._pending
            last = self._layers[-1] if self._layers else None
            if self._pending is None and _merges(last):
                self._layers[-1] = then_map(last, before)
            else:
                self._layers.append(self._map(before))
            self._layers.append(nn.ReLU())
            self._pending = stage.after
            self._channels = len(stage.after)

    def _scale(self, factor: float) -> None:
        if self._pending is not None:
            self._pending = factor * self._pending
            return
        for i, layer in reversed(list(enumerate(self._layers))):
            if isinstance(layer, Affine):
                self._layers[i] = scaled(layer, factor, with_bias=True)
                return
            if not isinstance(layer, _LINEAR):
                break
        self._factor *= factor

    def _flush(self) -> None:
        if self._pending is not None:
            self._layers.append(self._map(self._pending))
            self._pending = None

    def _flush_factor(self) -> None:
        if self._factor != 1.0:
            self._layers.append(Scale(self._factor))
            self._factor = 1.0

    def _map(self, matrix: Tensor) -> nn.Module:
        """A map of the channels as a layer, in the dtype of the last weights."""
        like = next(layer.weight for layer in reversed(self._layers) if isinstance(layer, Affine))
        matrix = matrix.to(like)
        return convolution(matrix[:, :, None, None], None, False) if self._images else linear(matrix, None)

    def _follow(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            self._channels, self._images = module.out_features, False
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            self._channels, self._images = module.out_channels, True
        elif not isinstance(module, _CHANNELWISE):
            self._channels = None


def _merges(module: nn.Module | None) -> TypeGuard[Affine]:
    """Whether maps of the channels can be merged into a layer."""
    return isinstance(module, Affine) and getattr(module, "groups", 1) == 1
