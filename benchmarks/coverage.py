"""How often a 95 % interval holds the truth: simulated tests of 10, 30 and 100 groups of people, 500 of each.

    python benchmarks/coverage.py

Each person has two real and two fake videos, whose scores are alike. An honest method stays within 93 and 97 %. Beside
the intervals that `evaluate` reports stand those by percentiles of the same resamples, which it does not use.
"""

import argparse

import numpy as np
from scipy.special import expit

from deepfake.measures.intervals import described, draws
from deepfake.measures.statistics import Sample, figures

GROUPS, SETS, RESAMPLES = (10, 30, 100), 500, 1000
ALIKE = 0.7  # deviation of a person's scores, in those of a video
LEFT_OUT = ("ece", "recall", "false_negative_rate")  # no interval; those of the false positive rate mirrored


def people(groups: int, gap: float, rng: np.random.Generator, each: int = 2) -> Sample:
    """Perfectly calibrated scores, whose log odds of fakes and reals lie `gap` deviations apart."""
    label, group = np.tile([0, 1], groups * each), np.repeat(np.arange(groups), 2 * each)
    alike = ALIKE * rng.normal(size=(groups, 2))[group, label]
    place = (rng.normal(size=len(label)) + alike) / np.hypot(1, ALIKE) + gap * label
    score = expit(gap * (place - gap / 2))
    return Sample(label, score, score >= 0.5, group, groups)


def coverage(groups: int, gap: float, sets: int = SETS, resamples: int = RESAMPLES) -> dict[str, dict[str, float]]:
    """The share of the simulated tests whose interval holds the truth, ours and by percentiles, for each figure."""
    truth = {name: value[0] for name, value in figures(people(200_000, gap, np.random.default_rng(0))).items()}
    held: dict[str, dict[str, list[bool]]] = {n: {"ours": [], "percentiles": []} for n in truth if n not in LEFT_OUT}
    for number in range(sets):
        sample = people(groups, gap, np.random.default_rng([number, groups]))
        intervals = described(sample, resamples, number)
        resampled = figures(sample, draws(groups, resamples, number))
        for name, both in held.items():
            if intervals[f"{name}_low"] is not None:
                both["ours"].append(intervals[f"{name}_low"] <= truth[name] <= intervals[f"{name}_high"])
                low, high = np.nanpercentile(resampled[name], (2.5, 97.5))
                both["percentiles"].append(low <= truth[name] <= high)
    return {n: {how: float(np.mean(flags)) for how, flags in both.items()} for n, both in held.items() if both["ours"]}


def main() -> None:
    """Simulate, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gap", type=float, default=2.0, help="between reals and fakes; 2.0: AUC .92, 0.8: .71")
    parser.add_argument("--groups", type=int, nargs="*", default=GROUPS, help="of people in a test")
    parser.add_argument("--sets", type=int, default=SETS, help="simulated tests")
    arguments = parser.parse_args()
    results = {groups: coverage(groups, arguments.gap, arguments.sets) for groups in arguments.groups}
    print(f"| figure | {' | '.join(f'{n} groups | by percentiles' for n in results)} |")
    print(f"|---|{'---|' * 2 * len(results)}")
    for name in dict.fromkeys(name for rows in results.values() for name in rows):
        cells = [
            f"{rows[name][how]:.1%}" if name in rows else ""
            for rows in results.values()
            for how in rows.get(name, {"": 0, " ": 0})
        ]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
