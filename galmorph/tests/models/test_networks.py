# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
import keras
import numpy as np
import pytest
from scipy import ndimage

from galmorph.core import (
    CANDELS,
    GALAXY_ZOO_2,
    ConfigurationError,
    GalmorphWarning,
    LabelScheme,
)
from galmorph.models import DecisionTree, Maxout, architectures, build, views
from galmorph.models._processors import lacks_bfloat16


def random_images(n, shape=(45, 45, 1), seed=1):
    return np.random.default_rng(seed).normal(size=(n, *shape)).astype(np.float32)


@pytest.mark.parametrize(
    ("architecture", "arguments", "parameters"),
    [
        ("hc15", {"n_outputs": 5}, 10_778_085),
        ("hc15", {"scheme": "candels"}, 10_778_085),
        ("hc15", {"scheme": GALAXY_ZOO_2}, 10_843_653),
        ("hc15", {"n_outputs": 5, "maxout": False}, 5_531_109),
        ("dense_ann", {"n_outputs": 5}, 1_202_181),
        ("dense_ann", {"n_outputs": 5, "units": [10], "dropout": 0.1}, 20_315),
    ],
)
def test_number_of_parameters(architecture, arguments, parameters):
    model = build(architecture, **arguments)
    assert model.count_params() == parameters
    assert model.dtype == "float32"


def test_hc15_has_the_layers_of_the_paper():
    model = build("hc15", n_outputs=5)
    shapes = [
        tuple(layer.output.shape[1:])
        for layer in model.layers
        if layer.name.startswith(("conv", "pool", "flatten", "dense", "output"))
    ]
    assert shapes == [
        (40, 40, 32),
        (20, 20, 32),
        (16, 16, 64),
        (8, 8, 64),
        (6, 6, 128),
        (4, 4, 128),
        (2, 2, 128),
        (512,),
        (2048,),
        (2048,),
        (5,),
    ]
    assert [model.get_layer(f"dropout{i}").rate for i in (1, 2)] == [0.5, 0.5]


@pytest.mark.parametrize("maxout", [True, False])
def test_hc15_starts_with_the_weights_of_the_paper(maxout):
    keras.utils.set_random_seed(1)
    model = build("hc15", n_outputs=5, maxout=maxout)
    expected = {
        "conv1": (0.01, 0.1),
        "conv2": (0.01, 0.1),
        "conv3": (0.01, 0.1),
        "conv4": (0.1, 0.1),
        "dense1": (0.001, 0.01),
        "dense2": (0.001, 0.01),
        "output": (0.01, 0.1),
    }
    for name, (sigma, bias) in expected.items():
        kernel, biases = (np.asarray(w) for w in model.get_layer(name).weights)
        assert kernel.std() == pytest.approx(sigma, rel=0.05)
        assert abs(kernel.mean()) < 5 * sigma / np.sqrt(kernel.size)
        np.testing.assert_array_equal(biases, np.float32(bias))


def test_outputs_of_independent_fractions_lie_between_0_and_1():
    for name in architectures():
        fractions = np.asarray(build(name, n_outputs=5)(1e3 * random_images(4)))
        assert fractions.shape == (4, 5)
        assert fractions.dtype == np.float32
        assert np.all((fractions >= 0) & (fractions <= 1))


def test_bands_and_size_of_the_stamps_are_free():
    model = build("hc15", n_outputs=2, input_shape=(64, 50, 3))
    assert model(random_images(2, (64, 50, 3))).shape == (2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"architecture": "resnet"}, r"no 'resnet'.*dense_ann.*hc15"),
        ({"n_outputs": None}, "n_outputs: give it, or a scheme"),
        ({"scheme": "galaxy_zoo_2"}, "found 5.*37 outputs"),
        ({"scheme": "nothing"}, "there is no 'nothing'"),
        ({"max_out": True}, r"no \['max_out'\].*\['dropout', 'maxout'\]"),
        ({"input_shape": (20, 20, 1)}, r"cannot be built with input_shape=\(20"),
        ({"input_shape": (45, 45)}, "height, width and bands"),
        ({"dropout": 2.0}, "cannot be built"),
        ({"n_outputs": 0}, "n_outputs"),
    ],
)
def test_what_cannot_be_built_is_refused(arguments, message):
    arguments = {"architecture": "hc15", "n_outputs": 5, **arguments}
    with pytest.raises(ConfigurationError, match=message):
        build(**arguments)


