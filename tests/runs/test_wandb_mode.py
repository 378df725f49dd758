"""Nothing goes to W&B against what its own settings say, whatever keys there are."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import wandb

from tests.support.commands import fit
from wgan_lip.runs import wandb_logger
from wgan_lip.runs.wandb_mode import decide_mode

KEY = 40 * "0"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A current folder and a home of its own, with a key."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_CONFIG_DIR")
    monkeypatch.delenv("WANDB_DIR", raising=False)
    monkeypatch.delenv("WANDB_DISABLED", raising=False)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    return tmp_path


def settings(folder: Path, mode: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings").write_text(f"[default]\nmode = {mode}\n")
    return folder / "settings"


FILES = ("here/wandb", "here/.wandb", ".config/wandb")


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("said", ["offline", "disabled", "Offline", "dryrun"])
@pytest.mark.parametrize("key", ["environment", "netrc"])
def test_settings_files_are_obeyed(file, said, key, place, monkeypatch):
    if key == "netrc":
        monkeypatch.delenv("WANDB_API_KEY")
        (place / "netrc").write_text(f"machine api.wandb.ai login user password {KEY}\n")
        monkeypatch.setenv("NETRC", str(place / "netrc"))
    assert decide_mode("auto", os.environ).mode == "online"
    path = settings(place / file, said)
    decided = decide_mode("auto", os.environ)
    assert decided.mode == {"Offline": "offline", "dryrun": "offline"}.get(said, said)
    assert decided.why == f"{decided.mode}, as {path} says"


def test_wandb_s_own_command_is_obeyed(place):
    command = [sys.executable, "-m", "wandb", "offline"]
    subprocess.run(command, check=True, capture_output=True)
    assert decide_mode("auto", os.environ).mode == "offline"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("WANDB_DISABLED", "true", "disabled"),
        ("WANDB_DISABLED", "1", "disabled"),
        ("WANDB_DISABLED", "false", "online"),
        ("WANDB_MODE", "Offline", "offline"),
        ("WANDB_MODE", "dryrun", "offline"),
        ("WANDB_MODE", " disabled", "disabled"),
        ("WANDB_MODE", "", "online"),
    ],
)
def test_the_environment_is_obeyed(name, value, expected, place, monkeypatch):
    monkeypatch.setenv(name, value)
    assert decide_mode("auto", os.environ).mode == expected


def test_the_nearer_word_holds_and_an_explicit_mode_is_the_nearest(place, monkeypatch):
    settings(place / ".config" / "wandb", "offline")
    path = settings(place / "here" / "wandb", "disabled")
    assert decide_mode("auto", os.environ).mode == "disabled"
    monkeypatch.setenv("WANDB_DIR", str(place))
    settings(place / "wandb", "offline")
    assert decide_mode("auto", os.environ).mode == "offline"
    monkeypatch.delenv("WANDB_DIR")
    decided = decide_mode("online", os.environ)
    assert (decided.mode, decided.why) == ("online", f"online, as wandb.mode says, although {path} says disabled")
    assert decide_mode("offline", os.environ).why == ""
    monkeypatch.setenv("WANDB_MODE", "online")
    assert decide_mode("auto", os.environ).mode == "online"
    monkeypatch.setenv("WANDB_DISABLED", "true")
    assert decide_mode("auto", os.environ).mode == "disabled"


def test_a_key_is_one_of_the_server_that_the_settings_name(place, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY")
    (place / "netrc").write_text(f"machine api.wandb.ai login user password {KEY}\n")
    monkeypatch.setenv("NETRC", str(place / "netrc"))
    (place / "here" / "wandb").mkdir()
    (place / "here" / "wandb" / "settings").write_text("[default]\nbase_url = https://wandb.example.org\n")
    assert decide_mode("auto", os.environ).mode == "offline"


@pytest.mark.parametrize(
    ("name", "value"), [("WANDB_MODE", "perhaps"), ("WANDB_DISABLED", "perhaps"), ("file", "perhaps"), ("file", "%(a")]
)
def test_a_setting_that_is_none_is_refused(name, value, place, monkeypatch):
    if name == "file":
        settings(place / "here" / "wandb", value)
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=r"must be .*; got"):
        decide_mode("auto", os.environ)


def connections(server: socket.socket) -> int:
    count = 0
    try:
        while True:
            server.accept()[0].close()
            count += 1
    except BlockingIOError:
        return count


@pytest.mark.filterwarnings("ignore:Weights & Biases")
@pytest.mark.parametrize(
    "how", ["folder", *(pytest.param(how, marks=pytest.mark.slow) for how in ("home", "environment", "command"))]
)
def test_no_server_is_asked_against_the_settings(how, place, monkeypatch, capsys):
    if how == "environment":
        monkeypatch.setenv("WANDB_DISABLED", "true")
    elif how in ("folder", "home"):
        settings(place / {"folder": "here/wandb", "home": ".config/wandb"}[how], "disabled")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        folder = fit(monkeypatch, place / "runs", *(["--wandb.mode=disabled"] if how == "command" else []))
        assert connections(server) == 0
    assert not list(folder.rglob("*wandb*"))
    assert sorted(path.name for path in (place / "here").iterdir()) == (["wandb"] if how == "folder" else [])
    assert ("Weights & Biases: disabled, as " in capsys.readouterr().out) == (how != "command")


def test_offline_asks_no_server_and_online_does(place, monkeypatch):
    settings(place / "here" / "wandb", "offline")
    wandb.teardown()
    monkeypatch.setattr("wgan_lip.runs.wandb_tracking._INIT_SECONDS", 2)
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
            for mode, asked in (("auto", False), ("online", True)):
                logger = wandb_logger(place / mode, "name", mode, mode)  # type: ignore[arg-type]
                assert logger is not None
                if asked:
                    with pytest.raises(ValueError, match="Weights & Biases"):
                        _ = logger.experiment
                else:
                    logger.experiment.finish()
                assert (connections(server) > 0) == asked
    finally:
        wandb.teardown()
