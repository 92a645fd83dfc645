"""compare: the command that says whether two tests differ by more than noise."""

from typing import Annotated

import typer


def compare(
    first: Annotated[str, typer.Argument(help="a git revision, or a file of predictions")],
    second: Annotated[str, typer.Argument(help="another one")] = "reports/predictions.csv",
    resamples: Annotated[int, typer.Option(min=100, help="of the people, for the intervals")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="of the resamples")] = 0,
) -> None:
    """Say whether two detectors, tested on the same videos, differ by more than noise: deepfake compare main.

    It reads reports/predictions.csv of each revision, which is in git: nothing has to be pulled. The intervals, 95 %,
    are those of the difference, by resamples that draw the same people for both.
    """
    from deepfake.measures import compare as tests

    comparison = tests.compare(tests.predictions(first), tests.predictions(second), resamples, seed)
    print("\n".join(comparison.lines()))
