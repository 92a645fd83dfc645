"""tables: what passes between stages: CSV for what a person reads, Parquet for the rest, JSON for metrics."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from deepfake.base.disk import aside
from deepfake.base.errors import UserError

DIGITS = 6  # of every float written: a rerun is byte-equal, a diff is readable


def read(path: Path, texts: Sequence[str] = ()) -> pd.DataFrame:
    """The table of a .csv or .parquet file; `texts` are columns of text, "" where a .csv has nothing.

    Raises UserError where there is none.
    """
    if not path.is_file():
        raise UserError(f"no table {path}", "run the stage that writes it: dvc repro")
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    table = pd.read_csv(path, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=[""])
    return table.assign(**{name: table[name].fillna("") for name in texts if name in table})


def write(path: Path, table: pd.DataFrame) -> None:
    """Write the table whole, floats rounded, rows as they come."""
    rounded = table.assign(**{name: table[name].round(DIGITS) for name in table.select_dtypes("float")})
    with aside(path) as new:
        if path.suffix == ".parquet":
            rounded.to_parquet(new, index=False, compression="zstd")
        else:
            rounded.to_csv(new, index=False, lineterminator="\n")


def write_metrics(path: Path, metrics: dict[str, Any]) -> None:
    """Write nested metrics as JSON, floats rounded; what is undefined is null, never 0."""
    with aside(path) as new:
        new.write_text(json.dumps(rounded(metrics), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def rounded(value: Any) -> Any:
    """The value with every float in it rounded to DIGITS, NaN as None, numpy scalars as Python's own."""
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    return value
