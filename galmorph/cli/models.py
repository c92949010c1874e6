# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
``galmorph models``: what models there are, and whether their files are right.
"""

from galmorph.cli.output import print_table

__all__ = ["add_parser", "run_fetch", "run_list", "run_show", "run_verify"]


def add_parser(verbs):
    """
    Add the verb to the command line.

    Parameters
    ----------
    verbs : object
        Its ``add`` makes the verb's parser.
    """
    parser = verbs.add(
        "models", "list, show, fetch and verify models", "galmorph models list"
    )
    kinds = verbs.within(parser, "action")
    kinds.add("list", "list the registered models", "galmorph models list", run_list)
    for name, run, summary in (
        ("show", run_show, "show the card of a model"),
        ("fetch", run_fetch, "fetch a model into astropy's download cache"),
        ("verify", run_verify, "compare a model's file with its registered SHA-256"),
    ):
        kind = kinds.add(name, summary, f"galmorph models {name}", run)
        kind.add_argument(
            "model",
            nargs="?",
            metavar="NAME",
            help="a registered name; by default the default model",
        )


def run_list(args):
    """
    List the registered models.

    Parameters
    ----------
    args : `argparse.Namespace`
    """
    from galmorph.models import list_models

    models = list_models()
    if not len(models):
        print("no model is registered")
        return
    print_table(models)


def run_show(args):
    """
    Show a model's card.

    Parameters
    ----------
    args : `argparse.Namespace`
    """
    from galmorph.models import fetch_model, load_bundle

    bundle = load_bundle(fetch_model(args.model))
    print(f"name      {bundle.name}")
    print(f"SHA-256   {bundle.sha256}")
    print(f"scheme    {bundle.scheme.name}: {', '.join(bundle.scheme.outputs)}")
    print(f"members   {bundle.members}")
    print(f"\n{bundle.card.strip()}")


def run_fetch(args):
    """
    Fetch a model.

    Parameters
    ----------
    args : `argparse.Namespace`
    """
    from galmorph.models import fetch_model

    print(fetch_model(args.model))


def run_verify(args):
    """
    Verify a model's file.

    Parameters
    ----------
    args : `argparse.Namespace`
    """
    from galmorph.models import verify_model

    print(verify_model(args.model))
