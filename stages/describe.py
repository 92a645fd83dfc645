"""describe: the card of the detector says on what it was measured, and with which figures."""

from pathlib import Path

from deepfake import bundle, scope
from stages.command import In, Out, done, main


def run(
    calibrated: In = Path("models/calibrated"),
    metrics: In = Path("reports/metrics.json"),
    detector: Out = Path("models/detector"),
) -> None:
    """Write the detector with what its test says; it is what leaves the pipeline."""
    measured = scope.read(metrics)
    bundle.describe(detector, calibrated, measured)
    figures = "; ".join(scope.spoken(measured)) or "no AUC is defined"
    done("describe", f"{figures}; methods: {measured.methods}", detector)


if __name__ == "__main__":
    main(run)
