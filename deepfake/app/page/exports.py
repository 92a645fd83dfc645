"""exports: what is said as JSON and CSV, and what is made of the video where that is asked for."""

import csv
import io
import json
from typing import Any

import streamlit as st

from deepfake.app.page.parts import plain
from deepfake.app.service.extras import Extra
from deepfake.app.service.jobs import Job

TURN = 1.0  # s between two looks at what is being made
ROW = 4  # buttons side by side
TITLES = {"film": ("Annotated video", ":material/movie:"), "case": ("Case report", ":material/description:")}
COLUMNS = ("model", "outcome", "verdict", "score", "status", "reason", "track", "start", "end", "track_score", "faces")


def exports(job: Job) -> None:
    """What was said, to be kept, and what was made of it."""
    coming = any(extra.state == "coming" for extra in job.extras)
    st.fragment(buttons, run_every=TURN if coming else None)(job, coming)
    with st.expander("All that was said", icon=":material/data_object:"):
        st.json(job.to_dict(), expanded=2)


def buttons(job: Job, coming: bool) -> None:
    """A button for each thing that can be kept; what is not there yet is looked at again."""
    if coming and not any(extra.state == "coming" for extra in job.extras):
        st.rerun()
    columns = [column for _ in range(0, 2 + len(job.extras), ROW) for column in st.columns(ROW)]
    whole = json.dumps(job.to_dict(), indent=2, ensure_ascii=False)
    texts = {"JSON": (whole, "application/json"), "CSV": (table(job), "text/csv")}
    for column, (kind, (text, media)) in zip(columns, texts.items(), strict=False):
        name = f"deepfake-{job.id}.{kind.lower()}"
        column.download_button(kind, text, name, media, icon=":material/download:", width="stretch")
    for number, (column, extra) in enumerate(zip(columns[2:], job.extras, strict=False)):
        with column:
            button(job, extra, number)
    for extra in job.extras:
        if extra.refused:
            st.caption(f"{label(job, extra)}: {plain(str(extra.refused))}.")


def button(job: Job, extra: Extra, number: int) -> None:
    """A link to what is there; what is not cannot be pressed."""
    if extra.state == "there":  # from the disk: Streamlit would hold it in memory
        icon = TITLES[extra.order.kind][1]
        st.link_button(label(job, extra), f"extras/{job.id}/{number}", icon=icon, width="stretch")
    else:
        icon = ":material/hourglass_top:" if extra.state == "coming" else ":material/block:"
        st.button(label(job, extra), key=f"{job.id} {number}", icon=icon, disabled=True, width="stretch")


def label(job: Job, extra: Extra) -> str:
    """What it is, and by which of several detectors."""
    title, _ = TITLES[extra.order.kind]
    return f"{title}: {plain(extra.order.model)}" if len(job.models) > 1 else title


def table(job: Job) -> str:
    """A row for each face of each detector, as CSV; one for a detector that saw none."""
    file = io.StringIO()
    rows = csv.DictWriter(file, ("name", "sha256", *COLUMNS), extrasaction="ignore", lineterminator="\n")
    rows.writeheader()
    name = f"'{job.name}" if job.name[:1] in "=+-@" else job.name  # a table's programs would take it for a formula
    for result in job.results:
        facts = {"name": name, "sha256": job.sha256} | result.facts
        tracks: tuple[dict[str, Any], ...] = tuple(facts["tracks"]) or ({},)
        for track in tracks:
            own = {key: track.get(key) for key in ("track", "start", "end", "faces")}
            rows.writerow(facts | own | {"track_score": track.get("score")})
    return file.getvalue()
