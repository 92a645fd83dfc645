"""pages: a case in words: the sections of case.html and case.pdf, from its facts alone."""

from collections.abc import Iterator, Mapping
from typing import Any

from deepfake.app.predict.outputs import clock
from deepfake.pages.document import Pictures, Points, Section, Table, Text, Timeline
from deepfake.scope import Column, Method, Scope

Facts = Mapping[str, Any]

TITLE = "Case report: is this video manipulated?"
STANDING = (
    "Three things are kept apart: what the file's signed history says (2), what the file says of itself (3), and what "
    "a statistical detector holds for likelier (4). None of them is a proof."
)
LIMITS = (
    "The detector knows the methods of forging that it was trained on. On others, and on videos from messengers or "
    "other cameras, it is worse, by an unknown amount: published detectors lose half of what they know in the wild.",
    "It looks at faces alone. A forged voice, text or scene is not seen.",
    "P(fake) supposes that real and fake are equally likely beforehand. Where fakes are rare, most alarms are false: "
    "the likelihood ratio is to be weighed with all else that is known of the case.",
    "Its verdict is a hint for a person who checks it, not a proof.",
)
SCALE = (
    "Likelihood ratio: how many times likelier such a score is of a fake than of a real video, as calibrated on the "
    "detector's validation. Words by the scale of ENFSI, Guideline for evaluative reporting in forensic science, 2015."
)
SIGNED = {
    "signer": "Signed by",
    "signed": "Signed at",
    "program": "Written by",
    "actions": "Said to have been done",
    "sources": "Said to come from",
    "faults": "What does not hold",
}
RATES = {
    "auc": "AUC",
    "eer": "equal error rate",
    "false_positive_rate": "reals called fake",
    "false_negative_rate": "fakes called real",
}
UNTESTED = (
    "The detector's card tells of no test, and none was named (--test reports/metrics.json): the figures are of the "
    "videos that it was calibrated on, and flatter it."
)
ORIGIN = {  # what a detector says it was made of
    "data": "Detector, SHA-256 of the faces it learnt from",
    "split": "Detector, SHA-256 of their split",
    "revision": "Detector, published as commit",
    "date": "Detector, date of that commit",
    "licence": "Detector, licence",
}
AGAIN = (
    "deepfake verify FOLDER runs all of it again and says whether exhibit, detector, program and score are the same. "
    "No time and no path is part of this report: the same video, detector and program give the same bytes."
)


def sections(f: Facts, pictures: Mapping[str, bytes]) -> Iterator[Section]:
    """The report: what the file is, what it says of itself, what the detector says, and what that is worth."""
    yield Section("In short", (Text(summary(f), "strong"), Text(STANDING, "dim")))
    yield Section("1. The exhibit", (Table((), list(exhibit(f["exhibit"]))),))
    yield Section("2. Content credentials", tuple(credentials(f["credentials"])))
    yield Section("3. What the file says of itself", tuple(container(f["container"])))
    yield Section("4. The detector's opinion", tuple(opinion(f["opinion"], pictures)))
    yield Section("5. What that is worth: known error rates", tuple(errors(f)))
    yield Section("6. Scope and limits", (Points([*measured(f["detector"]["scope"]), *LIMITS]), Text(SCALE, "dim")))
    yield Section("7. How it is repeated", tuple(repeat(f)))
    yield Section("8. Examiner", (Table((), [(name, "\n\n") for name in ("Name", "Place and date", "Signature")]),))


def summary(f: Facts) -> str:
    """The case in a few sentences."""
    opinion = f["opinion"]
    first = f"Exhibit {f['exhibit']['name']} (SHA-256 begins with {f['exhibit']['sha256'][:16]}). "
    if opinion["score"] is None:
        return f"{first}The detector gives no score: {opinion['status']}: {opinion['reason']}."
    if opinion["log10_ratio"] is None:
        return f"{first}The detector's opinion is inconclusive: {opinion['reason']}."
    note = f" {opinion['reason'].capitalize()}." if opinion["reason"] else ""
    word = f'The detector\'s word is "{opinion["wording"]}": {opinion["verbal"]}, P(fake) {opinion["score"]:.3f}.'
    return f"{first}{word}{note}"


def exhibit(e: Facts) -> Iterator[tuple[str, str]]:
    """What identifies the file."""
    yield "File", e["name"]
    yield "Size", f"{e['bytes']:,} bytes"
    yield "SHA-256", e["sha256"]


def credentials(c: Facts) -> Iterator[Text | Table]:
    """What its signed history says."""
    yield Text(c["said"])
    known = {name: c[key] for key, name in SIGNED.items() if c.get(key)}
    if known:
        yield Table(
            (), [(name, value if isinstance(value, str) else ", ".join(value)) for name, value in known.items()]
        )
        yield Text("Credentials are claims of their signer, read without the network: revocation is not known.", "dim")


