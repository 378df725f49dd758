"""Run as a program: runs of ``wgan-lip fit``, killed at random moments and each time begun again.

python -m tests.support.killed KILLS SEED FOLDER ARGUMENTS OF FIT
"""

import os
import signal
import sys
import time

import numpy as np


def main() -> None:
    """Kill so many processes; a run that came to its end is followed by another one. Writes how many runs there are."""
    from wgan_lip.cli import main as wgan_lip

    kills, draw, folder, words = int(sys.argv[1]), np.random.default_rng(int(sys.argv[2])), sys.argv[3], sys.argv[4:]
    killed = runs = status = 0
    while killed < kills or status != 0:
        # What was imported need not be imported again.
        pid = os.fork()
        if pid == 0:
            sys.argv = ["wgan-lip", "fit", *words, f"--runs_dir={folder}", f"--run={runs}"]
            wgan_lip()
            os._exit(0)
        if killed < kills:
            # From before the run's folder is looked at to many steps after it went on.
            time.sleep(draw.uniform(0.02, 1.5))
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            killed += 1
        elif status != 0:
            raise SystemExit(f"run {runs} ended with status {os.WEXITSTATUS(status)}")
        else:
            runs += 1
    sys.stdout.write(f"killed {killed} times in {runs} runs\n")


if __name__ == "__main__":
    main()
