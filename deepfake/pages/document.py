"""document: a text of sections, tables and pictures, as one HTML page that needs nothing else."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

STYLE = """
:root { --line: #d8d8d8; --soft: #f5f5f5; --dim: #666; }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, sans-serif; color: #111; background: #fff; margin: 0 auto; padding: 1rem;
  max-width: 52rem; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 1.8rem 0 .4rem; }
p { margin: .3rem 0 .6rem; overflow-wrap: anywhere; }
.strong { background: var(--soft); border-left: 4px solid #111; padding: .6rem .8rem; font-size: 1.05rem; }
.dim { color: var(--dim); }
table { border-collapse: collapse; margin: .2rem 0 .8rem; font-size: .9rem; font-variant-numeric: tabular-nums;
  width: 100%; }
th, td { text-align: left; padding: .2rem .7rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: anywhere; }
th:first-child, td:first-child { width: 30%; }
figure { display: inline-block; margin: 0 .6rem .6rem 0; width: 9rem; vertical-align: top; }
figure img { width: 100%; display: block; } figcaption { font-size: .8rem; color: var(--dim); }
svg { width: 100%; height: auto; display: block; } ul { margin: .3rem 0; padding-left: 1.2rem; }
@media print { body { font-size: 11px; max-width: none; padding: 0; } h2 { break-after: avoid; }
  tr, figure, svg { break-inside: avoid; } }
"""
GREEN, AMBER, RED = "#2e8b57", "#d6a01e", "#c83232"


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind: str = ""  # strong, dim or ""


@dataclass(frozen=True)
class Points:
    """A list."""

    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Rows below a head; without one the first column names the second."""

    head: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True)
class Pictures:
    """JPEG pictures with a line below each."""

    pictures: Sequence[tuple[bytes, str]]


@dataclass(frozen=True)
class Timeline:
    """A score from 0 to 1 over stretches of time in s; None where there is none."""

    title: str
    spans: Sequence[tuple[float, float, float | None]]


Block = Text | Points | Table | Pictures | Timeline


@dataclass(frozen=True)
class Section:
    """Blocks below a heading."""

    heading: str
    blocks: Sequence[Block]


def html(title: str, sections: Iterable[Section]) -> str:
    """The document as an HTML page that needs nothing else."""
    body = "".join(f"<h2>{escape(section.heading)}</h2>" + "".join(map(_html, section.blocks)) for section in sections)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n<h1>{escape(title)}</h1>\n{body}\n"
        "</body></html>\n"
    )


def _html(block: Block) -> str:
    match block:
        case Text(text, kind):
            return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"
        case Points(items):
            return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
        case Table(head, rows):
            top = f"<thead><tr>{''.join(f'<th>{escape(title)}</th>' for title in head)}</tr></thead>" if head else ""
            lines = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
            return f"<table>{top}<tbody>{lines}</tbody></table>"
        case Pictures(pictures):
            return "".join(
                f'<figure><img alt="" src="data:image/jpeg;base64,{b64encode(picture).decode()}">'
                f"<figcaption>{escape(caption)}</figcaption></figure>"
                for picture, caption in pictures
            )
        case Timeline(title, spans):
            return f"<p>{escape(title)}</p>{svg(spans)}"


def svg(spans: Sequence[tuple[float, float, float | None]]) -> str:
    """P(fake) along the time as bars; the dashes are at .5."""
    end = max((end for _, end, _ in spans), default=0.0) or 1.0
    bars = "".join(
        f'<rect x="{30 + 560 * start / end:.1f}" y="{8 + 60 * (1 - score):.1f}" '
        f'width="{max(2.0, 560 * (stop - start) / end - 1):.1f}" height="{60 * score:.1f}" fill="{shade(score)}"/>'
        for start, stop, score in spans
        if score is not None
    )
    words = "".join(
        f'<text x="{x}" y="{y}" font-size="10" fill="#666" text-anchor="{anchor}">{text}</text>'
        for x, y, anchor, text in (
            (26, 14, "end", "1"),
            (26, 70, "end", "0"),
            (30, 82, "start", "0 s"),
            (590, 82, "end", f"{end:.1f} s"),
        )
    )
    dashes = '<line x1="30" x2="590" y1="38" y2="38" stroke="#999" stroke-dasharray="4 3"/>'
    frame = '<line x1="30" x2="590" y1="68" y2="68" stroke="#999"/>'
    return f'<svg viewBox="0 0 600 86" role="img" aria-label="P(fake) over time">{bars}{dashes}{frame}{words}</svg>'


def shade(score: float) -> str:
    """The colour of a score: green, amber near even, red."""
    return GREEN if score < 0.4 else AMBER if score < 0.6 else RED
