"""Settings that every test shares."""

import os

import pytest
import torch
from hypothesis import Phase, settings

# Tests run side by side, one on each core.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"

settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
# Of a mutant only that it fails is wanted, soon, and not the smallest example.
settings.register_profile(
    "mutation", settings.get_profile("repeatable"), phases=[Phase.explicit, Phase.generate], max_examples=8
)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items):
    """Under the profile of mutation tests none has more examples than the profile, whatever it asks for."""
    if settings.get_current_profile_name() == "mutation":
        for item in items:
            own = getattr(item.obj, "_hypothesis_internal_use_settings", None)
            if own is not None:
                most = min(own.max_examples, settings.default.max_examples)
                item.obj._hypothesis_internal_use_settings = settings(own, max_examples=most)


@pytest.fixture(autouse=True)
def repeatable():
    """Tests may draw from torch's global generator; what they draw does not depend on their order."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """No test finds the credentials or the folders of whoever runs it."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "wandb-config"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "wandb-cache"))
