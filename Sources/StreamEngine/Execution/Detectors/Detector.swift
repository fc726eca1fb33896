import Platform

/// One window as a detector sees it: a tick for each key it knows, rows and missing ones, in key order.
///
/// A key without a row in an emitted window has a *missing* tick, so that silence is seen in its place among the rows. A
/// row whose cell is null counts as missing too. Values may be anything a double can be, NaN and infinities included.
public struct DetectorTicks {
    public let windowStartMs: Int64
    public let windowEndMs: Int64
    /// Each key once: its index, dense from 0 in the order of `Detector.addKeys`.
    public let keys: [UInt32]
    /// The cells; 0 where missing.
    public let values: [Double]
    /// Whether the key has a value in this window.
    public let present: [Bool]

    /// The ticks of one window; the arrays are of one length.
    public init(windowStartMs: Int64, windowEndMs: Int64, keys: [UInt32], values: [Double], present: [Bool]) {
        // `AnomalyRunner.ticks` fills all three at once.
        precondition(keys.count == values.count && keys.count == present.count, "one value a key")
        self.windowStartMs = windowStartMs
        self.windowEndMs = windowEndMs
        self.keys = keys
        self.values = values
        self.present = present
    }
}

/// What a detector says about one tick.
public struct DetectorVerdict: Sendable, BitwiseCopyable {
    /// 0...1, never NaN; for `auto` 1 - tail probability.
    public var score: Double
    public var isFlagged: Bool
    /// What was expected, and from where to where; NaN where the detector does not say. An infinite bound is none.
    public var expected: Double
    public var lower: Double
    public var upper: Double

    /// A verdict; by default: nothing to see.
    @inlinable
    public init(
        score: Double = 0, isFlagged: Bool = false, expected: Double = .nan, lower: Double = .nan, upper: Double = .nan
    ) {
        self.score = score
        self.isFlagged = isFlagged
        self.expected = expected
        self.lower = lower
        self.upper = upper
    }
}

/// A running detector: the state of every key of one owner (a query, or one partition of a partition-local query).
///
/// Deterministic: what it says depends on the ticks alone, not on clocks, batches or hash seeds. Used by one thread. Most
/// are a `KeyedDetector` over a `DetectorModel`; only those that look across keys write this themselves.
public protocol Detector: AnyObject {
    /// Makes room for keys whose indices follow those known.
    func addKeys(_ keys: [DetectorKey])
    /// Judges one window and learns from it. `verdicts` comes with one default verdict a tick.
    func judge(_ ticks: DetectorTicks, into verdicts: inout [DetectorVerdict])
    /// One sentence, without a full stop, for the tick at `row` of the window judged last; asked of flagged ones only. Says
    /// value and bound with the column's name: `cpu_avg 0.97 is above 0.61, the highest expected for Mondays 09:00`.
    func reason(_ row: Int, _ ticks: DetectorTicks, _ verdict: DetectorVerdict) -> String
    /// Forgets keys: `newIndex` holds the new index of each old one, `UInt32.max` for those that go; order is kept.
    func forget(_ newIndex: [UInt32])
    /// Writes the state of every key; `decode` of a fresh detector with as many keys added reads it back, bit for bit.
    func encode(to writer: inout ByteWriter)
    func decode(from reader: inout ByteReader) throws(DecodingFailure)
    /// Bytes held.
    var byteCount: Int { get }
}

/// A key as detectors see it: the labels (or other key columns) that the row carries, by column.
public struct DetectorKey: Sendable, Hashable {
    /// Columns without a value (a missing label) are left out.
    public let labels: [Label]

    /// A key of these labels.
    public init(labels: [Label]) { self.labels = labels }

    /// The text of a column; nil where the key has none.
    public func value(of column: ByteString) -> ByteString? { labels.first { $0.name == column }?.value }
}

/// What a detector is made with, beside its options.
public struct DetectorSetting: Sendable {
    /// The column it looks at, for reasons; the name of the query where it looks at none.
    public let column: String
    /// How long a window is, ms.
    public let windowMs: Int64
    /// How far apart windows begin, ms: the time from tick to tick.
    public let slideMs: Int64

    /// The surroundings of one detector.
    public init(column: String, windowMs: Int64, slideMs: Int64) {
        self.column = column
        self.windowMs = windowMs
        self.slideMs = slideMs
    }

    /// How many windows begin in a duration; at least 1.
    public func windows(inMs durationMs: Int64) -> Int { max(1, Int(clamping: durationMs / max(slideMs, 1))) }
}

/// A type of detector (JOBS.md "Detectors"). Adding one is one file in `Operators/Detectors` and one line in its list.
public protocol DetectorFactory: Sendable {
    /// The `type` in a job.
    var name: String { get }
    /// One line for `--help` and the reference.
    var summary: String { get }
    /// Its own parameters; `warmup`, which all have, comes on top.
    var parameters: [OptionKey] { get }
    /// Windows with a value before a key's first flag, where the job does not say.
    var defaultWarmup: Int { get }
    /// Whether it must be given a column of numbers.
    var needsColumn: Bool { get }
    /// The labels by which it compares keys with each other; nil where it looks at each key alone.
    func groupingLabels(_ options: CheckedOptions) -> [String]?
    /// Bytes of state of one key, for `explain`.
    func bytesPerKey(_ options: CheckedOptions, _ setting: DetectorSetting) -> Int
    /// What is wrong with these options beyond keys and types; paths come from `options.path(_:)`.
    func check(_ options: CheckedOptions) -> [Diagnostic]
    /// A detector without keys.
    func make(_ options: CheckedOptions, _ setting: DetectorSetting) -> any Detector
}

extension DetectorFactory {
    public var needsColumn: Bool { true }
    public func groupingLabels(_ options: CheckedOptions) -> [String]? { nil }
    public func check(_ options: CheckedOptions) -> [Diagnostic] { [] }

    /// Every key of its options in a job.
    public var schema: OptionSchema {
        OptionSchema(
            name, summary,
            parameters + [
                .defaulted(
                    "warmup", .integer(0...1_000_000), .integer(Int64(defaultWarmup)),
                    "windows with a value before a key's first flag")
            ])
    }
}
