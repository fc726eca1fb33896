import Platform
import StreamEngine

/// `rate_of_change`: how fast a value moves, in units or in parts of itself a minute.
///
/// Finds jumps and steep slopes; misses slow ones, and any level that is reached slowly. The change is taken from the
/// last window with a value, however long ago. 24 bytes a key.
public struct RateOfChangeDetector: DetectorFactory {
    public let name = "rate_of_change"
    public let summary = "a fixed bound on how fast a value moves"
    public let defaultWarmup = 30
    public let parameters: [OptionKey] = [
        .optional("above", .number(-1e100...1e100), "flags a faster rise, a minute"),
        .optional("below", .number(-1e100...1e100), "flags a faster fall (-5: by more than 5), a minute"),
        .defaulted(
            "relative", .boolean, .boolean(false), "whether the change is divided by the value before: 0.1 is 10 %"),
    ]

    /// The one factory there is.
    public init() {}

    public func bytesPerKey(_ options: CheckedOptions, _ setting: DetectorSetting) -> Int {
        MemoryLayout<RateOfChangeModel.State>.stride
    }

    public func check(_ options: CheckedOptions) -> [Diagnostic] {
        guard options.value("above") == nil, options.value("below") == nil else { return [] }
        return [Diagnostic("`rate_of_change` needs a bound", path: options.path, label: "above or below, a minute")]
    }

    public func make(_ options: CheckedOptions, _ setting: DetectorSetting) -> any Detector {
        KeyedDetector(
            RateOfChangeModel(
                column: setting.column, above: options.number("above") ?? .infinity,
                below: options.number("below") ?? -.infinity, isRelative: options.requiredBoolean("relative")))
    }
}

/// The bounds of `rate_of_change`.
struct RateOfChangeModel: DetectorModel {
    struct State: DetectorState {
        var last = 0.0
        /// End of the window it is of, ms.
        var lastMs: Int64 = 0
        var hasLast = false

        init() {}

        func encode(to writer: inout ByteWriter) {
            writer.write(last)
            writer.write(lastMs)
            writer.write(hasLast ? UInt8(1) : 0)
        }

        init(from reader: inout ByteReader) throws(DecodingFailure) {
            last = try reader.readFinite("value")
            lastMs = try reader.read()
            hasLast = try reader.read(UInt8.self) != 0
        }
    }

    let column: String
    let above: Double
    let below: Double
    let isRelative: Bool

    func makeState() -> State { State() }

    func judge(_ tick: DetectorTick, _ state: inout State) -> DetectorVerdict {
        guard tick.isPresent, let value = Measurable.clamp(tick.value) else { return DetectorVerdict() }
        defer {
            state.last = value
            state.lastMs = tick.windowEndMs
            state.hasLast = true
        }
        let elapsedMs = EventTime.difference(tick.windowEndMs, state.lastMs)
        guard state.hasLast, elapsedMs > 0, !isRelative || state.last != 0 else { return DetectorVerdict() }
        // What a bound of 1 a minute comes to in this time.
        let unit = Double(elapsedMs) / 60_000 * (isRelative ? abs(state.last) : 1)
        let upper = above == .infinity ? .infinity : state.last + above * unit
        let lower = below == -.infinity ? -.infinity : state.last + below * unit
        let isFlagged = value > upper || value < lower
        return DetectorVerdict(
            score: isFlagged ? 1 : 0, isFlagged: isFlagged, expected: state.last, lower: lower, upper: upper)
    }

    func reason(_ tick: DetectorTick, _ verdict: DetectorVerdict, _ state: State) -> String {
        let isAbove = tick.value > verdict.upper
        let bound = isAbove ? above : below
        let limit = isRelative ? "\(ReasonText.number(bound * 100)) %" : ReasonText.number(bound)
        return "\(column) went from \(ReasonText.number(verdict.expected)) to \(ReasonText.number(tick.value)), "
            + "\(isAbove ? "above" : "below") \(ReasonText.number(isAbove ? verdict.upper : verdict.lower)), "
            + "which \(limit) a minute would have come to"
    }
}