def test_maxout_is_the_maximum_of_its_pieces():
    layer = Maxout(3, pieces=2)
    layer.build((None, 4))
    rng = np.random.default_rng(3)
    kernel, bias = rng.normal(size=(4, 6)), rng.normal(size=6)
    layer.set_weights([kernel, bias])
    x = rng.normal(size=(7, 4)).astype(np.float32)
    pieces = np.stack([x @ kernel[:, i::2] + bias[i::2] for i in (0, 1)])
    np.testing.assert_allclose(layer(x), pieces.max(axis=0), rtol=1e-5, atol=1e-6)


def test_maxout_works_on_the_last_axis_and_knows_its_shape():
    layer = Maxout(3, pieces=4)
    x = random_images(2, (5, 6))
    assert layer(x).shape == (2, 5, 3) == layer.compute_output_shape(x.shape)
    for bad in ({"units": 0}, {"units": 3, "pieces": 0}):
        with pytest.raises(ConfigurationError, match="at least 1"):
            Maxout(**bad)


SMALL = LabelScheme.from_dict(
    {
        "name": "small",
        "outputs": ["a", "b", "c", "d", "e"],
        # the first question depends on the second
        "questions": [
            {"text": "which?", "answers": ["a", "b"], "parent": "d"},
            {"text": "what?", "answers": ["c", "d", "e"], "parent": None},
        ],
    }
)


def test_decision_tree_of_five_answers_by_hand():
    z = np.array([[3, 1, -5, 2, 6], [1, 0, 4, -1, 0]], np.float32)
    # what? relu (0, 2, 6) / 8; which? (3, 1) / 4, times 'd'
    expected = [[0.75 * 0.25, 0.25 * 0.25, 0, 0.25, 0.75], [0, 0, 1, 0, 0]]
    np.testing.assert_allclose(DecisionTree(SMALL)(z), expected, rtol=1e-6)


def test_decision_tree_of_galaxy_zoo_2_by_hand():
    z = dict.fromkeys(GALAXY_ZOO_2.outputs, -1.0)
    z |= {"Class1.1": 1, "Class1.2": 3}  # 1/4, 3/4
    z |= {"Class2.1": 1, "Class2.2": 4}  # of 3/4: 3/20, 12/20
    z |= {"Class3.1": 2, "Class3.2": 2}  # of 12/20: 6/20 each
    z |= {"Class4.1": 5, "Class4.2": 1}  # of 12/20: 10/20, 2/20
    z |= {"Class5.4": 0.1}  # of 12/20: all
    z |= {"Class6.1": 1, "Class6.2": 4}  # 1/5, 4/5
    z |= {"Class7.2": 9, "Class7.3": 1}  # of 1/4: 9/40, 1/40
    z |= {"Class8.6": 7}  # of 1/5: all
    z |= {"Class9.1": 2, "Class9.3": 1}  # of 3/20: 2/20, 1/20
    z |= {"Class10.1": 3, "Class10.2": 1, "Class10.3": 1}  # of 10/20
    z |= {"Class11.2": 4, "Class11.6": 1}  # of 10/20: 8/20, 2/20
    expected = dict.fromkeys(GALAXY_ZOO_2.outputs, 0.0)
    expected |= {"Class1.1": 0.25, "Class1.2": 0.75}
    expected |= {"Class2.1": 0.15, "Class2.2": 0.6}
    expected |= {"Class3.1": 0.3, "Class3.2": 0.3}
    expected |= {"Class4.1": 0.5, "Class4.2": 0.1}
    expected |= {"Class5.4": 0.6, "Class6.1": 0.2, "Class6.2": 0.8}
    expected |= {"Class7.2": 0.225, "Class7.3": 0.025, "Class8.6": 0.2}
    expected |= {"Class9.1": 0.1, "Class9.3": 0.05}
    expected |= {"Class10.1": 0.3, "Class10.2": 0.1, "Class10.3": 0.1}
    expected |= {"Class11.2": 0.4, "Class11.6": 0.1}
    found = DecisionTree(GALAXY_ZOO_2)(np.array([list(z.values())], np.float32))
    np.testing.assert_allclose(found[0], list(expected.values()), rtol=1e-6)


def test_decision_tree_is_finite_where_no_answer_is_positive():
    tree = DecisionTree(GALAXY_ZOO_2)
    assert np.all(np.asarray(tree(-np.ones((2, 37), np.float32))) == 0)
    assert np.isfinite(np.asarray(tree(np.full((2, 37), 1e-30, np.float32)))).all()


