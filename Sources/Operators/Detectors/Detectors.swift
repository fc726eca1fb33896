import StreamEngine

/// The detectors, in the order of the reference.
public enum Detectors {
    /// Every detector. Adding one is one file beside this one and one line here.
    public static let all: [any DetectorFactory] = [
        ThresholdDetector()
    ]
}
