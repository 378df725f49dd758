"""Lightning's private names: these tests fail when a new version of Lightning renames them."""

import datetime

from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.strategies import DDPStrategy, SingleDeviceStrategy

from wgan_lip.training.lightning_private import act_after_validation, collective_timeout


def test_the_timeout_of_a_strategy_s_collectives():
    assert collective_timeout(DDPStrategy(timeout=datetime.timedelta(seconds=7))) == datetime.timedelta(seconds=7)
    assert collective_timeout(SingleDeviceStrategy()) == datetime.timedelta(minutes=30)


def test_only_callbacks_without_a_choice_of_their_own_are_changed():
    free, chosen = EarlyStopping("loss"), EarlyStopping("loss", check_on_train_epoch_end=True)
    saving, saving_chosen = ModelCheckpoint(), ModelCheckpoint(save_on_train_epoch_end=True)
    for callback in (free, chosen, saving, saving_chosen):
        act_after_validation(callback)
    assert (free._check_on_train_epoch_end, chosen._check_on_train_epoch_end) == (False, True)
    assert (saving._save_on_train_epoch_end, saving_chosen._save_on_train_epoch_end) == (False, True)
