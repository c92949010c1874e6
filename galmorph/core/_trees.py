# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Questions of decision trees.
"""

GALAXY_ZOO_2_TREE = [
    (
        "Is the galaxy simply smooth and rounded, with no sign of a disk?",
        None,
        ("smooth", "features or disk", "star or artifact"),
    ),
    ("Could this be a disk viewed edge-on?", "Class1.2", ("yes", "no")),
    (
        "Is there a sign of a bar feature through the centre of the galaxy?",
        "Class2.2",
        ("yes", "no"),
    ),
    ("Is there any sign of a spiral arm pattern?", "Class2.2", ("yes", "no")),
    (
        "How prominent is the central bulge, compared with the rest of the galaxy?",
        "Class2.2",
        ("no bulge", "just noticeable", "obvious", "dominant"),
    ),
    ("Is there anything odd?", None, ("yes", "no")),
    (
        "How rounded is it?",
        "Class1.1",
        ("completely round", "in between", "cigar-shaped"),
    ),
    (
        "Is the odd feature a ring, or is the galaxy disturbed or irregular?",
        "Class6.1",
        (
            "ring",
            "lens or arc",
            "disturbed",
            "irregular",
            "other",
            "merger",
            "dust lane",
        ),
    ),
    (
        "Does the galaxy have a bulge at its centre? If so, what shape?",
        "Class2.1",
        ("rounded", "boxy", "no bulge"),
    ),
    (
        "How tightly wound do the spiral arms appear?",
        "Class4.1",
        ("tight", "medium", "loose"),
    ),
    (
        "How many spiral arms are there?",
        "Class4.1",
        ("1", "2", "3", "4", "more than 4", "can't tell"),
    ),
]
"""Question, parent and answers: Willett et al. 2013, table 2, numbered as there."""
