# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Label schemes name outputs, and their decision trees hold together.
"""

import json
import pickle

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table

from galmorph.core import (
    CANDELS,
    GALAXY_ZOO_2,
    ConfigurationError,
    LabelScheme,
    Question,
    get_scheme,
)

TREE = (
    Question("Smooth?", ("smooth", "featured")),
    Question("A bar?", ("bar", "no_bar"), "featured"),
)
OUTPUTS = ("smooth", "featured", "bar", "no_bar")


def test_candels_has_five_independent_votes():
    assert CANDELS.outputs == (
        "f_spheroid",
        "f_disk",
        "f_irregular",
        "f_point_source",
        "f_unclassifiable",
    )
    assert CANDELS.questions == ()
    assert CANDELS.error_columns[0] == "f_spheroid_err"


def test_galaxy_zoo_2_is_the_tree_of_the_challenge():
    sizes = [len(question.answers) for question in GALAXY_ZOO_2.questions]
    assert sizes == [3, 2, 2, 2, 4, 2, 3, 7, 3, 3, 6]
    assert GALAXY_ZOO_2.n_outputs == 37
    assert GALAXY_ZOO_2.outputs[0] == "Class1.1"
    assert GALAXY_ZOO_2.outputs[-1] == "Class11.6"
    everyone = [i for i, q in enumerate(GALAXY_ZOO_2.questions, 1) if q.parent is None]
    assert everyone == [1, 6]


def test_questions_come_after_their_parents():
    order = GALAXY_ZOO_2.question_order()
    assert sorted(order) == list(range(11))
    known = {None}
    for i in order:
        question = GALAXY_ZOO_2.questions[i]
        assert question.parent in known
        known.update(question.answers)


def test_order_does_not_depend_on_where_the_parent_stands():
    scheme = LabelScheme(
        "backwards", ("bar", "no_bar", "smooth", "featured"), questions=TREE[::-1]
    )
    assert scheme.question_order() == [1, 0]


def test_every_output_is_described():
    assert GALAXY_ZOO_2.describe("Class11.6").endswith("can't tell")
    assert CANDELS.describe("f_disk") == "Fraction of votes for a disk"
    assert LabelScheme("bars", ["f_bar"]).describe("f_bar") == "f_bar"


@pytest.mark.parametrize("scheme", [CANDELS, GALAXY_ZOO_2], ids=lambda s: s.name)
def test_scheme_survives_json_and_pickle(scheme):
    as_json = json.loads(json.dumps(scheme.to_dict()))
    assert LabelScheme.from_dict(as_json) == scheme
    assert pickle.loads(pickle.dumps(scheme)) == scheme


def test_scheme_is_found_by_name_or_given():
    assert get_scheme("galaxy_zoo_2") is GALAXY_ZOO_2
    own = LabelScheme("bars", ["f_bar"])
    assert get_scheme(own) is own


@pytest.mark.parametrize("wrong", ["kaggle", None, ["candels"]])
def test_unknown_scheme_is_refused_with_the_known_names(wrong):
    with pytest.raises(ConfigurationError, match="candels.*galaxy_zoo_2"):
        get_scheme(wrong)


def test_index_is_the_position_and_names_what_there_is():
    assert CANDELS.index("f_irregular") == 2
    with pytest.raises(ConfigurationError, match="no 'f_bar'; it has .*'f_disk'"):
        CANDELS.index("f_bar")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outputs": "f_bar"}, r"write outputs=\['f_bar'\]"),
        ({"outputs": ()}, "at least one"),
        ({"outputs": ("a", "b", "a")}, r"more than once: \['a'\]"),
        ({"descriptions": ("one",)}, "found 1 for 4 outputs"),
        ({"questions": TREE[:1]}, "must be the outputs"),
        (
            {"questions": (TREE[0], Question("A bar?", TREE[1].answers, "edge"))},
            "'edge', which is no output",
        ),
        (
            {
                "questions": (
                    Question("Smooth?", TREE[0].answers, "bar"),
                    TREE[1],
                )
            },
            "cycle",
        ),
    ],
)
def test_scheme_that_does_not_hold_together_is_refused(changes, message):
    arguments = {"name": "wrong", "outputs": OUTPUTS, "questions": TREE, **changes}
    if "outputs" in changes:
        arguments["questions"] = ()
    with pytest.raises(ConfigurationError, match=message):
        LabelScheme(**arguments)


def test_labels_are_columns_in_the_order_of_the_outputs():
    table = Table({"no": [1], "b": [0.25], "a": [1]})
    labels = LabelScheme("ab", ["a", "b"]).labels(table)
    assert labels.dtype == np.float32
    assert labels.tolist() == [[1.0, 0.25]]


def test_masked_labels_become_nan():
    table = Table({"a": MaskedColumn([1.0, 2.0], mask=[False, True])})
    labels = LabelScheme("a", ["a"]).labels(table)
    assert labels[0, 0] == 1
    assert np.isnan(labels[1, 0])


def test_per_cent_become_fractions():
    column = MaskedColumn([50, 100, 7], mask=[False, False, True], unit="%")
    for table in (Table({"a": column}), QTable({"a": [50.0, 100.0] * u.percent})):
        labels = LabelScheme("a", ["a"]).labels(table)
        assert labels[:2, 0].tolist() == [0.5, 1.0]
    assert np.isnan(LabelScheme("a", ["a"]).labels(Table({"a": column}))[2, 0])


@pytest.mark.parametrize("column", [["yes"], [1] * u.m])
def test_labels_that_are_no_fractions_are_told_by_column(column):
    with pytest.raises(ConfigurationError, match="'a' has no fractions"):
        LabelScheme("a", ["a"]).labels(QTable({"a": column}))


def test_a_table_of_another_package_is_told():
    with pytest.raises(ConfigurationError, match="found dict.*from_pandas"):
        LabelScheme("a", ["a"]).labels({"a": [1.0]})


def test_labels_of_no_rows_have_the_right_shape():
    table = Table({name: [] for name in CANDELS.outputs})
    assert CANDELS.labels(table).shape == (0, 5)


def test_missing_label_columns_are_named():
    table = Table({"f_disk": [1.0]})
    with pytest.raises(ConfigurationError, match="'f_spheroid'.*found .*'f_disk'"):
        CANDELS.labels(table)
