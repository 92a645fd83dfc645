"""page: the report of a test as one HTML page that needs nothing else: read from disk, on a phone, or printed."""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd
import yaml

from deepfake.base.opencv import cv2
from deepfake.measures import evidence
from deepfake.measures.orders import REORDERED
from deepfake.pages import beside, charts
from deepfake.pages.parts import table, titles
from deepfake.report import Facts, Mistake, inconclusive, verdict, within
from deepfake.video import Images

SIDE = 72  # px of a face
STYLE = """
:root { color-scheme: light; --line: #d8d8d8; --soft: #f5f5f5; --dim: #666; --bad: #b22; --good: #2e8b57; }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, sans-serif; color: #111; background: #fff; margin: 0 auto; padding: 1rem;
  max-width: 68rem; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; } p { margin: .3rem 0 .6rem; max-width: 48rem; }
.verdict { background: var(--soft); border-left: 4px solid #111; padding: .6rem .8rem; font-size: 1.05rem; }
.dim { color: var(--dim); } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9em; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem .7rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td { white-space: nowrap; } th { font-weight: 600; }
@media (max-width: 40rem) { body { padding: .7rem; } table { font-size: .75rem; } td { white-space: normal; }
  th, td { padding-right: .35rem; } }
.heat td { text-align: center; padding: .25rem .5rem; border: 2px solid #fff; print-color-adjust: exact;
  -webkit-print-color-adjust: exact; } .heat td:first-child { text-align: left; padding-left: 0; }
.maps { display: flex; flex-wrap: wrap; gap: 0 2rem; } .maps > div { break-inside: avoid; max-width: 100%; }
.heat small { display: block; font-size: .8em; color: #333; white-space: nowrap; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: .6rem; }
.charts svg { width: 100%; height: auto; }
.mistake { border-top: 1px solid var(--line); padding: .5rem 0; break-inside: avoid; }
.mistake h3 { overflow-wrap: anywhere; margin-top: .2rem; }
.strip { display: flex; flex-wrap: wrap; gap: 2px; } .strip img { width: 72px; height: 72px; }
.mistake svg { width: 100%; max-width: 590px; height: 64px; display: block; }
pre { background: var(--soft); padding: .6rem; overflow-x: auto; font-size: .8rem; }
code { overflow-wrap: anywhere; }
@media print { body { font-size: 11px; max-width: none; padding: 0; } pre { white-space: pre-wrap; }
  .charts { grid-template-columns: repeat(3, 1fr); }
  p, tr { break-inside: avoid; } h2, h3, h2 + p { break-after: avoid; }
  table, .charts svg { break-inside: avoid; } .wide { overflow: visible; } }
"""
RATES = {  # of ISO/IEC 30107-3: presentation attacks are the fakes, bona fide presentations the reals
    "apcer_worst": ("APCER, worst", "the highest of these"),
    "bpcer": ("BPCER", "reals taken for fake"),
    "apnrr": ("APNRR", "fakes without an answer"),
    "bpnrr": ("BPNRR", "reals without an answer"),
}
LEVELS = ("video", "track", "sequence")


def page(facts: Facts) -> str:
    """The report as HTML, whole in itself."""
    body = "\n".join(part for part in _parts(facts) if part)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>deepfake: report of the test</title><style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _parts(facts: Facts) -> Iterable[str]:
    m = facts.metrics
    yield "<h1>Report of the test</h1>"
    yield f'<p class="verdict">{escape(verdict(m))}</p>'
    yield (
        '<p class="dim">P(fake) is calibrated where real and fake are equally likely. '
        "Brackets: 95 % intervals, over people.</p>"
    )
    yield "<h2>From raw videos to the test</h2>" + table(("", "real", "fake"), facts.funnel)
    yield _coverage(m["coverage"])
    yield "<h2>Figures</h2>" + _figures(m)
    yield beside.columns(m)
    yield beside.extra(m)
    yield "<h2>Curves</h2>" + _charts(facts)
    yield "<h2>What shortcuts tell</h2>" + _baselines(m)
    yield "<h2>What the order of the frames is worth</h2>" + _order(m["order"])
    yield "<h2>Controls</h2>" + _controls(facts.controls)
    yield beside.robustness(facts.robustness)
    yield "<h2>Slices</h2>" + _slices(m)
    yield "<h2>In the words of ISO/IEC 30107-3</h2>" + _attacks(m["presentation_attack"])
    yield "<h2>The most confident mistakes</h2>" + _mistakes(facts.mistakes, m["video"])
    yield "<h2>What was tested</h2>" + table(("file", "sha256"), facts.hashes.items())
    yield f"<h2>How it was made</h2><pre>{escape(yaml.safe_dump(facts.params, sort_keys=False))}</pre>"