def container(c: Facts) -> Iterator[Text | Table | Points]:
    """What the file says of itself."""
    rows = [("Container", c["format"]), ("Duration", f"{c['duration']:.3f} s")]
    rows.append(("Bit rate", f"{c['bitrate'] / 1000:.0f} kbit/s"))
    rows += [(f"Stream {facts['index']}, {facts['type']}", stream(facts)) for facts in c["streams"]]
    rows += [("Tags", tags(c["tags"]))] if c["tags"] else []
    rows += [(f"Tags of stream {facts['index']}", tags(facts["tags"])) for facts in c["streams"] if facts["tags"]]
    rows += [("Boxes", " ".join(c["boxes"]))] if c["boxes"] else []
    if c["edits"]:
        rows.append(("Edit lists", "; ".join(f"from {edit['start']}, {edit['duration']} long" for edit in c["edits"])))
    yield Table((), rows)
    if c["signs"]:
        yield Text("Signs of having been written by a program. Every messenger and every editor leaves such.")
        yield Points(c["signs"])
    else:
        yield Text("No sign of having been written by another program than a camera's. Tags are easily changed.")


def stream(facts: Facts) -> str:
    """A stream in a line."""
    line = f"{facts['codec']} {facts['profile']}".strip()
    if facts["type"] == "video" and "width" in facts:
        line += f", {facts['width']} x {facts['height']} px, {facts['pixels']}"
        line += f", {facts['rate']:g} frames a second" if facts["rate"] else ""
        line += f", {facts['frames']} frames by its header" if facts["frames"] else ""
    if facts["type"] == "audio" and "channels" in facts:
        line += f", {facts['sampling']} Hz, {facts['channels']} channels"
    return line + ("; looked at" if facts["shown"] else "")


def tags(values: Mapping[str, str]) -> str:
    """Tags in a line."""
    return "; ".join(f"{name}: {value}" for name, value in values.items())


def opinion(o: Facts, pictures: Mapping[str, bytes]) -> Iterator[Text | Table | Pictures | Timeline]:
    """What the detector says."""
    rows = [("Verdict", f"{o['wording'] or o['status']}" + (f" ({o['verdict']})" if o["verdict"] else ""))]
    if o["score"] is not None:
        rows.append(("P(fake)", f"{o['score']:.6f}, calibrated; threshold {o['threshold']:.3f}"))
    rows.append(("Likelihood ratio", ratio(o["log10_ratio"], o["verbal"])))
    rows += [("Why", o["reason"])] if o["reason"] else []
    known = "not known of this detector" if o["novelty"] is None else f"{o['novelty']:.2f} (above 1: unlike)"
    rows.append(("Distance from its training data", known))
    yield Table((), rows)
    if o["tracks"]:
        yield Table(("Face", "from", "to", "frames", "P(fake)"), [faced(track) for track in o["tracks"]])
    if pictures:
        yield Pictures([(picture, name) for name, picture in pictures.items()])
    if o["timeline"]:
        yield Timeline(
            "P(fake) over time, window by window", [(w["start"], w["end"], w["score"]) for w in o["timeline"]]
        )
        yield Table(("Window", "P(fake)", "verdict", "faces"), [windowed(window) for window in o["timeline"]])
    elif o["tracks"]:
        first = o["tracks"][0]["timeline"]
        yield Timeline("P(fake) over time, of the first face", [(s["start"], s["end"], s["score"]) for s in first])


def faced(t: Facts) -> tuple[int, str, str, int, str]:
    """A face as a row."""
    return t["track"], clock(t["start"]), clock(t["end"]), t["faces"], f"{t['score']:.3f}"


def windowed(w: Facts) -> tuple[str, str, str, int]:
    """A window as a row."""
    score = "-" if w["score"] is None else f"{w['score']:.3f}"
    return f"{clock(w['start'])} to {clock(w['end'])}", score, w["verdict"] or w["status"], len(w["tracks"])


def ratio(log10: float | None, verbal: str) -> str:
    """A likelihood ratio in words."""
    if log10 is None:
        return "none is stated: the detector has no opinion"
    of, other = ("fake", "real") if log10 > 0 else ("real", "fake")
    return f"the score is {10 ** abs(log10):.3g} times likelier of a {of} video than of a {other} one: {verbal}"


