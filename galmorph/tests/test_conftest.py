# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The tests touch nobody's home, and miss no real data that they were promised.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from astropy.config import get_cache_dir, get_config_dir

TEST = """
from galmorph.conftest import real_data

def test_real_data(real_data):
    assert real_data.name == "data"
"""


def test_home_and_the_folders_of_astropy_are_temporary():
    folders = [Path.home(), get_cache_dir("galmorph"), get_config_dir("galmorph")]
    folders += [get_cache_dir(), get_config_dir()]
    for folder in folders:
        assert Path(tempfile.gettempdir()) in Path(folder).parents


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (None, "1 skipped"),
        ("data", "1 passed"),
        ("nowhere", "which is no folder"),
    ],
)
def test_real_data_is_used_skipped_or_missed(tmp_path, value, outcome):
    (tmp_path / "data").mkdir()
    (tmp_path / "test_one.py").write_text(TEST)
    environment = dict(os.environ)
    environment.pop("GALMORPH_TEST_DATA", None)
    if value:
        environment["GALMORPH_TEST_DATA"] = str(tmp_path / value)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "test_one.py"],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in run.stdout, run.stdout + run.stderr
    assert (run.returncode == 0) == (value != "nowhere")
