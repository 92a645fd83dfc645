"""compare: two tests of the same videos: is one better than the other by more than noise?"""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from deepfake.base.errors import UserError
from deepfake.dataset import videos
from deepfake.measures.intervals import Difference, delong, difference
from deepfake.measures.statistics import VERDICTS, Sample, called, figures

PREDICTIONS = Path("reports/predictions.csv")
FIGURES = ("auc", "balanced_accuracy", "eer", "log_loss", "brier")  # the first decides
NEEDED = ("video_id", "label", "group", "score", "verdict")


@dataclass(frozen=True)
class Comparison:
    """Of a second test with a first one, on the videos that both scored."""

    values: dict[str, tuple[float, float]]  # of each figure, in the first and in the second
    differences: dict[str, Difference]
    p: float | None  # of DeLong's test of equal AUCs, each video taken for a person of its own
    videos: int
    groups: int
    left_out: int  # that only one of the two scored

    @property
    def verdict(self) -> str:
        """Whether the difference is larger than noise, in one line."""
        gap = self.differences[FIGURES[0]]
        on = f"{self.videos} videos of {self.groups} groups of people"
        if gap.value is None:
            return f"the AUC is undefined on {on}: reals and fakes are needed"
        change = f"AUC {self.values['auc'][0]:.3f} -> {self.values['auc'][1]:.3f} on {on}"
        if gap.low is None:
            return f"{change}: too few people to tell whether that is noise"
        if not gap.beyond_noise:
            return f"{change}: not larger than noise"
        return f"{change}: {'better' if gap.value > 0 else 'worse'} by more than noise"

    def lines(self) -> list[str]:
        """Every figure, and the verdict, for a person."""
        rows = [
            f"{name.replace('_', ' '):<18} {self.values[name][0]:.3f} -> {self.values[name][1]:.3f}  {ranged(gap)}"
            for name, gap in self.differences.items()
            if gap.value is not None
        ]
        rest = [f"{self.left_out} videos that only one of the two scored are left out"] if self.left_out else []
        test = [f"DeLong's test, as if every video showed someone else: p = {self.p:.3f}"] if self.p is not None else []
        return [*rows, *test, *rest, self.verdict]


def ranged(gap: Difference) -> str:
    """A difference and its interval."""
    return f"{gap.value:+.3f}" + (f" [{gap.low:+.3f}, {gap.high:+.3f}]" if gap.low is not None else "")


def compare(first: pd.DataFrame, second: pd.DataFrame, resamples: int, seed: int) -> Comparison:
    """The second test beside the first. Raises UserError where they are of other videos, or disagree on a label."""
    both = first.merge(second[["video_id", "label", "score", "verdict"]], on="video_id", suffixes=("", "_second"))
    if both.empty:
        raise UserError("the two tests have no video in common", "compare tests of the same split of the same data")
    if len(other := both[both["label"] != both["label_second"]]):
        raise UserError(f"{other['video_id'].iloc[0]}: {len(other)} videos have another label in the second test")
    both = both[both["score"].notna() & both["score_second"].notna()]
    before = Sample.of(both)
    after = Sample.rows(both["label"], both["score_second"], both["group"], called(both["verdict_second"]))
    values = [{name: float(value[0]) for name, value in figures(sample).items()} for sample in (before, after)]
    scored = len(set(first.dropna(subset="score")["video_id"]) | set(second.dropna(subset="score")["video_id"]))
    return Comparison(
        {name: (values[0][name], values[1][name]) for name in FIGURES},
        {name: difference([before], [after], name, resamples, seed) for name in FIGURES},
        delong(before.label, before.score, after.score)[1] if before.people("auc") >= 2 else None,
        len(both),
        before.groups,
        scored - len(both),
    )


def predictions(name: str) -> pd.DataFrame:
    """A row for each test video, of a file of predictions, or of reports/predictions.csv of a git revision.

    Raises UserError for neither, and for a table without the columns of one.
    """
    try:
        table = videos.read(Path(name)) if Path(name).is_file() else _of_revision(name)
    except ValueError as error:
        raise UserError(f"{name}: not a table: {error}", f"it wants the columns {', '.join(NEEDED)}") from None
    if missing := [column for column in NEEDED if column not in table]:
        raise UserError(f"{name}: no column {', '.join(missing)}", f"it has: {', '.join(table.columns)}")
    rows = table[list(NEEDED)].drop_duplicates()  # older ones have a row for each sequence
    if faults := list(_faults(rows)):
        raise UserError("\n".join(f"{name}: {fault}" for fault in faults), "write it as reports/predictions.csv is")
    return table.loc[rows.index].assign(label=rows["label"].astype(int), score=pd.to_numeric(rows["score"]))


def _faults(rows: pd.DataFrame) -> Iterator[str]:
    """What is wrong with a table of predictions, a sentence each, with the first video that shows it."""
    score = pd.to_numeric(rows["score"], errors="coerce")
    known = {
        "score {} is not P(fake), from 0 to 1": ("score", rows["score"].notna() & ~score.between(0, 1)),
        "label {} is neither 0, real, nor 1, fake": (
            "label",
            ~pd.to_numeric(rows["label"], errors="coerce").isin((0, 1)),
        ),
        "verdict {} is none of fake, real and inconclusive": (
            "verdict",
            rows["verdict"].notna() & ~rows["verdict"].isin((*VERDICTS, "inconclusive")),
        ),
        "{} has two rows that differ": ("video_id", rows["video_id"].duplicated()),
    }
    for sentence, (column, wrong) in known.items():
        if wrong.any():
            first = rows[wrong].iloc[0]
            where = "" if column == "video_id" else f"{first['video_id']}: "
            yield where + sentence.format(first[column])


def _of_revision(name: str) -> pd.DataFrame:
    call = ["git", "show", f"{_commit(name)}:./{PREDICTIONS.as_posix()}"]
    shown = subprocess.run(call, capture_output=True, check=False)
    if shown.returncode:
        raise UserError(
            f"{name}: neither a file nor a revision with {PREDICTIONS}: {shown.stderr.decode().strip()}",
            "name a branch, a tag, a commit or an experiment, in the folder of the pipeline",
        )
    with TemporaryDirectory() as folder:
        file = Path(folder, PREDICTIONS.name)
        file.write_bytes(shown.stdout)
        return videos.read(file)


def _commit(name: str) -> str:
    """The commit of an experiment of DVC by its name, the newest of several; else the name as it is."""
    call = ["git", "for-each-ref", "--sort=-creatordate", "--format=%(objectname) %(refname)", "refs/exps"]
    listed = subprocess.run(call, capture_output=True, text=True, check=False).stdout.splitlines()
    known = [line.split(" ", 1) for line in listed]
    return next((commit for commit, ref in known if ref.rpartition("/")[2] == name), name)
