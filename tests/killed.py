"""Run as a program: one run of ``wgan-lip fit``, killed at random moments and each time begun again.

python -m tests.killed KILLS SEED ARGUMENTS OF FIT
"""

import os
import signal
import sys
import time

import numpy as np


def main() -> None:
    """Kill it so many times, then let it end; prints how often a process was killed."""
    from wgan_lip.cli import main as wgan_lip

    kills, draw, words = int(sys.argv[1]), np.random.default_rng(int(sys.argv[2])), sys.argv[3:]
    killed = 0
    while True:
        # What was imported need not be imported again.
        pid = os.fork()
        if pid == 0:
            sys.argv = ["wgan-lip", "fit", *words]
            wgan_lip()
            sys.stdout.flush()
            os._exit(0)
        if killed < kills:
            # From before the run's folder is looked at to many steps after it went on.
            time.sleep(draw.uniform(0.02, 1.5))
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            sys.stdout.write(f"killed {killed} times, then status {os.WEXITSTATUS(status)}\n")
            return
        killed += 1


if __name__ == "__main__":
    main()
