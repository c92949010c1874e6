# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import json

import numpy as np
import pytest

from galmorph.core import BundleError
from galmorph.models import Domain, Predictor, load_bundle
from galmorph.models._weights import write_arrays
from galmorph.models.domain import fit_domain, with_features
from galmorph.tests.models.conftest import save_small_bundle, small_network


def features_of(stamps):
    """What the last layer of the first small network sees."""
    return np.asarray(with_features(small_network(1))(stamps)[1])


@pytest.fixture
def domain(stamps):
    features = features_of(stamps)
    return fit_domain(features[:40], features[40:])


def test_distance_is_that_of_mahalanobis():
    random = np.random.default_rng(0)
    mixed = random.normal(size=(6, 6))
    known, held_out, others = random.normal(size=(3, 500, 6)) @ mixed + 5
    domain = fit_domain(known, held_out)
    inverse = np.linalg.inv(np.cov(known.T, ddof=0))

    def expected(features):
        away = features - known.mean(axis=0)
        return np.sqrt(np.sum(away @ inverse * away, axis=1))

    limit = np.quantile(expected(held_out), 0.99)
    np.testing.assert_allclose(
        domain.distances(others), expected(others) / limit, rtol=1e-4
    )
    assert np.mean(domain.distances(held_out) > 1) == pytest.approx(0.01)


def test_the_scale_is_that_of_the_mean_over_views():
    random = np.random.default_rng(2)
    known, held_out, others = random.normal(size=(3, 4000, 6))
    views = held_out + 0.7 * random.normal(size=(4, 4000, 6))
    outliers = random.normal(size=(4000, 6)) + np.array([4, 0, 0, 0, 0, 0])
    for away in (None, outliers):
        domain = fit_domain(known, views, away)
        mean = domain.distances(views).mean(axis=0)
        assert np.mean(mean > 1) == pytest.approx(0.01, abs=0.001)
        # each view by itself scatters more
        assert np.mean(domain.distances(views) > 1) > 0.012
        assert np.mean(domain.distances(others) > 1) < 0.01


def test_features_that_do_not_vary_have_no_domain():
    assert fit_domain(np.ones((10, 3)), np.ones((10, 3))) is None
    assert fit_domain(np.ones((1, 3)), np.ones((10, 3))) is None


def test_constant_features_are_left_out():
    known = np.random.default_rng(0).normal(size=(300, 4))
    known[:, 2] = 7
    domain = fit_domain(known[:200], known[200:])
    away = known.copy()
    away[:, 0] += 100
    assert domain.directions.shape == (4, 3)
    assert domain.distances(away).min() > 1


@pytest.mark.parametrize("views", [1, 8])
def test_a_bundle_keeps_the_domain(tmp_path, domain, stamps, views):
    path = save_small_bundle(
        tmp_path / "b.zip", domain=domain, weights_dtype="float32", members=2
    )
    bundle = load_bundle(path)
    found = Predictor(bundle, views=views).predict(stamps).distances
    assert found.dtype == np.float32
    if views == 1:
        expected = domain.distances(features_of(stamps))
        np.testing.assert_allclose(found, expected, rtol=1e-4)
    else:
        turned = Predictor(bundle, views=8).predict(stamps[:, ::-1]).distances
        np.testing.assert_allclose(turned, found, rtol=1e-4)


def test_known_outliers_are_far_though_their_features_are_common():
    random = np.random.default_rng(1)
    known, held_out, others = random.normal(size=(3, 2000, 6))
    outliers = random.normal(size=(2000, 6))
    outliers[:, 0] += 3
    plain = fit_domain(known, held_out)
    domain = fit_domain(known, held_out, outliers[::2])
    assert np.mean(plain.distances(outliers[1::2]) > 1) < 0.4
    assert np.mean(domain.distances(outliers[1::2]) > 1) > 0.6
    assert np.mean(domain.distances(held_out) > 1) == pytest.approx(0.01, abs=1e-3)
    assert np.mean(domain.distances(others) > 1) < 0.02


@pytest.mark.parametrize("views", [1, 8])
def test_a_bundle_keeps_what_outliers_are_like(tmp_path, stamps, views):
    features = features_of(stamps)
    domain = fit_domain(features[:40], features[40:], features[::3] + 0.1)
    path = save_small_bundle(tmp_path / "b.zip", domain=domain, weights_dtype="float32")
    bundle = load_bundle(path)
    np.testing.assert_array_equal(bundle.domain.outliers, domain.outliers)
    turned = np.stack([stamps, stamps[:, :, ::-1]])
    distances = [domain.distances(features_of(x)) for x in turned]
    found = Predictor(bundle, views=views).predict(stamps).distances
    if views == 1:
        np.testing.assert_allclose(found, distances[0], rtol=1e-4)
    else:
        again = Predictor(bundle, views=views).predict(turned[1]).distances
        np.testing.assert_allclose(found, again, rtol=1e-3)


def test_a_bundle_without_domain_does_not_know(make_bundle, stamps):
    bundle = make_bundle()
    assert bundle.domain is None
    assert np.isnan(Predictor(bundle).predict(stamps).distances).all()


def test_a_bundle_from_before_there_were_domains_is_read(tmp_path):
    path = save_small_bundle(tmp_path / "b")
    config = json.loads((path / "config.json").read_text())
    del config["domain"]
    (path / "config.json").write_text(json.dumps(config))
    assert load_bundle(path).domain is None


def test_a_damaged_domain_is_told(tmp_path, domain):
    path = save_small_bundle(tmp_path / "b", domain=domain)
    (path / "member-0.domain.h5").write_bytes(b"nothing")
    with pytest.raises(BundleError, match="damaged"):
        load_bundle(path)


@pytest.mark.parametrize(
    "arrays",
    [
        {"mean": [0.0]},
        {"mean": [0.0], "directions": [[1.0], [2.0]]},
        {"mean": [0.0], "directions": [1.0]},
        {"mean": [0.0], "directions": [[1.0]], "outliers": [1.0]},
    ],
)
def test_a_domain_of_wrong_arrays_is_refused(arrays):
    with pytest.raises(BundleError, match="mean"):
        Domain.from_bytes(write_arrays(arrays, "float32"))
