# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Errors can be caught as galmorph's or as the kind that one would expect.
"""

import pytest
from astropy.utils.exceptions import AstropyUserWarning

from galmorph import core


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (core.ImageError, ValueError),
        (core.CatalogError, ValueError),
        (core.ConfigurationError, ValueError),
        (core.BundleError, ValueError),
        (core.UnknownModelError, LookupError),
        (core.DownloadError, OSError),
        (core.MissingDependencyError, ImportError),
    ],
)
def test_error_is_ours_and_of_the_expected_kind(error, expected):
    assert issubclass(error, core.GalmorphError)
    assert issubclass(error, expected)
    assert str(error("what was found")) == "what was found"


def test_warning_is_seen_where_astropys_are():
    assert issubclass(core.GalmorphWarning, AstropyUserWarning)
