"""``wgan-lip fit | validate | test``: parser, trainer, and the training itself."""
