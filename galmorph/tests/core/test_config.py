# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Settings live in astropy's configuration system.
"""

import subprocess
import sys

import pytest

import galmorph
from galmorph.core import Conf, conf

SHOW = "from galmorph import conf; print(conf.batch_size, conf.model_mirrors)"


def test_there_is_one_set_of_settings():
    assert isinstance(conf, Conf)
    assert galmorph.conf is conf


def test_every_setting_has_a_default_and_a_description():
    items = dict(conf.items())
    assert set(items) == {"batch_size", "default_model", "model_mirrors"}
    for item in items.values():
        assert item.description.endswith(".")
        assert item.defaultvalue == item()


def test_setting_holds_for_a_while():
    before = conf.default_model
    with conf.set_temp("default_model", "other"):
        assert conf.default_model == "other"
    assert conf.default_model == before


@pytest.mark.parametrize("wrong", [0, -5, "many"])
def test_batch_size_is_a_positive_whole_number(wrong):
    with pytest.raises(TypeError), conf.set_temp("batch_size", wrong):
        pass


def test_settings_are_read_from_the_users_file(tmp_path, monkeypatch):
    folder = tmp_path / "astropy"
    folder.mkdir()
    (folder / "galmorph.cfg").write_text(
        "batch_size = 7\nmodel_mirrors = file:///models/,\n"
    )
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    run = subprocess.run(
        [sys.executable, "-c", SHOW], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "7 ['file:///models/']", run.stderr
