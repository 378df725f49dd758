"""Files that torch.save wrote, whoever has had them since: nothing of a damaged or crafted one is loaded."""

from wgan_lip.saved.load import load_saved
from wgan_lip.saved.values import is_count, named_value

__all__ = ["is_count", "load_saved", "named_value"]
