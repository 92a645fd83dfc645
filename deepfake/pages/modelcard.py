"""modelcard: what a trained detector is for, what it was measured on, and where it must not be trusted.

Source: Mitchell et al., "Model cards for model reporting", FAT* 2019; the metadata are those of the Hugging Face hub.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import yaml

from deepfake.report import Facts, inconclusive, verdict, within

LIMITS = """\
- It knows the methods of forging that it was trained on. On others, and on videos from messengers or other cameras, it
  is worse, by an unknown amount: published detectors lose half of what they know on videos found in the wild.
- It looks at faces alone. A forged voice, text or scene is not seen.
- P(fake) supposes that real and fake are equally likely. Where fakes are rare, most alarms are false: at a prevalence
  as supposed in params.yaml, the precision is the one in the table.
- Its verdict is a hint for a person who checks it, not a proof."""


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

Videos of people, sources and files that training has not seen; threshold and calibration come from validation.
{name}; 95 % intervals over {m["video"]["groups"]} groups of people.

{figures(m)}

## Limits

{LIMITS}
{measured(m)}

## How to use it

```bash
deepfake predict --detector models/detector VIDEO...
```
"""


def metadata(m: Mapping[str, Any]) -> dict[str, Any]:
    """What the hub reads."""
    named = {"roc_auc": m["video"]["auc"], "average_precision": m["video"]["ap"], "accuracy": m["video"]["accuracy"]}
    metrics = [{"type": name, "value": round(value, 4)} for name, value in named.items() if value is not None]
    task = {"type": "video-classification", "name": "deepfake detection"}
    return {
        "license": "mit",
        "library_name": "pytorch",
        "pipeline_tag": "video-classification",
        "tags": ["deepfake-detection", "face-forgery"],
        "model-index": [
            {
                "name": "deepfake",
                "results": [{"task": task, "dataset": {"type": "test", "name": "test split"}, "metrics": metrics}],
            }
        ],
    }


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
    further: Mapping[str, Any] = m.get("extra", {})  # columns of their own: never a mean with the test
    test = m["video"] | m["calibration"]
    names = {
        "auc": "AUC",
        "eer": "equal error rate",
        "false_positive_rate": "reals called fake",
        "false_negative_rate": "fakes called real",
        "precision_at_prevalence": "precision at the supposed prevalence",
        "brier": "Brier score",
        "cllr": "Cllr",
    }
    rows = [[name, *(within(column, key) for column in (test, *further.values()))] for key, name in names.items()]
    rows.append(["inconclusive", *map(inconclusive, (test, *further.values()))])
    best = [column["best_baseline"] for column in (m, *further.values())]
    named = [f"{within(baseline, 'auc')} ({str(baseline['name']).replace('_', ' ')})" for baseline in best]
    head = ["| | " + " | ".join(["all test videos", *further]) + " |", "|---" * (2 + len(further)) + "|"]
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
