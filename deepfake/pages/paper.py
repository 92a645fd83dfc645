"""paper: a document as a PDF, for whoever files it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import matplotlib
from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace

from deepfake.pages.document import Block, Pictures, Points, Section, Table, Text, Timeline, shade

FONTS = {"": "DejaVuSans.ttf", "B": "DejaVuSans-Bold.ttf"}  # Matplotlib brings them; they know most scripts' letters
WIDE = 180.0  # mm between the margins of a page
INK, DIM = 17, 110  # greys, of 255


class Paper(FPDF):
    """A4 pages with a line at the foot of each, and its number."""

    def __init__(self, foot: str) -> None:
        super().__init__(format="A4")
        self.foot = foot

    def footer(self) -> None:
        """The line at the foot of a page."""
        self.set_y(-14)
        self.set_font("sans", size=7)
        self.set_text_color(DIM)
        self.cell(WIDE - 20, 5, self.foot)
        self.cell(20, 5, f"{self.page_no()}/{{nb}}", align="R")


def pdf(title: str, sections: Iterable[Section], foot: str) -> bytes:
    """The document as a PDF of A4 pages, `foot` and the number on each: the same bytes for the same document."""

    paper = Paper(foot)
    paper.set_creation_date(datetime(1970, 1, 1, tzinfo=UTC))  # of no moment: the bytes are those of the next run
    paper.set_title(title)
    paper.set_margins(15, 15, 15)
    paper.set_auto_page_break(True, margin=18)
    for style, name in FONTS.items():
        paper.add_font("sans", style, Path(matplotlib.get_data_path(), "fonts", "ttf", name))
    paper.add_page()
    _written(paper, title, 15, bold=True, after=2)
    for section in sections:
        if paper.get_y() > 250:
            paper.add_page()
        paper.ln(3)
        _written(paper, section.heading, 11.5, bold=True, after=1)
        for block in section.blocks:
            _pdf(paper, block)
    return bytes(paper.output())


def _written(paper: FPDF, text: str, size: float, *, bold: bool = False, grey: int = INK, after: float = 1.0) -> None:
    paper.set_font("sans", "B" if bold else "", size)
    paper.set_text_color(grey)
    paper.multi_cell(WIDE, size * 0.47, text, align="L", new_x="LMARGIN", new_y="NEXT")
    paper.ln(after)


def _pdf(paper: FPDF, block: Block) -> None:
    match block:
        case Text(text, kind):
            _written(
                paper, text, 10 if kind == "strong" else 9, bold=kind == "strong", grey=110 if kind == "dim" else 17
            )
        case Points(items):
            for item in items:
                _written(paper, f"\N{BULLET} {item}", 9, after=0.4)
        case Table(head, rows):
            _tabled(paper, head, rows)
        case Pictures(pictures):
            _pictured(paper, pictures)
        case Timeline(title, spans):
            if paper.get_y() > 240:
                paper.add_page()
            _written(paper, title, 9)
            _drawn(paper, spans)


def _tabled(paper: FPDF, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    paper.set_font("sans", size=8)
    paper.set_text_color(INK)
    count = len(rows[0]) if rows else len(head)
    widths = (30, 70) if count == 2 else (1,) * count
    how = {"borders_layout": TableBordersLayout.HORIZONTAL_LINES, "line_height": 4.2, "col_widths": widths}
    paper.set_draw_color(216)
    with paper.table(
        width=WIDE, first_row_as_headings=bool(head), headings_style=FontFace(emphasis="BOLD"), text_align="LEFT",
        **how,
    ) as table:  # fmt: skip
        for line in [head, *rows] if head else rows:
            row = table.row()
            for cell in line:
                row.cell(str(cell))
    paper.ln(2)


def _pictured(paper: FPDF, pictures: Sequence[tuple[bytes, str]]) -> None:
    side, across = 34.0, 5
    for start in range(0, len(pictures), across):
        if paper.get_y() + side + 10 > 275:
            paper.add_page()
        top = paper.get_y()
        for place, (picture, caption) in enumerate(pictures[start : start + across]):
            left = 15 + place * (side + 2)
            paper.image(BytesIO(picture), x=left, y=top, w=side)
            paper.set_xy(left, top + side + 0.5)
            paper.set_font("sans", size=6.5)
            paper.set_text_color(DIM)
            paper.multi_cell(side, 3, caption, align="L")
        paper.set_xy(15, top + side + 9)


def _drawn(paper: FPDF, spans: Sequence[tuple[float, float, float | None]]) -> None:
    end = max((end for _, end, _ in spans), default=0.0) or 1.0
    top, high, left, wide = paper.get_y() + 1, 18.0, 20.0, WIDE - 5
    for start, stop, score in spans:
        if score is None:
            continue
        colour = shade(score)
        paper.set_fill_color(*(int(colour[i : i + 2], 16) for i in (1, 3, 5)))
        width = max(0.5, wide * (stop - start) / end - 0.3)
        paper.rect(left + wide * start / end, top + high * (1 - score), width, high * score, style="F")
    paper.set_fill_color(255)  # of whatever comes next
    paper.set_draw_color(150)
    paper.line(left, top + high, left + wide, top + high)
    paper.set_dash_pattern(dash=1, gap=1)
    paper.line(left, top + high / 2, left + wide, top + high / 2)
    paper.set_dash_pattern()
    paper.set_font("sans", size=6.5)
    paper.set_text_color(DIM)
    for x, y, text in ((16, top, "1"), (16, top + high - 3, "0"), (left, top + high + 0.5, "0 s")):
        paper.text(x, y + 2.5, text)
    paper.text(left + wide - 10, top + high + 3, f"{end:.1f} s")
    paper.set_y(top + high + 6)
