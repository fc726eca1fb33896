import Platform
import StreamEngine

/// `auto`: the recommended default; needs no tuning.
///
/// Finds spikes and drops, shifts of level, slow drifts, unrest and calm, values that stand still, values that are wrong
/// for the time of day or week or for a cycle of up to 200 windows; misses what begins before the warm-up is over, drifts
/// slower than some hundred windows, and what every tenth window does. Its score is the chance that a healthy series
/// shows nothing as strange in 6 windows, so one threshold works for every series.
///
/// How: six statistics of each value, each judged by its own past.
/// 1. *surprise*: the distance from a mixed forecast (`AutoExperts`);
/// 2. *deviation*: the distance from a slow level, on top of the profile of the day or week (`TimeProfile`) once that
///    has shown to fit better;
/// 3. to 5. the mean of the last 4, 16 and 64 deviations, each cut to 6: shifts and drifts too small to see in one
///    value;
/// 6. *unrest*: how large the last 8 surprises were, and *calm*: how small the last 32.
///
/// The chance of each, up and down, comes from an extreme-value model of its own past (`TailModel`); the smallest times
/// eight (Bonferroni's correction for twelve overlapping tails) is that of the value. Beside them, `RepeatRun` says how
/// likely a value is that stands still. What is flagged is not learnt, but for a little of it in the tails, so that rare
/// things that come again are flagged less, and not at all where they come every hundred windows; after 30 flagged
/// windows the level there is adopted, and the way back from it is no news for 600. A gap of 60 values is followed by 8
/// that are only looked at. State: 2 KB a key, of which profiles are 864 bytes and the ring of cycles 256.
public struct AutoDetector: DetectorFactory {
    public let name = "auto"
    public let summary = "an ensemble that needs no tuning; the recommended default"
    public let defaultWarmup = 30
    public let parameters: [OptionKey] = [
        .defaulted("score", .number(0.5...0.999_999_999), .number(0.999), "flags from this score, 1 - tail probability")
    ]

    /// The one factory there is.
    public init() {}

    public func bytesPerKey(_ options: CheckedOptions, _ setting: DetectorSetting) -> Int {
        MemoryLayout<AutoState>.stride
    }

    public func make(_ options: CheckedOptions, _ setting: DetectorSetting) -> any Detector {
        KeyedDetector(
            AutoModel(
                column: setting.column, score: options.number("score") ?? 0.999,
                warmup: UInt32(clamping: options.requiredInteger("warmup")), slideMs: max(setting.slideMs, 1)))
    }
}