def _coverage(coverage: Mapping[str, Any]) -> str:
    lost = ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in coverage["missing"].items() if n) or "none"
    chance = coverage["as_chance"]["auc"]
    guessed = chance is not None and coverage["scored"] < coverage["expected"]
    tossed = f" With what is missing guessed by chance, the AUC is {chance:.3f}." if guessed else ""
    counts = f"{coverage['scored']} of {coverage['expected']} test videos were scored"
    return f"<p>{counts}; without a score: {escape(lost)}.{tossed}</p>"


def _figures(m: Mapping[str, Any]) -> str:
    levels = {level: m[level] | (m["calibration"] if level == "video" else {}) for level in LEVELS}
    called = titles(m)
    rows = [(title, *(within(own, name) for own in levels.values())) for name, title in called.items()]
    counts = [(what, *(own[what] for own in levels.values())) for what in ("reals", "fakes", "groups")]
    counts.append(("inconclusive", *map(inconclusive, levels.values())))
    notes = _notes(levels, called)
    if any(any(own["inconclusive"].values()) for own in levels.values()):
        notes.append("what is inconclusive is ranked, and left out of the figures of the verdicts: no error and no hit")
    chance = m["calibration"]["ece_by_chance"]
    if chance is not None:
        notes.append(f"a perfectly calibrated detector would show a calibration error of {chance:.3f} on so few videos")
    text = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return table(("", *LEVELS), [*counts, *rows]) + (f'<ul class="dim">{text}</ul>' if text else "")


def _notes(levels: Mapping[str, Mapping[str, Any]], called: dict[str, str]) -> list[str]:
    """What is undefined or doubtful, each reason once: of which figures or intervals, on which levels."""
    called = called | {f"{name}_low": f"the interval of {title}" for name, title in called.items()}
    called |= {"intervals": "intervals"}
    affected: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for why in dict.fromkeys(w for own in levels.values() for w in (own["undefined"] | own["doubtful"]).values()):
        for level, own in levels.items():
            reasons = own["undefined"] | own["doubtful"]
            if names := tuple(title for name, title in called.items() if reasons.get(name) == why):
                affected.setdefault((names, why), []).append(level)
    return [f"{', '.join(names)} ({', '.join(places)}): {why}" for (names, why), places in affected.items()]


def _charts(facts: Facts) -> str:
    drawn = "".join(charts.svg(name, facts.predictions, facts.metrics) for name in charts.ALL)
    return f'<div class="charts">{drawn}</div>'


def _baselines(m: Mapping[str, Any]) -> str:
    rows = [(name.replace("_", " "), within(own, "auc")) for name, own in m["baselines"].items()]
    leak = m["baselines"]["metadata"].get("auc_over_all")
    text = (
        ""
        if leak is None
        else f"<p>Over all videos, metadata alone reach {leak:.3f}; far above .5 would be a leak.</p>"
    )
    best = m["best_baseline"]
    some = best["name"] and best["videos"] < m["video"]["count"]
    same = f"the {best['videos']} videos that both scored" if some else "the same people"
    adds = f"<p>The detector adds {within(best, 'gain')} to the best of these on {same}.</p>" if best["name"] else ""
    return table(("numbers alone", "AUC"), [*rows, ("the detector", within(m["video"], "auc"))]) + adds + text


def _order(orders: Mapping[str, Any]) -> str:
    rows = [
        (
            name,
            "undefined" if order["auc"] is None else f"{order['auc']:.3f}",
            within(order, "drop"),
            _shown(order["logit_change"]),
        )
        for name, order in orders.items()
    ]
    return table(("frames", "AUC", "lost", "mean change of the logit"), rows) + f"<p>{_order_said(orders)}</p>"


def _order_said(orders: Mapping[str, Any]) -> str:
    """What the losses say: another order is one thing, a single frame another."""
    drops = {name: order["drop_low"] for name, order in orders.items() if order["drop_low"] is not None}
    if not drops.keys() & set(REORDERED):
        return "Whether the order of the frames matters cannot be told: the losses have no interval."
    alone = drops.get("repeated", 0) > 0
    if any(drops.get(name, 0) > 0 for name in REORDERED):
        more = ", and so does showing one of them alone" if alone else ""
        return f"The order of the frames matters: disturbing it costs more than noise{more}."
    if alone:
        return "More than one frame matters, their order does not: another order costs no more than noise."
    return "No disturbance costs more than noise: the detector tells by single frames."


