# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Label schemes: what the outputs of a network mean.
"""

from dataclasses import dataclass, field

import numpy as np

from galmorph.core._trees import GALAXY_ZOO_2_TREE
from galmorph.core.columns import plain_numbers
from galmorph.core.exceptions import ConfigurationError

__all__ = [
    "CANDELS",
    "GALAXY_ZOO_2",
    "LabelScheme",
    "Question",
    "get_scheme",
]


@dataclass(frozen=True)
class Question:
    """
    One question of a decision tree.

    Parameters
    ----------
    text : str
        The question as it is put to the classifiers.
    answers : tuple of str
        The outputs that are its answers; they are neighbours in the scheme.
    parent : str, optional
        The answer (an output) after which the question is put. `None` where
        everyone is asked.

    Examples
    --------
    >>> from galmorph.core import GALAXY_ZOO_2
    >>> GALAXY_ZOO_2.questions[1].parent
    'Class1.2'
    """

    text: str
    answers: tuple
    parent: str | None = None


@dataclass(frozen=True)
class LabelScheme:
    """
    Names, meanings and constraint of the outputs of a classifier.

    Parameters
    ----------
    name : str
        Name of the scheme.
    outputs : sequence of str
        One name per output. The outputs name the columns of tables: both of
        the label table that a model is trained with and of the results.
    descriptions : sequence of str, optional
        One line per output, for the description of the columns.
    questions : sequence of `Question`, optional
        The decision tree. Without one the outputs are independent fractions
        between 0 and 1 that need not sum to 1; with one, the answers of each
        question sum to the value of the answer that leads to it.
    reference : str, optional
        The publication that defines the scheme.

    Raises
    ------
    ConfigurationError
        If there is no output, if a name occurs twice, if the numbers of
        names and descriptions differ, or if the tree and the outputs do not
        fit together.

    Examples
    --------
    >>> from galmorph import LabelScheme
    >>> bars = LabelScheme("bars", outputs=["f_bar", "f_no_bar"])
    >>> bars.n_outputs
    2
    >>> bars.error_columns
    ('f_bar_err', 'f_no_bar_err')
    """

    name: str
    outputs: tuple
    descriptions: tuple = ()
    questions: tuple = ()
    reference: str = ""
    _index: dict = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if isinstance(self.outputs, str):
            raise ConfigurationError(
                f"outputs: expected a sequence of names, found the string"
                f" {self.outputs!r}; write outputs=[{self.outputs!r}]"
            )
        set_ = object.__setattr__
        set_(self, "outputs", tuple(str(output) for output in self.outputs))
        set_(self, "descriptions", tuple(self.descriptions))
        set_(self, "questions", tuple(self.questions))
        set_(self, "_index", {name: i for i, name in enumerate(self.outputs)})
        if not self.outputs:
            raise ConfigurationError("outputs: a label scheme needs at least one")
        if len(self._index) != len(self.outputs):
            twice = sorted({n for n in self.outputs if self.outputs.count(n) > 1})
            raise ConfigurationError(f"outputs: named more than once: {twice}")
        if self.descriptions and len(self.descriptions) != len(self.outputs):
            raise ConfigurationError(
                f"descriptions: found {len(self.descriptions)} for"
                f" {len(self.outputs)} outputs"
            )
        self._check_tree()

    def _check_tree(self):
        if not self.questions:
            return
        answers = tuple(a for question in self.questions for a in question.answers)
        if answers != self.outputs:
            raise ConfigurationError(
                "questions: their answers, in order, must be the outputs; found"
                f" {answers} for {self.outputs}"
            )
        for question in self.questions:
            if question.parent is not None and question.parent not in self._index:
                raise ConfigurationError(
                    f"questions: {question.text!r} follows {question.parent!r},"
                    " which is no output"
                )
        self.question_order()

    @property
    def n_outputs(self):
        """Number of outputs."""
        return len(self.outputs)

    @property
    def error_columns(self):
        """Names of the columns of errors, in the order of the outputs."""
        return tuple(f"{output}_err" for output in self.outputs)

    def index(self, output):
        """
        Position of an output.

        Parameters
        ----------
        output : str
            Its name.

        Returns
        -------
        index : int

        Raises
        ------
        ConfigurationError
            If the scheme has no such output.
        """
        try:
            return self._index[output]
        except KeyError:
            raise ConfigurationError(
                f"output: {self.name!r} has no {output!r}; it has {self.outputs}"
            ) from None

    def describe(self, output):
        """
        Description of an output, or its name where there is none.

        Parameters
        ----------
        output : str
            Its name.

        Returns
        -------
        description : str
        """
        index = self.index(output)
        return self.descriptions[index] if self.descriptions else output

    def question_order(self):
        """
        Order in which the questions can be scaled by their parents.

        Returns
        -------
        order : list of int
            Indices of the questions; each comes after the question that has
            its parent among the answers.

        Raises
        ------
        ConfigurationError
            If the tree has a cycle.
        """
        order, known = [], {None}
        while len(order) < len(self.questions):
            ready = [
                i
                for i, question in enumerate(self.questions)
                if i not in order and question.parent in known
            ]
            if not ready:
                raise ConfigurationError("questions: the decision tree has a cycle")
            for i in ready:
                order.append(i)
                known.update(self.questions[i].answers)
        return order

    def labels(self, table):
        """
        Take the outputs' columns out of a table.

        Parameters
        ----------
        table : `~astropy.table.Table`
            Table with a column for each output.

        Returns
        -------
        labels : `~numpy.ndarray`
            Array of shape (rows, outputs), float32; masked values are NaN, and
            per cent become fractions.

        Raises
        ------
        ConfigurationError
            If it is no astropy table, or if a column is missing or has no numbers.

        Examples
        --------
        >>> from astropy.table import Table
        >>> from galmorph import LabelScheme
        >>> bars = LabelScheme("bars", outputs=["f_bar"])
        >>> bars.labels(Table({"f_bar": [0.5, 1.0], "id": [1, 2]})).shape
        (2, 1)
        """
        if not hasattr(table, "colnames"):
            raise ConfigurationError(
                f"table: expected an astropy Table, found {type(table).__name__}; of a"
                " pandas DataFrame, Table.from_pandas makes one"
            )
        missing = [name for name in self.outputs if name not in table.colnames]
        if missing:
            raise ConfigurationError(
                f"table: the scheme {self.name!r} needs the columns {missing};"
                f" found {table.colnames}"
            )
        columns = []
        for name in self.outputs:
            try:
                columns.append(plain_numbers(table[name]).astype(np.float32))
            except (TypeError, ValueError) as error:
                raise ConfigurationError(
                    f"table: the column {name!r} has no fractions: {error}"
                ) from error
        return np.stack(columns, axis=1)

    def to_dict(self):
        """
        The scheme as plain data for JSON.

        Returns
        -------
        config : dict
        """
        return {
            "name": self.name,
            "outputs": list(self.outputs),
            "descriptions": list(self.descriptions),
            "questions": [
                {"text": q.text, "answers": list(q.answers), "parent": q.parent}
                for q in self.questions
            ],
            "reference": self.reference,
        }

    @classmethod
    def from_dict(cls, config):
        """
        Make a scheme from what `to_dict` returned.

        Parameters
        ----------
        config : dict

        Returns
        -------
        scheme : `LabelScheme`

        Examples
        --------
        >>> from galmorph.core import CANDELS, LabelScheme
        >>> LabelScheme.from_dict(CANDELS.to_dict()) == CANDELS
        True
        """
        config = dict(config)
        questions = tuple(
            Question(q["text"], tuple(q["answers"]), q["parent"])
            for q in config.pop("questions", ())
        )
        return cls(questions=questions, **config)


CANDELS = LabelScheme(
    name="candels",
    outputs=(
        "f_spheroid",
        "f_disk",
        "f_irregular",
        "f_point_source",
        "f_unclassifiable",
    ),
    descriptions=(
        "Fraction of votes for a spheroid",
        "Fraction of votes for a disk",
        "Fraction of votes for an irregular shape",
        "Fraction of votes for a point source or compact, unresolved object",
        "Fraction of votes for unclassifiable",
    ),
    reference="Kartaltepe et al. 2015, ApJS 221, 11; Huertas-Company et al. 2015,"
    " ApJS 221, 8",
)
"""The visual scheme of CANDELS: five fractions of votes, independent of each other."""


def _galaxy_zoo_2():
    questions, outputs, descriptions = [], [], []
    for number, (text, parent, answers) in enumerate(GALAXY_ZOO_2_TREE, 1):
        names = tuple(f"Class{number}.{i}" for i in range(1, len(answers) + 1))
        questions.append(Question(text, names, parent))
        outputs += names
        descriptions += [f"{text} {answer}" for answer in answers]
    return LabelScheme(
        name="galaxy_zoo_2",
        outputs=outputs,
        descriptions=descriptions,
        questions=questions,
        reference="Willett et al. 2013, MNRAS 435, 2835; Dieleman et al. 2015,"
        " MNRAS 450, 1441",
    )


GALAXY_ZOO_2 = _galaxy_zoo_2()
"""The decision tree of Galaxy Zoo 2: 37 fractions, named as in the Galaxy Challenge."""

_SCHEMES = {scheme.name: scheme for scheme in (CANDELS, GALAXY_ZOO_2)}


def get_scheme(scheme):
    """
    Find a label scheme by name.

    Parameters
    ----------
    scheme : str or `LabelScheme`
        ``'candels'``, ``'galaxy_zoo_2'``, or a scheme, which is returned.

    Returns
    -------
    scheme : `LabelScheme`

    Raises
    ------
    ConfigurationError
        If there is no scheme of that name.

    Examples
    --------
    >>> from galmorph.core import get_scheme
    >>> get_scheme("candels").n_outputs
    5
    """
    if isinstance(scheme, LabelScheme):
        return scheme
    try:
        return _SCHEMES[scheme]
    except (KeyError, TypeError):
        raise ConfigurationError(
            f"scheme: there is no {scheme!r}; known are {sorted(_SCHEMES)}, or give"
            " a LabelScheme"
        ) from None
