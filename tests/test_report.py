"""report: the page shows every figure, needs nothing else, and says what the figures say."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import yaml

from deepfake import evaluate, report, video
from deepfake.evaluate import metrics
from deepfake.measures.baselines import BASELINES
from deepfake.measures.protocol import EvaluateParams, Extra, HeldOut
from deepfake.pages import charts, modelcard, page, parts
from deepfake.report import Facts, funnel, mistakes, verdict

P = EvaluateParams(seed=0, resamples=100, shuffles=1, prevalence=0.1, min_coverage=0.0)
METADATA = {"auc_over_all": 0.51}


def predictions(gap: float = 0.4) -> pd.DataFrame:
    """Sixty videos, the last one without a score; names that a page must not take for its own words."""
    rng = np.random.default_rng(0)
    label = np.arange(60) % 2
    score = np.clip(rng.normal(0.5 + gap * (label - 0.5), 0.2), 0.01, 0.99).round(6)
    table = pd.DataFrame({"video_id": [f"a/<b>{i}&.mp4" for i in range(60)], "label": label, "score": score})
    table["verdict"] = np.where(score >= 0.5, "fake", "real")
    table = table.assign(group=[f"g{i // 4}" for i in range(60)], status="ok", dataset="")
    table["method"] = np.where(label, np.where(np.arange(60) % 4 == 1, "swap", "blend"), "")
    table = table.assign(shuffled_0=score, reversed=score, repeated=0.5, **{f"baseline_{n}": 0.5 for n in BASELINES})
    table.loc[59, ["score", "verdict", "status"]] = [np.nan, None, "no_face"]
    return table


def sequences(table: pd.DataFrame) -> pd.DataFrame:
    moved = dict.fromkeys(("moved_shuffled", "moved_reversed", "moved_repeated"), 0.1)
    known = table[table["score"].notna()][["video_id", "score", "verdict"]]
    return pd.concat([known.assign(track=0, sequence=i, first=i * 0.5, last=i + 1.0, **moved) for i in range(2)])


def facts(table: pd.DataFrame | None = None, p: EvaluateParams = P, mistakes=()) -> Facts:
    table = predictions() if table is None else table
    parts = sequences(table)
    about = pd.DataFrame({"face_side": np.arange(len(table)) * 10.0}, table["video_id"])
    figures = metrics(table, parts, parts, about, p)
    figures["baselines"]["metadata"] |= METADATA
    steps = [("videos found", 100, 90), ("test, scored", 30, 29)]
    controls = [{"name": "filter", "fine": False, "finding": "drops 40.0% of the fakes' faces"}]
    looked = {"verdict": "0 of 1 controls find nothing wrong. Wrong: filter", "controls": controls}
    return Facts(
        figures, looked, table, steps, list(mistakes), {"train": {"encoder": "cnn"}}, {"data/splits.csv": "ab" * 32}
    )


class Page(HTMLParser):
    """What stands in a page: its text, and whether every tag is closed."""

    VOID = ("meta", "img", "line", "br")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_data(self, data):
        self.text += data.replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture(scope="module")
def whole() -> str:
    return page.page(facts())


def test_the_page_stands_alone(whole):
    outside = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!#|data:)([^"')\s>]+)""", whole)
    assert [link for link in outside if not link.startswith("#")] == []
    assert "<script" not in whole
    assert 'name="viewport"' in whole
    assert "@media print" in whole


def test_every_tag_is_closed_and_names_are_text(whole):
    shown = Page(page.page(facts(mistakes=[report.Mistake(predictions().iloc[0], [], sequences(predictions()))])))
    assert "a/<b>0&.mp4" in shown.text


def test_every_figure_stands_in_the_page_with_its_interval(whole):
    figures, text = facts().metrics, Page(whole).text
    for name in parts.ROWS:
        for level in page.LEVELS:
            own = figures[level] | (figures["calibration"] if level == "video" else {})
            assert report.within(own, name) in text, (level, name)
    for expected in (
        "swap",
        "blend",
        "face side: low (0 to 190)",
        "APCER, worst",
        "fakes without an answer",
        "test, scored",
        "encoder: cnn",
        "drops 40.0% of the fakes' faces",
    ):
        assert expected in text, expected
    assert "59 of 60 test videos were scored; without a score: 1 no face. With what is missing guessed by" in text