def errors(f: Facts) -> Iterator[Text | Table]:
    """How often this detector is wrong, on what it was measured on."""
    v = f["detector"]["validation"]
    if v["untrained"]:
        yield Text(
            f"This detector did not learn to tell fakes: {v['untrained']}. Its scores are worth little.", "strong"
        )
    rows = [("Validation, AUC", between(v.get("auc"), v.get("auc_low"), v.get("auc_high")))]
    if "videos" in v:
        groups = v.get("groups", "unknown")
        rows.append(("Validation, videos", f"{v['videos']}, of {groups} groups of people in the smaller class"))
    rows += [
        (f"Validation, balanced accuracy on the {float(share):.0%} it is surest of", f"{value:.3f}")
        for share, value in v.get("selective_accuracy", {}).items()
    ]
    rows += [
        (
            f"Videos like its own that are taken for {kind}",
            f"at most {known['false_alarms']:.1%}, from {known['videos']} videos",
        )
        for kind, known in (("unlike", v.get("novelty")), ("drawn", v.get("drawn")))
        if known
    ]
    yield Table((), rows)
    own, quoted = f["detector"]["scope"], f["test"]
    if own:
        yield from tested(Scope.model_validate(own))
    if quoted and own and quoted["sha256"] == own["source"]:
        yield Text("The test that whoever wrote this case named is this one.", "dim")
    elif quoted:
        yield from named(quoted)
    elif not own:
        yield Text(UNTESTED, "dim")


def tested(scope: Scope) -> Iterator[Text | Table]:
    """What the detector's card says of its test: each column of videos apart, and each method of forging."""
    yield Text(
        f"What its card says of its test: {scope.test}. The figures are those of a file whose SHA-256 begins with "
        f"{scope.source[:16]}."
    )
    for name, column in scope.columns.items():
        yield Table((f"Test, {name}", ""), list(figures(column)))
    if scope.by_method:
        head = ("Method of forging", "fakes", "AUC, against all reals", "fakes called real")
        yield Table(head, [method(name, own) for name, own in scope.by_method.items()])


def figures(c: Column) -> Iterator[tuple[str, str]]:
    """What was measured on some videos."""
    yield "videos", f"{c.reals} real and {c.fakes} fake, of {c.groups} groups of people"
    for key, name in RATES.items():
        figure = getattr(c, key)
        yield name, between(figure.value, figure.low, figure.high)
    silent = c.inconclusive
    share = "" if c.abstained is None else f" ({c.abstained:.1%})"
    yield "inconclusive, and in no error rate", f"{silent.reals} real, {silent.fakes} fake{share}"
    if c.unscored is not None:
        yield "videos without a score, in no figure", str(c.unscored)
    if best := c.best_baseline:
        figure = between(best.auc.value, best.auc.low, best.auc.high)
        yield "best shortcut without a detector, AUC", f"{best.name.replace('_', ' ')}: {figure}"


def method(name: str, m: Method) -> tuple[str, int, str, str]:
    """A method of forging as a row."""
    auc, missed = (between(figure.value, figure.low, figure.high) for figure in (m.auc, m.false_negative_rate))
    return name, m.fakes, auc, missed


def named(t: Facts) -> Iterator[Text | Table]:
    """The figures of a file that was named, which may be another detector's."""
    methods = ", ".join(t["methods"]) or "not named"
    yield Text(
        f"Test: {t['reals']} real and {t['fakes']} fake videos of {t['groups']} groups of people; methods: {methods}. "
        "The figures are those of the file that whoever wrote this case named "
        f"(SHA-256 begins with {t['sha256'][:16]})."
    )
    yield Table((), [(f"Test, {name}", between(*t["figures"][key])) for key, name in RATES.items()])


def measured(on_card: Facts | None) -> Iterator[str]:
    """Which methods of forging it was measured on, and where it did worst, as its card says."""
    if not on_card:
        yield "Its card does not say on which methods of forging it was measured."
        return
    scope = Scope.model_validate(on_card)
    yield f"It was measured on these methods of forging: {scope.methods}. Of others nothing was measured."
    if worst := scope.worst_slice:
        auc = between(worst.auc.value, worst.auc.low, worst.auc.high)
        yield f"Of its test it did worst on {worst.name}: AUC {auc}."


def between(value: float | None, low: float | None, high: float | None) -> str:
    """A figure and its 95 % interval."""
    if value is None:
        return "undefined"
    return f"{value:.3f}" + (f", 95 % interval {low:.3f} to {high:.3f}" if low is not None and high is not None else "")


def repeat(f: Facts) -> Iterator[Text | Table]:
    """What is needed to come to the same, and the hashes by which it is known."""
    yield Text(AGAIN)
    d, p = f["detector"], f["program"]
    rows = [("Program", p["deepfake"]), ("Device", p["device"]), ("Detector, SHA-256 of its card", d["card_sha256"])]
    rows += [(f"Detector, {name}", digest) for name, digest in d["files"].items()]
    rows += [(title, d["origin"][key]) for key, title in ORIGIN.items() if d["origin"][key]]
    rows += [("Params, SHA-256", d["params_sha256"]), ("Networks", "; ".join(d["networks"]))]
    rows.append(("Libraries", ", ".join(f"{name} {number}" for name, number in p["libraries"].items())))
    yield Table((), rows)
