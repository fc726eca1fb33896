import Platform
import StreamEngine

/// `threshold`: a fixed bound, with another to clear it.
///
/// Finds what a person can name beforehand; misses whatever stays within the bounds, and knows no time of day. A value is
/// flagged when it is beyond a bound, and stays so until it is back beyond the clearing one. NaN is never flagged. 1 byte a
/// key.
public struct ThresholdDetector: DetectorFactory {
    public let name = "threshold"
    public let summary = "a fixed bound, with another to clear it"
    public let defaultWarmup = 0
    public let parameters: [OptionKey] = [
        .optional("above", .number(-Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude), "flags above it"),
        .optional("below", .number(-Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude), "flags below it"),
        .optional(
            "outside", .list(.number(-Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude)),
            "[lo, hi]: flags below lo and above hi"),
        .optional(
            "clearAbove", .number(-Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude),
            absent: "the upper bound", "what was flagged above its bound stays flagged above this"),
        .optional(
            "clearBelow", .number(-Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude),
            absent: "the lower bound", "what was flagged below its bound stays flagged below this"),
    ]

    /// The one factory there is.
    public init() {}

    public func bytesPerKey(_ options: CheckedOptions, _ setting: DetectorSetting) -> Int {
        MemoryLayout<ThresholdModel.State>.stride
    }

    public func check(_ options: CheckedOptions) -> [Diagnostic] {
        var found: [Diagnostic] = []
        let outside = options.list("outside")
        if options.value("above") == nil, options.value("below") == nil, options.value("outside") == nil {
            found.append(
                Diagnostic("`threshold` needs a bound", path: options.path, label: "above, below or outside: [lo, hi]"))
        }
        if options.value("outside") != nil {
            if options.value("above") != nil || options.value("below") != nil {
                found.append(
                    Diagnostic(
                        "`outside` is both bounds at once", path: options.path("outside"),
                        label: "leave out `above` and `below`"))
            }
            let bounds = outside.compactMap { if case .number(let bound) = $0 { bound } else { nil } }
            if bounds.count != 2 || bounds[0] > bounds[1] {
                found.append(
                    Diagnostic("`outside` is a list of two numbers, the lower first", path: options.path("outside")))
            }
        }
        let model = ThresholdModel(options, column: "")
        if options.value("clearAbove") != nil, !(model.clearAbove <= model.upper) || model.upper == .infinity {
            found.append(
                Diagnostic(
                    "`clearAbove` clears an upper bound and is not above it", path: options.path("clearAbove")))
        }
        if options.value("clearBelow") != nil, !(model.clearBelow >= model.lower) || model.lower == -.infinity {
            found.append(
                Diagnostic(
                    "`clearBelow` clears a lower bound and is not below it", path: options.path("clearBelow")))
        }
        return found
    }

    public func make(_ options: CheckedOptions, _ setting: DetectorSetting) -> any Detector {
        KeyedDetector(ThresholdModel(options, column: setting.column))
    }
}

/// The bounds of `threshold`, and which of them a key is beyond.
struct ThresholdModel: DetectorModel {
    /// Which bound a key is beyond.
    enum State: UInt8, DetectorState {
        case within, above, below

        func encode(to writer: inout ByteWriter) { writer.write(rawValue) }

        init(from reader: inout ByteReader) throws(DecodingFailure) {
            let byte: UInt8 = try reader.read()
            guard let state = State(rawValue: byte) else {
                throw DecodingFailure("a threshold's state is 0, 1 or 2, not \(byte)")
            }
            self = state
        }
    }

    let column: String
    let upper: Double
    let lower: Double
    let clearAbove: Double
    let clearBelow: Double

    init(_ options: CheckedOptions, column: String) {
        self.column = column
        let outside = options.list("outside").compactMap { if case .number(let bound) = $0 { bound } else { nil } }
        upper = options.number("above") ?? outside.last ?? .infinity
        lower = options.number("below") ?? outside.first ?? -.infinity
        clearAbove = options.number("clearAbove") ?? upper
        clearBelow = options.number("clearBelow") ?? lower
    }

    func makeState() -> State { .within }

    func judge(_ tick: DetectorTick, _ state: inout State) -> DetectorVerdict {
        // A missing value says nothing about the bound: what it was beyond stays.
        guard tick.isPresent else { return DetectorVerdict(lower: lower, upper: upper) }
        let value = tick.value
        if value > upper || state == .above && value > clearAbove {
            state = .above
        } else if value < lower || state == .below && value < clearBelow {
            state = .below
        } else {
            state = .within
        }
        return DetectorVerdict(
            score: state == .within ? 0 : 1, isFlagged: state != .within, lower: lower, upper: upper)
    }

    func reason(_ tick: DetectorTick, _ verdict: DetectorVerdict, _ state: State) -> String {
        let value = ReasonText.number(tick.value)
        let isAbove = state == .above
        let bound = isAbove ? upper : lower
        if isAbove ? tick.value > bound : tick.value < bound {
            return "\(column) \(value) is \(isAbove ? "above" : "below") \(ReasonText.number(bound))"
        }
        let clear = ReasonText.number(isAbove ? clearAbove : clearBelow)
        return "\(column) \(value) is still \(isAbove ? "above" : "below") \(clear), where it clears"
    }
}