def test_the_page_says_of_which_figures_the_interval_holds_the_truth_too_rarely(whole):
    note = "of 15 groups of people such intervals hold the truth in as few as 91 % of simulated tests"
    assert f"average precision (video, track, sequence): {note}" in Page(whole).text


def test_the_page_says_why_an_interval_is_missing():
    rare = "the interval of true positives at 5 % false ones (video, track, sequence): it stands on "
    few = {f"{n}_{end}": None for n in ("tpr_at_fpr_5", "recall") for end in ("low", "high")}
    known = facts()
    for level in page.LEVELS:
        known.metrics[level] |= few
        known.metrics[level]["undefined"] |= {"tpr_at_fpr_5_low": "it stands on 2 false alarms", "recall_low": "why"}
    shown = Page(page.page(known)).text
    assert f"{rare}2 false alarms" in shown
    assert "the interval of recall (video, track, sequence): why" in shown
    three = predictions().iloc[[0, 1, 3]].assign(group="one")
    shown = Page(page.page(facts(three))).text
    assert "intervals (video, track, sequence): a class of fewer than 2 groups of people" in shown


def test_page_and_card_say_which_prevalence_is_supposed(whole):
    assert "precision at a supposed prevalence of 0.1" in Page(whole).text
    splits = pd.DataFrame({"split": ["train"], "label": [0], "group": ["a"], "method": [""]})
    card = modelcard.card(facts(p=P.model_copy(update={"prevalence": 0.001})), splits, "x")
    assert "| precision at a supposed prevalence of 0.001 | " in card
    assert "prevalence of 0.001, which params.yaml supposes" in card


def test_the_page_is_the_same_bytes_each_time(whole):
    assert page.page(facts()) == whole


@pytest.mark.parametrize("name", charts.ALL)
def test_a_chart_has_a_name_for_those_who_cannot_see_it(whole, name):
    assert f'aria-label="{name.replace("_", " ")}"' in whole


def test_one_class_or_no_score_still_make_a_page():
    reals = predictions().query("label == 0")
    assert "Nothing can be said of how well fakes are told: no fake was scored." in Page(page.page(facts(reals))).text
    none = predictions().assign(score=np.nan, verdict=None)
    assert "nothing was scored" in Page(page.page(facts(none))).text


def test_what_is_held_out_has_a_column_of_its_own():
    held = P.model_copy(update={"held_out": HeldOut(methods=("blend",))})
    assert "Seen in training, and held out" in Page(page.page(facts(p=held))).text
    assert "held out" not in Page(page.page(facts())).text


def further(name: str) -> dict[str, object]:
    """What evaluate says of a further dataset, worse than the test."""
    table = predictions(0.1).assign(dataset=name, shared="", video_id=[f"{name}/{i}" for i in range(60)])
    table.loc[:3, "shared"] = "identity::g0"
    p = P.model_copy(update={"extra": (Extra(root=name, layout="folders"),)})
    return evaluate.further(table, p)


def test_a_further_dataset_has_a_column_of_its_own_in_page_and_card():
    usual = facts()
    both = replace(usual, metrics=usual.metrics | further("celeb"))
    own, text = both.metrics["extra"]["celeb"], Page(page.page(both)).text
    assert (own["reals"], own["fakes"], own["left_out"]) == (28, 27, 4)
    assert own["auc"] < usual.metrics["video"]["auc"]
    start = text.index("Further datasets")
    row = f"AUC{report.within(usual.metrics['video'], 'auc')}{report.within(own, 'auc')}"
    assert row in text[start:]
    assert "scored59 of 6055 of 56" in text[start:]
    assert "left out4" in text[start:]
    assert verdict(both.metrics) == verdict(usual.metrics)  # which no other dataset flatters
    splits = pd.DataFrame({"split": ["train"], "label": [0], "group": ["a"], "method": [""]})
    card = modelcard.card(both, splits, "x")
    assert "| | all test videos | celeb |\n|---|---|---|\n| AUC | " in card
    assert f"- On celeb, of which it learnt nothing: AUC {report.within(own, 'auc')}." in card
    assert "Further datasets" not in Page(page.page(usual)).text


# ---- robustness


