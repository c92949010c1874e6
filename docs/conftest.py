# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
The examples of the documentation run in a home and a folder of their own.
"""

import pytest

from galmorph.conftest import pytest_configure, pytest_report_header, real_data

__all__ = ["pytest_configure", "pytest_report_header", "real_data"]


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
