import Platform
import StreamEngine

/// `absent`: a key that was there and sends nothing any more.
///
/// Finds targets that went away, exporters that hang, series that are no longer written; misses a target that goes on
/// sending a wrong value (see `flatline`) and one that never came. Flags from the `after`th window in a row without a
/// value until the next value. 16 bytes a key.
public struct AbsentDetector: DetectorFactory {
    public let name = "absent"
    public let summary = "no value for some windows in a row"
    public let defaultWarmup = 0
    public let needsColumn = false
    public let parameters: [OptionKey] = [
        .defaulted("after", .integer(1...1_000_000), .integer(3), "flags from this many windows without a value")
    ]

    /// The one factory there is.
    public init() {}

    public func bytesPerKey(_ options: CheckedOptions, _ setting: DetectorSetting) -> Int {
        MemoryLayout<AbsentModel.State>.stride
    }

    public func make(_ options: CheckedOptions, _ setting: DetectorSetting) -> any Detector {
        KeyedDetector(AbsentModel(column: setting.column, after: UInt32(clamping: options.requiredInteger("after"))))
    }
}

/// How long each key has been away.
struct AbsentModel: DetectorModel {
    struct State: DetectorState {
        /// End of the last window with a value, ms; 0 before the first.
        var lastSeenMs: Int64 = 0
        /// Windows without one since; `UInt32.max` before the first.
        var missing = UInt32.max

        init() {}

        func encode(to writer: inout ByteWriter) {
            writer.write(lastSeenMs)
            writer.write(missing)
        }

        init(from reader: inout ByteReader) throws(DecodingFailure) {
            lastSeenMs = try reader.read()
            missing = try reader.read()
        }
    }

    let column: String
    let after: UInt32

    func makeState() -> State { State() }

    func judge(_ tick: DetectorTick, _ state: inout State) -> DetectorVerdict {
        if tick.isPresent {
            state.lastSeenMs = tick.windowEndMs
            state.missing = 0
            return DetectorVerdict()
        }
        // A key that never had a value cannot be missed; the count stops before it would mean that.
        guard state.missing < UInt32.max - 1 else { return DetectorVerdict() }
        state.missing += 1
        let isFlagged = state.missing >= after
        return DetectorVerdict(score: isFlagged ? 1 : Double(state.missing) / Double(after + 1), isFlagged: isFlagged)
    }

    func reason(_ tick: DetectorTick, _ verdict: DetectorVerdict, _ state: State) -> String {
        let windows = state.missing == 1 ? "1 window" : "\(state.missing) windows"
        return "no \(column) for \(windows), the last one at \(EventTime.consoleText(state.lastSeenMs))"
    }
}
