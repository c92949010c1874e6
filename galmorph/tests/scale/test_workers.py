# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galmorph.core import MorphFlag
from galmorph.images import Preprocessor
from galmorph.scale import Tile
from galmorph.scale.plan import Patch, Task
from galmorph.scale.workers import AHEAD, stamps_of_tasks
from galmorph.tests.scale.deadly import Deadly, deadly_once

LINUX = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="processes are looked at by /proc"
)


def task(x, first=0):
    x = np.asarray(x, float)
    rows = np.arange(first, first + len(x))
    return Task(0, [Patch(rows, x, np.full(len(x), 300.0), None)])


@pytest.fixture
def tiles(files):
    return [Tile(files / "mosaic_sci.fits")]


def test_processes_give_what_this_one_gives(tiles):
    tasks = [task(np.linspace(50, 800, 9) + i, 10 * i) for i in range(5)]
    here = list(stamps_of_tasks(tasks, tiles, Preprocessor(), 1, 0))
    there = list(stamps_of_tasks(tasks, tiles, Preprocessor(), 1, 2))
    assert len(here) == len(there) == 5
    for one, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.data, other.data)
        np.testing.assert_array_equal(one.flags, other.flags)
        for name in one.values:
            np.testing.assert_array_equal(one.values[name], other.values[name])


def test_no_more_is_begun_than_is_taken(tiles):
    begun = 0

    def tasks():
        nonlocal begun
        for i in range(50):
            begun += 1
            yield task([100.0 + i], i)

    stamped = stamps_of_tasks(tasks(), tiles, Preprocessor(), 1, 1)
    for taken in range(1, 10):
        next(stamped)
        assert begun <= AHEAD + taken
    stamped.close()
    assert begun < 20


def test_a_process_that_dies_is_replaced(tiles, tmp_path):
    tasks = [task([100.0 + i, 400.0], 2 * i) for i in range(4)]
    deadly = deadly_once(tmp_path / "killed")
    stamped = list(stamps_of_tasks(tasks, tiles, deadly, 1, 1))
    assert (tmp_path / "killed").exists()
    assert all(one.usable.all() for one in stamped)


def test_a_source_that_kills_processes_costs_its_own_row_only(tiles):
    tasks = [task([100.0, 200.0, 13.0, 300.0]), task([400.0], 4)]
    stamped = list(stamps_of_tasks(tasks, tiles, Deadly(), 1, 1))
    rows = np.concatenate([one.rows for one in stamped])
    flags = np.concatenate([one.flags for one in stamped])
    np.testing.assert_array_equal(rows, np.arange(5))
    np.testing.assert_array_equal(
        (flags & MorphFlag.FAILED) != 0, [False, False, True, False, False]
    )
    failures = {row: why for one in stamped for row, why in one.failures.items()}
    assert list(failures) == [2] and "ended with code -9" in failures[2]


def test_a_tile_that_is_gone_fails_its_rows(files, tmp_path):
    for n_workers in (0, 1):
        (one,) = stamps_of_tasks(
            [task([100.0, 200.0])],
            [Tile(tmp_path / "gone.fits")],
            Preprocessor(),
            1,
            n_workers,
        )
        assert not one.usable.any() and one.data.shape == (0, 45, 45, 1)
        assert "gone.fits" in one.failures[1]


ENDLESS = """
from galmorph.images import Preprocessor
from galmorph.scale import Tile
from galmorph.scale.workers import stamps_of_tasks
from galmorph.tests.scale.test_workers import task
tasks = (task([100.0], i) for i in range(10**9))
for stamped in stamps_of_tasks(tasks, [Tile({path!r})], Preprocessor(), 1, 2):
    print("busy", flush=True)
"""


def children(pid):
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


@LINUX
def test_processes_end_with_the_one_that_started_them(files):
    code = ENDLESS.format(path=str(files / "mosaic_sci.fits"))
    main = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert main.stdout.readline() == b"busy\n"
    workers = children(main.pid)
    assert len(workers) == 2
    os.kill(main.pid, signal.SIGKILL)
    main.wait()
    main.stdout.close()
    end = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < end
        time.sleep(0.1)


MEMORY = """
import numpy as np
from galmorph.images import Preprocessor
from galmorph.scale import Tile
from galmorph.scale.plan import Placed, plan_tasks
from galmorph.scale.footprints import Footprints
from galmorph.scale.workers import stamps_of_tasks
tiles = [Tile({path!r})]
footprints = Footprints(tiles, 1)
x, y = np.random.default_rng(1).uniform(0, {side}, (2, 600))
placed = Placed(np.zeros(600, int), x, y, np.zeros(600, int))
tasks = plan_tasks(placed, footprints, 96)
n = sum(len(s.rows) for s in stamps_of_tasks(tasks, tiles, Preprocessor(), 1, 0))
status = open("/proc/self/status").read()
print(n, int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


@LINUX
def test_memory_does_not_grow_with_the_mosaic(tmp_path):
    used = {}
    rows = np.random.default_rng(2).normal(size=(50, 12000)).astype(">f4")
    for side in (1500, 12000):
        header = fits.Header({"SIMPLE": True, "BITPIX": -32, "NAXIS": 2})
        header["NAXIS1"] = header["NAXIS2"] = side
        path = tmp_path / f"{side}.fits"
        with fits.StreamingHDU(path, header) as hdu:
            for _ in range(side // 50):
                hdu.write(np.ascontiguousarray(rows[:, :side]))
        code = MEMORY.format(path=str(path), side=side)
        output = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, text=True
        ).stdout
        n, used[side] = map(int, output.split())
        assert n == 600
        path.unlink()
    # the large one has 576 MB
    assert used[12000] < used[1500] + 30
    assert used[12000] < 300
