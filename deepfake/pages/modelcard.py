"""modelcard: what a trained detector is for, what it was measured on, and where it must not be trusted.

Source: Mitchell et al., "Model cards for model reporting", FAT* 2019; the metadata are those of the Hugging Face hub.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import yaml

from deepfake.pages.parts import titles
from deepfake.report import Facts, inconclusive, verdict, within

LIMITS = """\
- It knows the methods of forging that it was trained on. On others, and on videos from messengers or other cameras, it
  is worse, by an unknown amount: published detectors lose half of what they know on videos found in the wild.
- It looks at faces alone. A forged voice, text or scene is not seen.
- P(fake) supposes that real and fake are equally likely. Where fakes are rare, most alarms are false: at a
  prevalence of {prevalence:.3g}, which params.yaml supposes, the precision is the one in the table.
- Its verdict is a hint for a person who checks it, not a proof."""
ALL = "all test videos"
FAIR = {  # what is said of a test where the control of that name finds nothing wrong
    "sides": "no person, source or file is on two sides of the split",
    "calibrator": "the calibration comes from validation alone",
    "threshold": "the verdicts are those of the threshold that was frozen before",
}


def card(facts: Facts, splits: pd.DataFrame, name: str) -> str:
    """The card in Markdown: metadata, use, data, figures, limits; `name` tells this detector from others."""
    m = facts.metrics
    return f"""---
{yaml.safe_dump(metadata(m), sort_keys=False).strip()}
---

# Deepfake-video detector

{verdict(m)}

## Intended use

To tell face forgeries in videos from real ones, as one hint among others, and to repeat and compare published systems.
Not to accuse anyone, nor to filter videos without a person who looks at them.

## Training data

{data(splits)}

## Test

{fairness(facts.controls)}
{name}; 95 % intervals over {m["video"]["groups"]} groups of people.

{figures(m)}

## Limits

{LIMITS.format(prevalence=m["prevalence"])}
{measured(m)}

## How to use it

```bash
deepfake predict --detector models/detector VIDEO...
```
"""


def metadata(m: Mapping[str, Any]) -> dict[str, Any]:
    """What the hub reads: a result of the test, or one of what training has seen and one of what was held out."""
    return {
        "license": "mit",
        "library_name": "pytorch",
        "pipeline_tag": "video-classification",
        "tags": ["deepfake-detection", "face-forgery"],
        "model-index": [{"name": "deepfake", "results": [_result(*column) for column in _columns(m).items()]}],
    }


def _columns(m: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The parts of the test that no mean goes over."""
    if "held_out" in m:
        return {"seen in training": m["seen"], "held out of training": m["held_out"]}
    return {ALL: m["video"] | m["calibration"] | {"best_baseline": m["best_baseline"]}}


def _result(name: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    keys = {"roc_auc": "auc", "average_precision": "ap", "accuracy": "accuracy"}
    known = {kind: figures.get(key) for kind, key in keys.items()}
    return {
        "task": {"type": "video-classification", "name": "deepfake detection"},
        "dataset": {"type": "test", "name": "test split" if name == ALL else f"test split, {name}"},
        "metrics": [{"type": kind, "value": round(value, 4)} for kind, value in known.items() if value is not None],
    }


def fairness(outcome: Mapping[str, Any]) -> str:
    """How far the controls found the test to be one: what holds, what is wrong, what nobody looked for."""
    found = {control["name"]: control for control in outcome["controls"] if control["name"] in FAIR}
    holds = [text for name, text in FAIR.items() if name in found and found[name]["fine"]]
    wrong = [f"{name}: {control['finding']}" for name, control in found.items() if control["fine"] is False]
    unknown = [name for name in FAIR if name not in found or found[name]["fine"] is None]
    parts = {"Controlled: ": holds, "**Wrong**: ": wrong, "Not looked for: ": unknown}
    return "\n".join(f"{start}{'; '.join(own)}." for start, own in parts.items() if own)


def data(splits: pd.DataFrame) -> str:
    """How many real and fake videos are in each split, and by which methods."""
    names = {"train": "train", "val": "validation", "test": "test"}
    lines = ["| | real | fake | groups of people | methods |", "|---|---|---|---|---|"]
    for split, name in names.items():
        part = splits[splits["split"] == split]
        methods = ", ".join(sorted(set(part["method"]) - {""})) or "not named"
        counts = f"{(part['label'] == 0).sum()} | {(part['label'] == 1).sum()} | {part['group'].nunique()}"
        lines.append(f"| {name} | {counts} | {methods} |")
    return "\n".join(lines)


def figures(m: Mapping[str, Any]) -> str:
    """The figures that decide, as a table."""
    columns = _columns(m) | m.get("extra", {})  # each of its own: never a mean over two
    names = {
        "auc": "AUC",
        "eer": "equal error rate",
        "false_positive_rate": "reals called fake",
        "false_negative_rate": "fakes called real",
        "precision_at_prevalence": titles(m)["precision_at_prevalence"],
        "brier": "Brier score",
        "cllr": "Cllr",
    }
    rows = [[name, *(within(column, key) for column in columns.values())] for key, name in names.items()]
    rows.append(["inconclusive", *map(inconclusive, columns.values())])
    best = [column["best_baseline"] for column in columns.values()]
    named = [
        f"{within(baseline, 'auc')} ({baseline['name'].replace('_', ' ')})" if baseline["name"] else "there is none"
        for baseline in best
    ]
    head = ["| | " + " | ".join(columns) + " |", "|---" * (1 + len(columns)) + "|"]
    return "\n".join(head + [f"| {' | '.join(row)} |" for row in [*rows, ["best shortcut, AUC", *named]]])


def measured(m: Mapping[str, Any]) -> str:
    """What it was measured on, and what was found to be weak."""
    methods = ", ".join(sorted(m.get("by_method", {}))) or "not named"
    lines = [f"- Methods measured: {methods}."]
    if "held_out" in m:
        lines.append(f"- On what training had not seen: AUC {within(m['held_out'], 'auc')}.")
    for name, own in m.get("extra", {}).items():
        lines.append(f"- On {name}, of which it learnt nothing: AUC {within(own, 'auc')}.")
    if m["worst_slice"]["name"]:
        lines.append(f"- Worst on {m['worst_slice']['name']}: AUC {within(m['worst_slice'], 'auc')}.")
    if (share := m["coverage"]["ok"]) is not None and share < 1:
        lines.append(f"- {1 - share:.1%} of the test videos could not be scored.")
    return "\n".join(lines)