def cells() -> pd.DataFrame:
    """Five cells beside the clean one: one is bad, in one nothing is scored, in one hardly anything."""
    names = ("kind", "level", "auc", "auc_low", "auc_high", "false_positive_rate", "false_positive_rate_low")
    names += ("false_positive_rate_high", "coverage", "drop", "drop_low")
    rows = [
        ("clean", 0, 0.9, 0.8, 0.95, 0.1, 0.05, 0.2, 1.0, 0.0, 0.0),
        ("blur", 1, 0.85, 0.75, 0.9, 0.12, 0.06, 0.25, 1.0, 0.05, 0.0),
        ("blur", 5, 0.6, 0.5, 0.7, 0.02, 0.0, 0.1, 0.9, 0.3, 0.2),
        ("frame_drop", 5, None, None, None, None, None, None, 0.0, None, None),
        ("noise", 5, 0.7, 0.6, 0.8, 0.8, 0.7, 0.9, 1.0, 0.2, 0.1),
        ("noise", 6, 0.0, None, None, 1.0, None, None, 0.1, 1.0, None),  # of two videos
    ]
    return pd.DataFrame(rows, columns=names)


def test_robustness_is_shown_with_its_worst_by_name_where_it_was_measured():
    text = Page(page.page(replace(facts(), robustness=cells()))).text
    for expected in (
        "changed in 5 ways",
        "the AUC is 0.900 [0.800, 0.950]; on average 0.183 is lost.",
        "The worst is blur, level 5: AUC 0.600 [0.500, 0.700].",
        "Most reals are called fake after noise, level 5: 0.800 [0.700, 0.900]; as they are, 0.100 [0.050, 0.200].",
        "Fewest can be scored after frame drop, level 5: 0.0%; as they are, 100.0%.",
        "blur0.850.75 to 0.900.600.50 to 0.70",
        "frame droptoo few0% scored",
    ):
        assert expected in text, expected
    assert "Robustness" not in Page(page.page(facts())).text


def test_robustness_of_another_detector_is_not_shown_as_this_ones():
    table = predictions()
    clean = table[["video_id", "score"]].assign(kind="clean")
    both = pd.concat([clean, clean.assign(kind="blur", score=0.5)]).iloc[::-1]
    assert report.of_this_test(both, table)
    assert not report.of_this_test(both, table.assign(score=table["score"] + 1e-6))
    assert not report.of_this_test(both, table.iloc[1:])


@pytest.mark.parametrize(
    ("shuffled", "repeated", "sentence"),
    [
        (0.1, -0.1, "The order of the frames matters: disturbing it costs more than noise."),
        (0.1, 0.1, "The order of the frames matters: disturbing it costs more than noise, and so does showing one of"),
        (-0.1, 0.1, "More than one frame matters, their order does not"),
        (-0.1, -0.1, "No disturbance costs more than noise: the detector tells by single frames."),
        (None, None, "Whether the order of the frames matters cannot be told: the losses have no interval."),
    ],
)
def test_the_page_tells_the_order_of_the_frames_from_their_number(shuffled, repeated, sentence):
    known = facts()
    for name, low in {"shuffled": shuffled, "reversed": shuffled and -0.2, "repeated": repeated}.items():
        known.metrics["order"][name]["drop_low"] = low
    assert sentence in Page(page.page(known)).text


# ---- inconclusive


def test_who_is_inconclusive_is_counted_in_page_card_and_chart():
    table = predictions()
    table.loc[:2, "verdict"] = "inconclusive"
    told = facts(table)
    shown = page.page(told)
    assert "inconclusive2 real, 1 fake4 real, 2 fake4 real, 2 fake" in Page(shown).text
    assert "what is inconclusive is ranked, and left out of the figures of the verdicts" in Page(shown).text
    splits = pd.DataFrame({"split": ["train"], "label": [0], "group": ["a"], "method": [""]})
    assert "| inconclusive | 2 real, 1 fake |" in modelcard.card(told, splits, "x")
    assert ">inconclusive<" in charts.svg("confusion", table, told.metrics)
    assert ">inconclusive<" not in charts.svg("confusion", predictions(), facts().metrics)


def test_columns_of_too_many_words_are_named():
    known = facts()
    assert "Too many different words" not in Page(page.page(known)).text
    known.metrics["undivided"] = ["comment", "take"]
    assert "Too many different words to divide by: comment, take." in Page(page.page(known)).text