def test_network_of_a_decision_tree_obeys_it():
    fractions = np.asarray(build("hc15", scheme=GALAXY_ZOO_2)(random_images(3)))
    index = GALAXY_ZOO_2.index
    for question in GALAXY_ZOO_2.questions:
        total = fractions[:, [index(a) for a in question.answers]].sum(axis=1)
        parent = 1 if question.parent is None else fractions[:, index(question.parent)]
        np.testing.assert_allclose(total, parent * np.ones(3), rtol=1e-5)


def test_decision_tree_refuses_what_does_not_fit():
    with pytest.raises(ConfigurationError, match="'candels' has no questions"):
        DecisionTree(CANDELS)
    with pytest.raises(ConfigurationError, match="has 37 outputs"):
        DecisionTree(GALAXY_ZOO_2)(np.ones((1, 5), np.float32))
    with pytest.raises(ConfigurationError, match="epsilon"):
        DecisionTree(GALAXY_ZOO_2, epsilon=0)


def test_networks_are_rebuilt_from_their_config():
    model = build("hc15", scheme=GALAXY_ZOO_2)
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    x = random_images(2)
    np.testing.assert_array_equal(again(x), model(x))


def test_views_are_the_eight_of_the_square():
    images = random_images(2, (5, 5, 3))
    found = np.asarray(views(images))
    expected = [
        np.rot90(start, k, axes=(1, 2))
        for start in (images, images[:, :, ::-1])
        for k in range(4)
    ]
    assert found.shape == (8, 2, 5, 5, 3)
    assert sorted(v.tobytes() for v in found) == sorted(v.tobytes() for v in expected)
    for n in range(1, 9):
        np.testing.assert_array_equal(views(images, n), found[:n])
    np.testing.assert_array_equal(found[0], images)


def test_views_that_there_are_not_are_refused():
    for n in (0, 9, -1, 1.5):
        with pytest.raises(ConfigurationError, match="expected 1 to 8"):
            views(random_images(1), n)
    with pytest.raises(ConfigurationError, match="square"):
        views(random_images(1, (4, 5, 1)), 2)
    assert views(random_images(1, (4, 5, 1)), 1).shape == (1, 1, 4, 5, 1)
    with pytest.raises(ConfigurationError, match="expected 1 to 8"):
        views(random_images(1), 9, symmetric=True)


def test_views_for_symmetric_networks_lie_between_the_quarters():
    images = random_images(2, (9, 9, 3))
    found = np.asarray(views(images, 3, symmetric=True))
    assert found.shape == (3, 2, 9, 9, 3)
    np.testing.assert_array_equal(found[0], images)
    for view, angle in zip(found[1:], (30, 60), strict=True):
        # by scipy, where no pixel comes from beyond the edge
        expected = ndimage.rotate(images, angle, axes=(2, 1), reshape=False, order=1)
        inner = np.s_[:, 2:7, 2:7]
        np.testing.assert_allclose(view[inner], expected[inner], atol=1e-5)


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("processor : 0\nflags : fpu avx2\nprocessor : 1\nflags : fpu avx2\n", True),
        ("flags\t\t: fpu avx2 avx512f avx512_bf16\n", False),
        ("Features\t: fp asimd sve\n", True),
        ("Features\t: fp asimd bf16\n", False),
        ("model name : of another system\n", False),
    ],
)
def test_instructions_for_bfloat16_are_looked_for(text, lacks, tmp_path):
    (tmp_path / "cpuinfo").write_text(text)
    assert lacks_bfloat16(tmp_path / "cpuinfo") == lacks
    assert not lacks_bfloat16(tmp_path / "missing")


def test_a_processor_that_must_imitate_bfloat16_is_warned_of(monkeypatch):
    where = "galmorph.models._processors.lacks_bfloat16"
    devices = keras.distribution.list_devices()
    monkeypatch.setattr(where, lambda: False)
    build("dense_ann", n_outputs=5, precision="mixed_bfloat16")
    monkeypatch.setattr(where, lambda: True)
    if any(name.startswith("gpu") for name in devices):
        pytest.skip("this machine has a GPU, which computes")
    with pytest.warns(GalmorphWarning, match="precision: this processor"):
        build("dense_ann", n_outputs=5, precision="mixed_bfloat16")
