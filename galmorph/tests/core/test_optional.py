# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Optional packages are imported late, and their absence is explained.
"""

import json.decoder
from importlib.metadata import PackageNotFoundError, metadata

import pytest

from galmorph.core import GalmorphError, MissingDependencyError, import_optional


def test_module_is_imported():
    assert import_optional("json.decoder", "plot") is json.decoder


def test_missing_package_is_named_with_its_extra():
    with pytest.raises(MissingDependencyError) as caught:
        import_optional("no_such_package.module", "sim")
    message = str(caught.value)
    assert message.startswith("no_such_package is needed")
    assert 'python -m pip install "astro-galmorph[sim]"' in message


def test_error_can_be_caught_as_ours_or_as_an_import_error():
    for kind in (GalmorphError, ImportError):
        with pytest.raises(kind):
            import_optional("no_such_package", "all")


def test_package_that_is_broken_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "broken_package.py").write_text("import no_such_part\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_part") as caught:
        import_optional("broken_package", "plot")
    assert not isinstance(caught.value, MissingDependencyError)


def test_extras_that_messages_name_are_there():
    try:
        extras = metadata("astro-galmorph").get_all("Provides-Extra")
    except PackageNotFoundError:
        pytest.skip("galmorph is imported from its sources, not installed")
    wanted = {"all", "dask", "dev", "docs", "gpu", "plot", "sim", "test"}
    assert wanted <= set(extras)
