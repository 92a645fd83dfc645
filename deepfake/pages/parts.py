"""parts: what pages are put together from: tables, heat maps, and the names of figures."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

ROWS = {
    "auc": "AUC",
    "ap": "average precision",
    "eer": "equal error rate",
    "tpr_at_fpr_1": "true positives at 1 % false ones",
    "tpr_at_fpr_5": "true positives at 5 % false ones",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "mcc": "Matthews correlation",
    "false_positive_rate": "reals called fake",
    "false_negative_rate": "fakes called real",
    "precision_at_prevalence": "precision at a supposed prevalence",  # and which: titles
    "log_loss": "log-loss",
    "brier": "Brier score",
    "ece": "calibration error (equal mass)",
    "cllr": "Cllr",
    "min_cllr": "Cllr, least possible",
}


def titles(metrics: Mapping[str, Any]) -> dict[str, str]:
    """What each figure is called, with the prevalence that this test supposes."""
    of = f"{ROWS['precision_at_prevalence']} of {metrics['prevalence']:.3g}"
    return ROWS | {"precision_at_prevalence": of}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table that scrolls by itself where it is wider than the screen."""
    cells = "".join(f"<th>{escape(title)}</th>" for title in head)
    lines = "".join("<tr>" + "".join(f"<td>{_unbroken(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table></div>'


def _unbroken(text: str) -> str:
    """The text, escaped; an interval stays on one line."""
    return re.sub(r"\[[^\[\]]*\]", lambda interval: interval[0].replace(" ", "\N{NO-BREAK SPACE}"), escape(text))


def heat(head: Sequence[str], rows: Iterable[tuple[str, Sequence[tuple[str, str, float] | None]]]) -> str:
    """A table of cells, each a text, a smaller one below it, and how good it is, 0 (red) to 1 (green); or None."""
    cells = "".join(f"<th>{escape(title)}</th>" for title in head)
    lines = "".join(f"<tr><td>{escape(name)}</td>{''.join(map(_cell, row))}</tr>" for name, row in rows)
    return f'<div class="wide"><table class="heat"><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table></div>'


def _cell(cell: tuple[str, str, float] | None) -> str:
    if cell is None:
        return "<td></td>"
    text, small, good = cell
    hue = round(120 * min(1.0, max(0.0, good)))
    return f'<td style="background:hsl({hue} 65% 82%)">{escape(text)}<small>{escape(small)}</small></td>'