def test_without_a_mistake_shown_the_page_says_whether_there_is_one():
    right = predictions().assign(verdict=lambda t: np.where(t["label"], "fake", "real"))
    assert "None: every verdict was right." in Page(page.page(facts(right))).text
    right.loc[0, "verdict"] = "inconclusive"
    assert "None: every verdict was right; inconclusive: 1 real, 0 fake." in Page(page.page(facts(right))).text
    wrong = facts().metrics["video"]["confusion"]
    count = wrong["real_as_fake"] + wrong["fake_as_real"]
    assert count
    assert f"None of {count} is shown: report.mistakes is 0." in Page(page.page(facts())).text


# ---- the verdict


def test_the_verdict_says_whether_the_detector_adds_to_the_shortcuts():
    good = facts(predictions(0.8)).metrics
    assert re.match(r"AUC \d\.\d+ \[.*\] on 30 real and 29 fake videos of 15 groups of people\.", verdict(good))
    assert "That is more than the best shortcut tells" in verdict(good)
    table = predictions()
    matched = facts(table.assign(baseline_sharpness=table["score"])).metrics
    assert "It is not shown that this is more than the best shortcut tells: sharpness alone reaches" in verdict(matched)
    unknown = facts(table.assign(**{f"baseline_{n}": np.nan for n in BASELINES})).metrics
    assert "no baseline" in verdict(unknown)


def held() -> Facts:
    """One method is told well, another, that training has not seen, not at all."""
    table = predictions(0.8)
    blend = table["method"].eq("blend") & table["score"].notna()
    table.loc[blend, "score"] = np.random.default_rng(1).uniform(0.1, 0.5, blend.sum())
    return facts(table, P.model_copy(update={"held_out": HeldOut(methods=("blend",))}))


def test_what_was_held_out_is_mixed_with_nothing_in_verdict_and_card():
    figures = held().metrics
    seen, out, mixed = (report.within(figures[name], "auc") for name in ("seen", "held_out", "video"))
    assert seen > mixed > out
    assert f"Seen in training: AUC {seen} on 30 real and 15 fake videos" in verdict(figures)
    assert f"Held out of it: AUC {out} on 30 real and 14 fake videos" in verdict(figures)
    splits = pd.DataFrame({"split": ["train"], "label": [0], "group": ["a"], "method": [""]})
    card = modelcard.card(held(), splits, "x")
    assert mixed not in card
    assert f"| | seen in training | held out of training |\n|---|---|---|\n| AUC | {seen} | {out} |" in card
    results = yaml.safe_load(card.split("---")[1])["model-index"][0]["results"]
    assert [result["dataset"]["name"] for result in results] == [
        "test split, seen in training",
        "test split, held out of training",
    ]
    assert [result["metrics"][0]["value"] for result in results] == [
        round(figures[name]["auc"], 4) for name in ("seen", "held_out")
    ]


def test_where_people_are_too_few_the_verdict_names_the_doubt():
    three = predictions().iloc[[0, 1, 3]].assign(group="one")
    assert "That may be chance, and how far cannot be told: a class of fewer than 2 groups" in verdict(
        facts(three).metrics
    )
    assert "chance" not in verdict(facts().metrics)


# ---- what is shown


def test_the_funnel_counts_both_classes_after_each_step():
    videos = pd.DataFrame(
        {"video_id": list("abcd"), "label": [0, 1, 1, 0], "status": ["ok", "ok", "decode_error", "ok"]}
    )
    kept = pd.DataFrame({"video_id": list("abd"), "reason": ["", "small", ""]})
    splits = videos.assign(
        split=["train", "test", "test", "test"], status=["ok", "too_few_faces", "decode_error", "ok"]
    )
    scored = pd.DataFrame({"label": [0, 1, 1], "score": [0.4, np.nan, np.nan]})
    assert funnel(videos, kept, splits, scored) == [
        ("videos found", 2, 2),
        ("gave frames", 2, 1),
        ("show a face", 2, 1),
        ("have good faces enough", 2, 0),
        ("train", 1, 0),
        ("validation", 0, 0),
        ("test, expected", 1, 2),
        ("test, scored", 1, 0),
    ]


