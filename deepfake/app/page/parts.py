"""parts: what the page shows of a result: verdicts side by side, the timeline, the history."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from deepfake.app.log import door
from deepfake.app.page.host import Room
from deepfake.app.service import words
from deepfake.app.service.jobs import Job
from deepfake.app.service.work import Result

MARKS = {  # wording of a verdict: what Streamlit shows it in, an icon and a colour; never the colour alone
    "manipulated": (":material/warning:", st.error),
    "suspicious": (":material/warning:", st.warning),
    "authentic": (":material/check_circle:", st.success),
    "nothing suspicious": (":material/check_circle:", st.success),
}
UNSURE = (":material/help:", st.info)
# told apart by everyone. Source: Okabe and Ito, "Color universal design", 2008
COLOURS_RGB = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233))
ALL = ", all faces"  # of a window of a long video
SPANS = 2000  # that a chart shows at most
ROWS = 20  # of the log


def icon() -> Image.Image:
    """A square that is half of another colour: a named icon would come from elsewhere."""
    square = np.full((32, 32, 3), COLOURS_RGB[0], np.uint8)
    square[:, 16:] = COLOURS_RGB[1]
    return Image.fromarray(square)


def plain(text: str) -> str:
    """The text as Markdown that shows it as it is."""
    return re.sub(r"([^\w\s,%'\"/])", r"\\\1", text, flags=re.ASCII)


def results(ours: Room, job: Job) -> None:
    """What each detector says, side by side; one below the other where the page is narrow."""
    for column, result in zip(st.columns(len(job.results)), job.results, strict=True):
        with column:
            verdict(result, ours.desk.models[result.facts["model"]].to_dict())
    if rows := list(spans(job)):
        timeline(pd.DataFrame(rows[:SPANS]))


def verdict(result: Result, model: Mapping[str, Any]) -> None:
    """The verdict of a detector, its reasons and doubts, and the faces that it looked at."""
    facts = result.facts
    icon, box = MARKS.get(str(facts.get("wording")), UNSURE)
    st.markdown(f"#### {plain(facts['model'])}")
    score = "" if facts["score"] is None else f" · probability of forgery {plain(words.percent(facts['score']))}"
    box(f"**{plain(words.head(facts))}**{score}", icon=icon)
    st.markdown("\n".join(f"- {plain(reason)}" for reason in words.reasons(facts)))
    for track, faces in sorted(result.faces.items()):
        st.image(faces, f"Face {track}, first to last", width="content")
    if result.heat:
        with st.expander("What speaks for that score", icon=":material/mode_heat:"):
            about = "The warmer, the more it counts (Grad-CAM): it tells where, and not why"
            st.image(result.heat, about, width="content")
    with st.expander("Doubts", icon=":material/balance:", expanded=facts["score"] is not None):
        st.markdown("\n".join(f"- {plain(doubt)}" for doubt in words.doubts(facts, model)))


def spans(job: Job) -> Iterator[dict[str, Any]]:
    """Every stretch of time that a detector said something of."""
    for result in job.results:
        facts = result.facts
        for window in facts.get("timeline") or ():
            if window["score"] is not None:
                yield {
                    "face": f"{facts['model']}{ALL}",
                    "s": window["start"],
                    "end": window["end"],
                    "P": window["score"],
                }
        for track in facts["tracks"]:
            for span in track.get("timeline") or (track,):
                face = f"{facts['model']}, face {track['track']}"
                yield {"face": face, "s": span["start"], "end": span["end"], "P": span["score"]}


def timeline(rows: pd.DataFrame) -> None:
    """P(fake) over the seconds of the video."""
    st.markdown("#### Over time")
    seconds = alt.X("s:Q", title="seconds", scale=alt.Scale(nice=False, padding=8))
    share = alt.Y("P:Q", title="probability of forgery", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1]))
    colours = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in COLOURS_RGB]
    legend = alt.Legend(title=None, orient="bottom", columns=1, labelLimit=300)
    about = [alt.Tooltip("face"), alt.Tooltip("s", format=".2f"), alt.Tooltip("P", format=".0%")]
    base = alt.Chart(rows).encode(
        seconds, share, alt.Color("face:N", legend=legend, scale=alt.Scale(range=colours)), tooltip=about
    )
    bound = alt.Chart(pd.DataFrame({"P": [0.5]})).mark_rule(strokeDash=[4, 4], color="#888888").encode(y="P:Q")
    shapes = alt.Shape("face:N", legend=legend)
    windows = alt.FieldOneOfPredicate("face", [face for face in rows["face"].unique() if face.endswith(ALL)])
    lines = base.transform_filter(~windows).mark_line(opacity=0.4)  # between windows, which touch, is nothing
    chart = bound + lines + base.mark_rule(strokeWidth=3).encode(x2="end:Q")
    st.altair_chart(chart + base.mark_point(filled=True, size=60).encode(shape=shapes), height=320)
    st.caption(
        "Above the dashed line it is called forged. Each point is a stretch of pictures that was judged together."
    )


def history(ours: Room, jobs: list[Job]) -> None:
    """What this session asked, to be shown again; and the log, where the page is this machine's own."""
    if len(jobs) > 1:
        st.subheader("Asked before", divider="gray")
        for job in reversed(jobs):
            heads = [words.head(result.facts) for result in job.results] or [job.refused.title if job.refused else "…"]
            left, right = st.columns([1, 4], vertical_alignment="center")
            if left.button("Show", key=f"show {job.id}", width="stretch"):
                st.session_state["shown"] = job.id
                st.rerun()
            right.text(f"{job.name}: {', '.join(heads)}")
    if ours.show_log and st.checkbox("Show the log of this machine"):
        rows = pd.DataFrame(door.opened().rows(last=ROWS))
        if rows.empty:
            st.caption("Nothing is logged yet.")
        else:
            kept = rows[["time", "path", "verdict", "status", "score", "content"]]
            st.dataframe(kept.iloc[::-1], hide_index=True)
