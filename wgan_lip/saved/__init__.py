"""Files of torch.save from anyone: a damaged or crafted one is refused before anything is loaded."""

from wgan_lip.saved.load import is_count, load_saved, named_value

__all__ = ["is_count", "load_saved", "named_value"]
