"""``wgan-lip`` on a Python that lacks what Windows lacks: python tests/support/without_posix.py COMMAND"""

# ruff: noqa: E402, F401
import asyncio
import enum
import os
import signal
import subprocess
import sys

# What others need of POSIX they find now, for they know by sys.platform what there is.
import jsonargparse
import matplotlib.backends.backend_agg
import ot
import pytorch_lightning.cli
import pytorch_lightning.loggers
import sklearn.decomposition
import torchvision
import wandb

_SIGNALS = ("SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM")
_OF_OS = (
    *("fork", "getegid", "geteuid", "getgid", "getloadavg", "getpgid", "getuid", "killpg", "mkfifo", "nice"),
    *("register_at_fork", "sched_getaffinity", "setsid", "statvfs", "sysconf", "uname"),
    *("EX_TEMPFAIL", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "WNOHANG"),
)
_MODULES = ("fcntl", "grp", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty")

for name in [name for name in dir(signal) if name.startswith("SIG") and "_" not in name and name not in _SIGNALS]:
    delattr(signal, name)
signal.Signals = enum.IntEnum("Signals", {name: int(getattr(signal, name)) for name in _SIGNALS})  # type: ignore
for name in _OF_OS:
    if hasattr(os, name):
        delattr(os, name)
sys.modules.update(dict.fromkeys(_MODULES))

from wgan_lip.cli import main

main(sys.argv[1:])
