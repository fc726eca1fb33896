import Platform
import StreamEngine

/// `new_series`: a key that was not there before.
///
/// Finds new instances, error codes, tenants, topics; misses keys that come back within the job's `keyTTL`. A key is
/// flagged in the first window that has it. What is there in the first 30 windows that the detector sees is not new. 1
/// byte a key.
public struct NewSeriesDetector: DetectorFactory {
    public let name = "new_series"
    public let summary = "a key that was not there before"
    public let defaultWarmup = 0
    public let needsColumn = false
    public let parameters: [OptionKey] = []

    /// The one factory there is.
    public init() {}

    public func bytesPerKey(_ options: CheckedOptions, _ setting: DetectorSetting) -> Int { MemoryLayout<Bool>.stride }

    public func check(_ options: CheckedOptions) -> [Diagnostic] {
        guard let warmup = options.integer("warmup"), warmup > 0 else { return [] }
        return [
            Diagnostic(
                "`new_series` flags a key's first window, before any `warmup` is over", path: options.path("warmup"),
                label: "leave it out")
        ]
    }

    public func make(_ options: CheckedOptions, _ setting: DetectorSetting) -> any Detector {
        NewSeries(column: setting.column)
    }
}

/// The keys `new_series` has seen.
final class NewSeries: Detector {
    /// Windows in which everything is taken as it is.
    static let settling: UInt32 = 30

    private let column: String
    private var windows: UInt32 = 0
    private var isKnown: [Bool] = []

    init(column: String) { self.column = column }

    func addKeys(_ keys: [DetectorKey]) { isKnown.append(contentsOf: repeatElement(false, count: keys.count)) }

    func judge(_ ticks: DetectorTicks, into verdicts: inout [DetectorVerdict]) {
        for row in ticks.keys.indices where ticks.present[row] && !isKnown[Int(ticks.keys[row])] {
            isKnown[Int(ticks.keys[row])] = true
            if windows >= Self.settling { verdicts[row] = DetectorVerdict(score: 1, isFlagged: true) }
        }
        windows = min(windows + 1, Self.settling)
    }

    func reason(_ row: Int, _ ticks: DetectorTicks, _ verdict: DetectorVerdict) -> String {
        "seen for the first time by \(column)"
    }

    func forget(_ newIndex: [UInt32]) {
        isKnown = zip(isKnown, newIndex).filter { $0.1 != .max }.map(\.0)
    }

    func encode(to writer: inout ByteWriter) {
        writer.write(windows)
        for known in isKnown { writer.write(known ? UInt8(1) : 0) }
    }

    func decode(from reader: inout ByteReader) throws(DecodingFailure) {
        windows = min(try reader.read(), Self.settling)
        for index in isKnown.indices { isKnown[index] = try reader.read(UInt8.self) != 0 }
    }

    var byteCount: Int { isKnown.capacity }
}
