"""calibrate: trained networks in, a detector out: how their logits become P(fake), chosen on validation."""

import sys
from pathlib import Path

from deepfake import bundle, calibrate
from deepfake.base import params, tables
from deepfake.detect import DetectParams
from deepfake.extract import ExtractParams
from deepfake.filter import FilterParams
from stages.command import In, Metric, Out, done, main


def run(
    networks: In = Path("models/networks"),
    detector: Out = Path("models/calibrated"),
    report: Metric = Path("reports/calibrate.json"),
) -> None:
    """Fit the scoring on validation, and write the detector with all that it needs to score a video."""
    p = params.load("calibrate", calibrate.CalibrateParams)
    before: dict[str, params.Params] = {
        "extract": params.load("extract", ExtractParams).policy(),
        "detect": params.load("detect", DetectParams),
        "filter": params.load("filter", FilterParams),
    }
    scoring, validation = calibrate.fit(bundle.read_validation(networks), p)
    if validation["untrained"]:
        print(f"warning: this detector did not learn to tell fakes: {validation['untrained']}", file=sys.stderr)
    if few := calibrate.few(validation, p):
        print(f"warning: {few}", file=sys.stderr)
    sections = {name: section.model_dump(mode="json") for name, section in before.items()}
    bundle.save(detector, networks, sections, scoring, validation)
    tables.write_metrics(report, validation)
    sentence = f"validation AUC {validation['auc']:.3f}, loss {validation['loss']:.3f}"
    done("calibrate", f"{sentence}, {validation['calibrator']}, tracks by {validation['tracks']}", detector)


if __name__ == "__main__":
    main(run)
