"""manifests: a CSV file that lists videos, as people and their spreadsheets write it, read into one clean form.

`path` says where a video lies, seen from the file; `label` is real or 0, fake or 1; `identities` are the people on it:
a swap shows two. Blanks around a text, capitals in a header, byte order marks, `;` or tabs make no difference.
"""

import codecs
import csv
import io
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from deepfake.base.errors import UserError, unknown
from deepfake.dataset.files import name_of, printable
from deepfake.dataset.videos import people

NAMES = ("manifest.csv", "INDEX.csv")
LABELS = {"real": 0, "0": 0, "fake": 1, "1": 1}
OPTIONAL = (  # what is not always known of a video
    *("identities", "method", "source", "dataset", "compression", "collection", "split", "mask"),
)
KNOWN = {"path", "label", "identity", *OPTIONAL}  # names of columns; others are kept as ABOUT with their name
ABOUT = "about_"  # whatever else is said of a video, such as about_sex: the test is divided by it
SEPARATORS = ",;\t|"
MARKS = {  # the first bytes of a text tell how it is written, where they are there
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # begins as UTF-16 does
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
BLANKS = r"[\s\u200b-\u200f\u2060\ufeff]+"  # those that show, and those of no width
FORM = "write one (columns path, label, ...) in UTF-8"


def index_of(root: Path) -> Path | None:
    """The file in a folder that may list what lies in it."""
    return next((root / name for name in NAMES if (root / name).is_file()), None)


def videos(root: Path, file: Path, *, unlabelled: str = "", partly: bool = False) -> pd.DataFrame:
    """One row a video: video_id, path relative to the root, label 0 or 1, and the optional columns, "" where unknown.

    People are joined by "+" alone; a source that is a listed path is its video_id. `unlabelled` is the label of all in
    a file without a column label; `partly` leaves out the rows whose label is empty. Raises UserError with the line.
    """
    table = read(file)
    if "label" not in table:
        if not unlabelled:
            raise UserError(f"{file}: no column label", f"it has: {', '.join(table.columns.drop('line'))}")
        table["label"] = unlabelled
    if partly:
        table = table[table["label"] != ""]
    paths = [_on_disk(root, path) for path in table["path"]]
    for row, path in zip(table.to_dict("records"), paths, strict=True):
        where = f"{file}:{row['line']}"
        for there in filter(None, [path, _on_disk(root, row.get("mask", ""))]) if path else [path]:
            _check_path(there, where, root)
        if row["label"].lower() not in LABELS:
            raise unknown("label", row["label"], LABELS, where=f"{where}: {printable(row['path'])}")
    names = {_clean(_plain(path)): name_of(there) for path, there in zip(table["path"], paths, strict=True)}
    lines: dict[str, int] = {}
    for path, line in zip(paths, table["line"], strict=True):
        if (first := lines.setdefault(path, line)) != line:
            raise UserError(f"{file}: {printable(path)} is listed twice: lines {first} and {line}", "one row a video")
    columns = {name: table[name].to_numpy() for name in table if name in OPTIONAL or name.startswith(ABOUT)}
    sources = map(_plain, table.get("source", [""] * len(table)))
    columns["source"] = [names.get(_clean(source), source) for source in sources]
    if "mask" in table:
        columns["mask"] = [mask and _on_disk(root, mask) for mask in table["mask"]]
    labels = table["label"].str.lower().map(LABELS)
    return listing(paths, label=labels.to_numpy(), **columns)


def listing(paths: Sequence[str], **columns: Any) -> pd.DataFrame:
    """What a layout gives: a row a path, its video_id, the columns given, "" in those of OPTIONAL that are not."""
    texts = pd.Series(paths, dtype=object)  # a name may be no UTF-8, which pandas' own texts cannot hold
    known = {"video_id": list(map(name_of, paths)), "path": texts, **columns}
    return pd.DataFrame({**known, **{name: "" for name in OPTIONAL if name not in columns}})


def read(file: Path) -> pd.DataFrame:
    """The rows of the file as text: `line`, where each begins, and the columns that are known, under their right names.

    Raises UserError for what is no table, with the line.
    """
    text = text_of(file)
    lines = list(cells_of(file, text, _separator(text)))
    header = [_clean(name).lower() for name in lines[0][1]] if lines else []
    header = ["identities" if name == "identity" else name for name in header]
    if not header:
        raise UserError(f"{file}: not a table: No columns: the file is empty", FORM)
    if twice := {name for name in header if name in KNOWN and header.count(name) > 1}:
        raise UserError(f"{file}: two columns {', '.join(sorted(twice))}", "one column of each name")
    if "path" not in header:
        lacking = ", ".join(name for name in ("label", "path") if name not in header)
        raise UserError(f"{file}: no column {lacking}", f"it has: {', '.join(map(repr, header))}")
    for line, row in lines[1:]:
        if len(row) != len(header):
            raise UserError(
                f"{file}:{line}: not a table: line {line} has {len(row)} fields, the header {len(header)}",
                "put a text that holds a separator into quotes; join two people by +",
            )
    if len(lines) == 1:
        raise UserError(f"{file}: lists no video", "one row a video")
    table = pd.DataFrame([row for _, row in lines[1:]], columns=header, dtype=str)
    further = {name: ABOUT + "_".join(re.findall(r"\w+", name)) for name in header if name not in KNOWN}
    table = table.loc[:, ~table.columns.duplicated()].drop(columns="", errors="ignore").rename(columns=further)
    table = table.assign(**{name: table[name].map(_clean) for name in table if name not in ("path", "mask")})
    if "identities" in table:
        table["identities"] = table["identities"].map(lambda names: "+".join(people(names)))
    return table.assign(path=table["path"].map(stripped), line=[line for line, _ in lines[1:]])


def text_of(file: Path) -> str:
    """What the file says. Raises UserError where it cannot be read, or is no UTF-8 and does not say what it is."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}", "allow it, or write another one") from None
    coding = next((coding for mark, coding in MARKS.items() if content.startswith(mark)), "utf-8")
    if coding.startswith("utf-8") and b"\0" in content:
        raise UserError(f"{file}: not a table: it holds zero bytes, as utf-16 without its mark does", FORM)
    try:
        return content.decode(coding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(
            f"{file}:{line}: not a table: no {coding} from byte 0x{content[error.start]:02x} on",
            "save it in UTF-8; spreadsheets call that CSV UTF-8",
        ) from None


def _separator(text: str) -> str:
    """The character that parts the header into the most known names, or that a spreadsheet's first line says."""
    first = text.lstrip().split("\n", 1)[0]
    if match := re.match(r"sep=(.)", first):
        return match[1]
    return max(SEPARATORS, key=lambda c: len(KNOWN & {_clean(name.strip('"')).lower() for name in first.split(c)}))


def cells_of(file: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, and the line that each begins on. Raises UserError for an open quote."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    line = 1
    try:
        for row in reader:
            if any(map(_clean, row)) and not row[0].startswith("sep="):
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{file}:{line}: not a table: line {line}: {error}", "mind its quotes") from None


def stripped(text: str) -> str:
    """The text without blanks around it."""
    return re.sub(rf"^{BLANKS}|{BLANKS}$", "", text)


def _clean(text: str) -> str:
    """The text without blanks around it, one between its words, accents in one form."""
    return unicodedata.normalize("NFC", re.sub(BLANKS, " ", text)).strip()


def _plain(path: str) -> str:
    """A path as a table may say it, as the same table would list it."""
    return path.replace("\\", "/").removeprefix("./")


def _check_path(path: str, where: str, root: Path) -> None:
    pure = Path(path)
    if not path or path != pure.as_posix() or pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise UserError(
            f"{where}: path {printable(path)!r}: must lie in {root}", "paths start there: real/a.mp4, not ./real/a.mp4"
        )


def _on_disk(root: Path, path: str) -> str:
    """The path of the file that is meant: systems write accents, and Windows separators, in another way."""
    forms = [path, *(unicodedata.normalize(form, path) for form in ("NFC", "NFD")), _plain(path)]
    return next((form for form in forms if os.path.lexists(root / form)), path)
