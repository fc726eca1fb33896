import Platform
import StreamEngine

/// `spot`: values so extreme that they come with a probability below `risk`, by extreme-value theory (Siffer, Fouque,
/// Termier, Largouët: "Anomaly Detection in Streams with Extreme Value Theory", KDD 2017).
///
/// Finds spikes without assuming how values are distributed; misses what is wrong within the usual range, and takes
/// drifts and daily rhythms for what they are: see `dspot`. The peaks' distribution is fitted by moments instead of
/// maximum likelihood, and both sides are judged. As in the paper what is flagged is not learnt; other than there, 60
/// flagged windows in a row are followed by starting anew. 88 bytes a key.
public struct SpotDetector: DetectorFactory {
    public let name = "spot"
    public let summary = "values more extreme than a risk allows, by extreme-value theory"
    public let defaultWarmup = 30
    public let parameters: [OptionKey] = SpotModel.parameters

    /// The one factory there is.
    public init() {}

    public func bytesPerKey(_ options: CheckedOptions, _ setting: DetectorSetting) -> Int {
        MemoryLayout<SpotModel.State>.stride
    }

    public func make(_ options: CheckedOptions, _ setting: DetectorSetting) -> any Detector {
        KeyedDetector(SpotModel(options, setting, followsDrift: false))
    }
}

/// `dspot`: `spot` of the distance from the mean of the last `depth` values, as the same paper has it.
///
/// Finds spikes on top of drifts and rhythms slower than `depth` windows; misses shifts of level after their first
/// windows. 88 bytes a key.
public struct DspotDetector: DetectorFactory {
    public let name = "dspot"
    public let summary = "spot, of the distance from a moving mean"
    public let defaultWarmup = 30
    public let parameters: [OptionKey] = SpotModel.parameters

    /// The one factory there is.
    public init() {}

    public func bytesPerKey(_ options: CheckedOptions, _ setting: DetectorSetting) -> Int {
        MemoryLayout<SpotModel.State>.stride
    }

    public func make(_ options: CheckedOptions, _ setting: DetectorSetting) -> any Detector {
        KeyedDetector(SpotModel(options, setting, followsDrift: true))
    }
}
