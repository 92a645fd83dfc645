"""beside: what may not be averaged into the test: what was held out, further datasets, and what videos go through."""

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd

from deepfake.measures.protocol import BESIDE
from deepfake.pages.parts import heat, table, titles
from deepfake.report import inconclusive, within

MAPS = {  # what a heat map shows: how good a value is, from 0 to 1
    "auc": ("AUC", lambda value: 2 * value - 1),
    "false_positive_rate": ("Reals called fake", lambda value: 1 - 2 * value),
}


def columns(m: Mapping[str, Any]) -> str:
    """What training has seen beside what was held out of it."""
    if "held_out" not in m:
        return ""
    return "<h2>Seen in training, and held out</h2>" + _side_by_side(
        {"seen": m["seen"], "held out": m["held_out"]}, titles(m)
    )


def extra(m: Mapping[str, Any]) -> str:
    """The test beside each further dataset."""
    if "extra" not in m:
        return ""
    test = m["video"] | m["calibration"] | {"best_baseline": m["best_baseline"], "coverage": m["coverage"]}
    text = "Nothing was fitted on them; videos that share people, sources or pictures with training are left out."
    return f"<h2>Further datasets</h2><p>{text}</p>" + _side_by_side({"the test": test, **m["extra"]}, titles(m))


def _side_by_side(tests: Mapping[str, Mapping[str, Any]], called: Mapping[str, str]) -> str:
    rows: list[tuple[object, ...]] = [
        (what, *(test[what] for test in tests.values())) for what in ("reals", "fakes", "groups")
    ]
    rows.append(("inconclusive", *(inconclusive(test) for test in tests.values())))
    if any("left_out" in test for test in tests.values()):
        rows += [("scored", *(_scored(test["coverage"]) for test in tests.values()))]
        rows += [("left out", *(test.get("left_out", "") for test in tests.values()))]
    rows += [(called[name], *(within(test, name) for test in tests.values())) for name in BESIDE]
    rows.append(("best shortcut, AUC", *(within(test["best_baseline"], "auc") for test in tests.values())))
    return table(("", *tests), rows)


def _scored(coverage: Mapping[str, Any]) -> str:
    return f"{coverage['scored']} of {coverage['expected']}"


def robustness(cells: pd.DataFrame) -> str:
    """Heat maps of AUC and false alarms, the mean loss, and the worst by name; nothing where it was not measured."""
    if cells.empty:
        return ""
    changed = cells[cells["kind"] != "clean"]
    maps = "".join(f"<div><h3>{name}</h3>{_map(changed, figure)}</div>" for figure, (name, _) in MAPS.items())
    return f'<h2>Robustness</h2><p>{escape(_said(cells))}</p><div class="maps">{maps}</div>'


def _said(cells: pd.DataFrame) -> str:
    """What perturbations cost, in sentences."""
    clean, changed = cells[cells["kind"] == "clean"].iloc[0], cells[cells["kind"] != "clean"]
    lines = [f"Whole frames were changed in {len(changed)} ways and their faces found anew, from level 1, mild, to 5."]
    sure = changed[changed["drop_low"].notna()]  # people enough are scored for an interval
    if len(sure):
        drop, worst = sure["drop"].astype(float), sure.loc[sure["auc"].astype(float).idxmin()]
        lines.append(f"As the videos are, the AUC is {_within(clean, 'auc')}; on average {drop.mean():.3f} is lost.")
        lines.append(f"The worst is {_name(worst)}: AUC {_within(worst, 'auc')}.")
    called = sure[sure["false_positive_rate"].notna()]  # else every real is inconclusive
    if len(called):
        most = called.loc[called["false_positive_rate"].astype(float).idxmax()]
        lines.append(
            f"Most reals are called fake after {_name(most)}: {_within(most, 'false_positive_rate')}; "
            f"as they are, {_within(clean, 'false_positive_rate')}."
        )
    least = changed.loc[changed["coverage"].idxmin()]
    share = f"{least['coverage']:.1%}; as they are, {clean['coverage']:.1%}"
    lines.append(f"Fewest can be scored after {_name(least)}: {share}.")
    return " ".join(lines)


def _name(cell: "pd.Series[Any]") -> str:
    return f"{cell['kind'].replace('_', ' ')}, level {cell['level']}"


def _within(cell: "pd.Series[Any]", name: str) -> str:
    return within({key: None if pd.isna(value) else value for key, value in cell.items()}, name)


def _map(changed: pd.DataFrame, figure: str) -> str:
    levels = sorted(set(changed["level"]))
    good = MAPS[figure][1]
    rows = []
    for kind, own in changed.groupby("kind", sort=False):
        known = {cell["level"]: cell for _, cell in own.iterrows()}
        rows.append((str(kind).replace("_", " "), [_cell(known.get(level), figure, good) for level in levels]))
    return heat(["", *(f"level {level}" for level in levels)], rows)


def _cell(cell: "pd.Series[Any] | None", figure: str, good: Any) -> tuple[str, str, float] | None:
    if cell is None:
        return None
    value, low, high = (float(cell[name]) for name in (figure, f"{figure}_low", f"{figure}_high"))
    if pd.isna(low):
        return "too few", f"{cell['coverage']:.0%} scored", 0.0
    return f"{value:.2f}", f"{low:.2f} to {high:.2f}", good(value)
