# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""A run that is killed at any moment goes on as if it had not been."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from galmorph.tables import read_table
from galmorph.tests.training.shapes import SETTINGS, shapes, without_times
from galmorph.training import train

RUN = """
import sys
from galmorph.tests.training.shapes import shapes
from galmorph.training import train
from galmorph.tests.training.test_resume import SAME
def say(line):
    print(line, flush=True)
train(shapes(), out=sys.argv[1], resume=True, progress=say, **SAME)
"""
SAME = {**SETTINGS, "epochs": 12, "patience": 12, "members": 2, "ema": 0.9}


def start(folder):
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_run_killed_at_random_moments_gives_the_same_history(tmp_path):
    whole = train(shapes(), out=tmp_path / "whole", **SAME)
    random = np.random.default_rng(1)
    kills = 0
    for lines in random.integers(1, 8, 3):
        process = start(tmp_path / "killed")
        for _ in range(lines):
            process.stdout.readline()
        time.sleep(random.uniform(0, 0.2))
        os.kill(process.pid, signal.SIGKILL)
        process.stdout.close()
        kills += process.wait() == -signal.SIGKILL
    assert kills == 3
    assert not (tmp_path / "killed" / "bundle").exists()
    process = start(tmp_path / "killed")
    told = process.stdout.read()
    process.stdout.close()
    assert process.wait() == 0
    # sums over threads may differ in the last bits
    found = read_table(tmp_path / "killed" / "history.ecsv")
    assert without_times(found) == pytest.approx(without_times(whole.history), rel=1e-4)
    scores = [
        read_table(tmp_path / name / "predictions.ecsv")["f_flat"]
        for name in ("whole", "killed")
    ]
    assert scores[1] == pytest.approx(scores[0], abs=1e-4)
    # something was left to do, and not all was done again
    assert 1 < len(told.splitlines()) < 24
