import Platform
import StreamEngine

/// `flatline`: a value that used to move and stands still.
///
/// Finds sensors that hang, exporters that repeat their last answer, work that stopped; misses what only gets quieter,
/// and series that stand still by nature are flagged where they once moved. Equal means equal bit for bit; NaN after
/// NaN stands still too, and a missing window neither moves nor stands. Flags from the `after`th window in a row with
/// one value. 16 bytes a key.
public struct FlatlineDetector: DetectorFactory {
    public let name = "flatline"
    public let summary = "the same value for some windows in a row, after it has moved"
    public let defaultWarmup = 0
    public let parameters: [OptionKey] = [
        .defaulted("after", .integer(2...1_000_000), .integer(10), "flags from this many windows with one value")
    ]

    /// The one factory there is.
    public init() {}

    public func bytesPerKey(_ options: CheckedOptions, _ setting: DetectorSetting) -> Int {
        MemoryLayout<FlatlineModel.State>.stride
    }

    public func make(_ options: CheckedOptions, _ setting: DetectorSetting) -> any Detector {
        KeyedDetector(FlatlineModel(column: setting.column, after: UInt32(clamping: options.requiredInteger("after"))))
    }
}

/// How long each key has stood still.
struct FlatlineModel: DetectorModel {
    struct State: DetectorState {
        var bits: UInt64 = 0
        /// Windows with this value; 0 before the first.
        var windows: UInt32 = 0
        var hasMoved = false

        init() {}

        func encode(to writer: inout ByteWriter) {
            writer.write(bits)
            writer.write(windows)
            writer.write(hasMoved ? UInt8(1) : 0)
        }

        init(from reader: inout ByteReader) throws(DecodingFailure) {
            bits = try reader.read()
            windows = try reader.read()
            hasMoved = try reader.read(UInt8.self) != 0
        }
    }

    let column: String
    let after: UInt32

    func makeState() -> State { State() }

    func judge(_ tick: DetectorTick, _ state: inout State) -> DetectorVerdict {
        guard tick.isPresent else {
            let isFlagged = state.hasMoved && state.windows >= after
            return DetectorVerdict(score: isFlagged ? 1 : 0, isFlagged: isFlagged)
        }
        if state.windows > 0, tick.value.bitPattern == state.bits {
            state.windows = min(state.windows + 1, .max - 1)
        } else {
            state.hasMoved = state.windows > 0
            state.bits = tick.value.bitPattern
            state.windows = 1
        }
        guard state.hasMoved else { return DetectorVerdict() }
        let isFlagged = state.windows >= after
        return DetectorVerdict(score: isFlagged ? 1 : Double(state.windows) / Double(after + 1), isFlagged: isFlagged)
    }

    func reason(_ tick: DetectorTick, _ verdict: DetectorVerdict, _ state: State) -> String {
        "\(column) has been \(ReasonText.number(Double(bitPattern: state.bits))) for \(state.windows) windows"
    }
}
