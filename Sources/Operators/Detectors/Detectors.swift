import StreamEngine

/// The detectors, in the order of the reference.
public enum Detectors {
    /// Every detector. Adding one is one file beside this one and one line here.
    public static let all: [any DetectorFactory] = [
        ThresholdDetector(), AbsentDetector(), ForecastDetector(), PeersDetector(), AutoDetector(),
        RateOfChangeDetector(), EwmaDetector(), RobustDetector(), SeasonalDetector(), CusumDetector(),
        PageHinkleyDetector(), SpotDetector(), DspotDetector(), FlatlineDetector(), NewSeriesDetector(),
    ]
}
