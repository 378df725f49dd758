"""Which story is told of which kind of training."""

from wgan_lip.report.page.classifier_story import classifier_story
from wgan_lip.report.page.estimator_story import estimator_story
from wgan_lip.report.page.gan_story import gan_story
from wgan_lip.report.page.run import RunRecord
from wgan_lip.report.page.story import Story

# By the counter over which the kind draws its figures.
_STORIES = {"generator_step": gan_story, "critic_step": estimator_story, "classifier_step": classifier_story}


def tell(run: RunRecord) -> Story:
    """What is told of a run.

    Args:
        run: of any kind.

    Raises:
        ValueError: it holds no evaluation yet.
    """
    return _STORIES[run.metrics.step_name](run)