def _controls(outcome: Mapping[str, Any]) -> str:
    marks = {True: "fine", False: "wrong", None: "open"}
    rows = [(marks[control["fine"]], control["name"], control["finding"]) for control in outcome["controls"]]
    return f"<p>{escape(outcome['verdict'])}</p>" + table(("", "control", "found"), rows)


def _shown(figure: float | None) -> str:
    return "undefined" if figure is None else f"{figure:.3f}"


def _slices(m: Mapping[str, Any]) -> str:
    rows = [
        (
            f"{name.removeprefix('by_').replace('_', ' ')}: {value}"
            + (f" ({group['from']:.3g} to {group['to']:.3g})" if "from" in group else ""),
            group["reals"],
            group["fakes"],
            group["abstained"],
            *(within(group, figure) for figure in ("auc", "false_positive_rate", "false_negative_rate")),
        )
        for name, values in m.items()
        if name.startswith("by_")
        for value, group in values.items()
    ]
    worst = m["worst_slice"]
    text = f"<p>The worst: {escape(worst['name'])}, AUC {within(worst, 'auc')}.</p>" if worst["name"] else ""
    if m["undivided"]:
        text += f"<p>Too many different words to divide by: {escape(', '.join(m['undivided']))}.</p>"
    return text + table(
        ("slice", "reals", "fakes", "no verdict", "AUC", "reals called fake", "fakes called real"), rows
    )


def _attacks(rates: Mapping[str, Any]) -> str:
    rows = [
        (f"APCER, {name}", f"fakes by {name} taken for real", _shown(rate)) for name, rate in rates["apcer"].items()
    ]
    return table(
        ("rate", "", ""), rows + [(name, meaning, _shown(rates[key])) for key, (name, meaning) in RATES.items()]
    )


def _mistakes(mistakes: Sequence[Mistake], figures: Mapping[str, Any]) -> str:
    if not mistakes:
        wrong = figures["confusion"]["real_as_fake"] + figures["confusion"]["fake_as_real"]
        silent = f"; inconclusive: {inconclusive(figures)}" if any(figures["inconclusive"].values()) else ""
        told = f"None of {wrong} is shown: report.mistakes is 0" if wrong else f"None: every verdict was right{silent}"
        return f"<p>{told}.</p>"
    return "".join(_mistake(mistake) for mistake in mistakes)


def _mistake(mistake: Mistake) -> str:
    kind = (
        "real" if mistake.row["label"] == 0 else f"fake ({mistake.row['method']})" if mistake.row["method"] else "fake"
    )
    strip = "".join(f'<img alt="" src="{_jpeg(face)}">' for face in mistake.faces)
    verbal = evidence.verbal(float(mistake.row["score"]))
    return (
        f'<div class="mistake"><h3>{escape(str(mistake.row["video_id"]))}</h3>'
        f"<p>{escape(kind)}, P(fake) {mistake.row['score']:.3f}: {verbal}</p>"
        f'<div class="strip">{strip}</div>{timeline(mistake.sequences)}</div>'
    )


def timeline(sequences: pd.DataFrame) -> str:
    """P(fake) of each sequence from its first to its last time, as an <svg> element; the dashes are at .5."""
    end = max(float(sequences["last"].max()), 1e-6)
    lines = "".join(
        f'<line x1="{30 + 555 * row.first / end:.1f}" x2="{33 + 555 * row.last / end:.1f}" y1="{y:.1f}" y2="{y:.1f}" '
        'stroke="#111" stroke-width="2" stroke-opacity=".6"/>'
        for row in sequences.itertuples()
        if (y := 5 + 42 * (1 - row.score)) is not None
    )
    words = "".join(
        f'<text x="{x}" y="{y}" font-size="10" fill="#666" text-anchor="{anchor}">{text}</text>'
        for x, y, anchor, text in (
            (26, 10, "end", "1"),
            (26, 50, "end", "0"),
            (30, 62, "start", "0 s"),
            (588, 62, "end", f"{end:.2f} s"),
        )
    )
    dashes = '<line x1="30" x2="588" y1="26" y2="26" stroke="#999" stroke-dasharray="4 3"/>'
    return f'<svg viewBox="0 0 590 64" role="img" aria-label="P(fake) over time">{dashes}{lines}{words}</svg>'


def _jpeg(image: Images) -> str:
    small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return f"data:image/jpeg;base64,{b64encode(encoded.tobytes()).decode()}"
