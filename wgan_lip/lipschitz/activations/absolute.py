"""The absolute value as an activation."""

from torch import Tensor, nn


class Abs(nn.Module):
    """``y = |x|`` entrywise: 1-Lipschitz in every l_p norm.

    The Jacobian is a diagonal of signs, so the map preserves gradient norm wherever no entry is 0.

    Source:
        Anil, Lucas, Grosse, "Sorting out Lipschitz function approximation", ICML 2019, section 4.1.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.abs()
