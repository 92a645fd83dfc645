"""turn: the page from top to bottom, as it is made anew for each turn of each session."""

import secrets

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from deepfake.app.page import exports, parts
from deepfake.app.page.host import Room, room
from deepfake.app.page.parts import plain
from deepfake.app.service.jobs import Job
from deepfake.app.service.pictures import Glimpse, glimpse
from deepfake.app.service.refusal import Refused

PIECE = 2**20  # bytes that are copied at once
TURN = 0.5  # s between two looks at what is being done
STEPS = {"it waits": 0.05, "it is read": 0.2, "faces are looked for": 0.5, "the faces are judged": 0.85}


def page() -> None:
    """All of it."""
    st.set_page_config("deepfake", parts.icon(), layout="wide", menu_items={"About": None})
    ours, state = room(), st.session_state
    state.setdefault("client", secrets.token_urlsafe(16))
    state.setdefault("jobs", [])
    state.setdefault("upload", 0)
    st.title("Is this video forged?")
    st.caption("Detectors say what they see, and why they may be wrong. What they say is an opinion, and no proof.")
    names = chosen(ours)
    more = st.checkbox("Also make an annotated video and a case report of it")
    file = st.file_uploader(
        "A video or a picture", key=f"upload{state['upload']}", help=f"Taken are {plain(ours.desk.limits.words())}."
    )
    st.caption(f"Taken are {plain(ours.desk.limits.words())}. {kept(ours, more)}")
    if file is not None:
        hand_in(ours, file, names, more)
    if refused := state.pop("refused", None):
        st.error(f"**{plain(refused.title.capitalize())}:** {plain(str(refused))}", icon=":material/block:")
    jobs: list[Job] = state["jobs"]
    if jobs:
        job = next((job for job in jobs if job.id == state.get("shown")), jobs[-1])
        show(ours, job)
    parts.history(ours, jobs)


def chosen(ours: Room) -> tuple[str, ...]:
    """The detectors that are to judge, one or several."""
    names = list(ours.desk.models)
    if len(names) == 1:
        return (names[0],)
    picked = st.pills("Detectors, one or several side by side", names, selection_mode="multi", default=names)
    return tuple(picked) or tuple(names)


def kept(ours: Room, more: bool) -> str:
    """How long a video is kept, and what is made of it."""
    if not more:
        return "It is removed as soon as it is judged."
    minutes = f"{ours.desk.limits.keep_seconds / 60:g} minutes"
    return f"It is removed as soon as these are made; they are kept for {minutes} at most."


def hand_in(ours: Room, file: UploadedFile, names: tuple[str, ...], more: bool) -> None:
    """The upload goes from Streamlit's memory to the desk; the page begins anew without it."""
    state = st.session_state
    state["upload"] += 1
    try:
        place = ours.desk.enter(state["client"], max(1, file.size))
        try:
            upload = ours.desk.inbox.upload(file.name)
            while piece := file.read(PIECE):
                upload.write(piece)
        except BaseException:
            place.leave()
            raise
        job = ours.desk.take(upload, place, names, more=more)
    except Refused as error:
        state["refused"] = error
    else:
        state["jobs"].append(job)
        state["shown"] = job.id
    st.rerun()


def show(ours: Room, job: Job) -> None:
    """A job: what is done, or what came of it."""
    st.subheader("The video", divider="gray")
    st.text(job.name)  # as it is: no name is a mark-up
    facts = job.facts
    st.caption(
        f"{job.size / 1e6:,.1f} MB, {facts.codec}, {facts.width} × {facts.height} px, "  # noqa: RUF001
        f"{facts.seconds:.1f} s, {facts.frames:,} frames · SHA-256 `{job.sha256}`"
    )
    if job.state in ("waiting", "running"):
        progress(ours, job)
        return
    if job.refused:
        st.error(f"**{plain(job.refused.title.capitalize())}:** {plain(str(job.refused))}", icon=":material/block:")
        return
    if frames := next((result.frames for result in job.results if result.frames), b""):
        st.image(frames, "Some of the frames that were looked at", width="content")
    parts.results(ours, job)
    exports.exports(job)


@st.fragment(run_every=TURN)
def progress(ours: Room, job: Job) -> None:
    """What is done with a job, and what was found so far; looked at every half second."""
    key = f"seen {job.id}"
    seen: Glimpse = glimpse(job.scratch, st.session_state.get(key, Glimpse()))
    st.session_state[key] = seen
    if job.state not in ("waiting", "running"):
        st.rerun()
    if job.state == "waiting":
        seen.step = "it waits"
        before = ours.desk.before(job)
        st.progress(STEPS[seen.step], f"It waits: {before} before it" if before else "It waits")
        seen.step = Glimpse().step
    else:
        st.progress(STEPS[seen.step], seen.step.capitalize())
    if seen.frames:
        st.image(seen.frames, "Some of the frames that are looked at", width="content")
    for track, faces in sorted(seen.faces.items()):
        if faces:
            st.image(faces, f"Face {track}", width="content")
    if st.button("Stop", key=f"stop {job.id}", icon=":material/stop:"):
        job.cancel()