def test_the_most_confident_mistakes_come_first_with_faces_of_the_longest_track(tmp_path, noise):
    table = predictions().iloc[:6].assign(video_id=list("abcdef"), label=[0, 0, 0, 1, 1, 1])
    table["score"], table["verdict"] = [0.6, 0.9, 0.1, 0.2, 0.4, 0.8], ["fake", "fake", "real", "real", "real", "fake"]
    rows = [(v, t, i, "") for v in "abcdef" for t, n in ((0, 2), (1, 11)) for i in range(n)]
    kept = pd.DataFrame(rows, columns=["video_id", "track", "position", "reason"])
    for name in "abcdef":
        (tmp_path / name).mkdir()
        with video.recording(tmp_path / name / "1.mkv") as record:
            for i, image in enumerate(noise):
                record(image, i / 25)
    worst = mistakes(table, sequences(table), kept, tmp_path, most=1)
    assert [(mistake.row["video_id"], len(mistake.faces)) for mistake in worst] == [("b", 8), ("d", 8)]
    np.testing.assert_array_equal(worst[0].faces[-1], noise[10])
    assert set(worst[0].sequences["video_id"]) == {"b"}
    assert [mistake.row["video_id"] for mistake in mistakes(table, sequences(table), kept, tmp_path, 9)] == list("bdae")
    shown = page.page(facts(mistakes=worst))
    assert shown.count("data:image/jpeg;base64,") == 16
    assert "moderate support" not in shown.split("The most confident")[0]


def test_a_timeline_shows_each_sequence_from_its_first_to_its_last_time():
    drawn = page.timeline(pd.DataFrame({"first": [0.0, 5.0], "last": [5.0, 10.0], "score": [1.0, 0.0]}))
    assert re.findall(r'x1="([\d.]+)" x2="([\d.]+)" y1="([\d.]+)"', drawn) == [
        ("30", "588", "26"),
        ("30.0", "310.5", "5.0"),
        ("307.5", "588.0", "47.0"),
    ]
    assert ">10.00 s<" in drawn


# ---- the card


def test_the_card_has_the_metadata_of_the_hub_and_the_limits():
    splits = pd.DataFrame({"split": ["train", "train", "test"], "label": [0, 1, 1], "group": list("abc")})
    text = modelcard.card(facts(), splits.assign(method=["", "swap", "blend"]), "2026-01-01")
    head = yaml.safe_load(text.split("---")[1])
    assert head["model-index"][0]["results"][0]["metrics"][0]["type"] == "roc_auc"
    assert head["model-index"][0]["results"][0]["metrics"][0]["value"] == round(facts().metrics["video"]["auc"], 4)
    assert "| train | 1 | 1 | 2 | swap |" in text
    assert "- Methods measured: blend, swap." in text
    assert "- Worst on " in text
    assert "2026-01-01" in text


def test_the_card_says_of_the_test_what_the_controls_have_found():
    known = [{"name": name, "fine": True, "finding": "as it should be"} for name in modelcard.FAIR]
    assert modelcard.fairness({"controls": known}) == (
        "Controlled: no person, source or file is on two sides of the split; the calibration comes from validation "
        "alone; the verdicts are those of the threshold that was frozen before."
    )
    known[0] |= {"fine": False, "finding": "person x is in train and test"}
    text = modelcard.fairness({"controls": known[:2]})
    assert text == (
        "Controlled: the calibration comes from validation alone.\n"
        "**Wrong**: sides: person x is in train and test.\nNot looked for: threshold."
    )
    splits = pd.DataFrame({"split": ["train"], "label": [0], "group": ["a"], "method": [""]})
    wrong = replace(facts(), controls={"verdict": "", "controls": known})
    assert "**Wrong**: sides: person x" in modelcard.card(wrong, splits, "x")
    assert "training has not seen;" not in modelcard.card(wrong, splits, "x")


def test_a_card_without_a_baseline_says_so():
    none = facts(predictions().assign(**{f"baseline_{n}": np.nan for n in BASELINES}))
    splits = pd.DataFrame({"split": ["train"], "label": [0], "group": ["a"], "method": [""]})
    assert "| best shortcut, AUC | there is none |" in modelcard.card(none, splits, "x")


def test_the_picture_of_all_charts_is_made(tmp_path):
    charts.evaluation(tmp_path / "all.png", facts().predictions, facts().metrics)
    assert (tmp_path / "all.png").stat().st_size > 10_000
