import Glibc
import Platform

/// How often a series repeats its last value, and for how long it has done so now: whether it has stopped moving.
///
/// A run is strange where it is more than twice as long as any before it, and where chance would hardly make it: the
/// share of repeats to the power of its length. 12 bytes.
struct RepeatRun: BitwiseCopyable, Sendable {
    /// Series that repeat more often than this stand still by nature.
    private static let most: Float = 0.2

    /// Values that repeated the one before, until now.
    private var length: Float = 0
    /// The longest run there was, forgotten slowly.
    private var longest: Float = 0
    /// Share of values that repeat the one before.
    private var share: Float = 0.5

    init() {}

    /// Takes in whether a value repeats the one before; `count` values came before it.
    mutating func learn(isRepeat: Bool, count: UInt32) {
        if isRepeat {
            length = min(length + 1, 1e6)
        } else {
            longest = max(longest * 0.9995, length)
            length = 0
        }
        // A run that goes on for long does not make itself usual: it counts for what chance would allow.
        if length <= 2 * longest + 4 { share += ((isRepeat ? 1 : 0) - share) / min(Float(count) + 2, 500) }
    }

    /// The chance of a run as long as that which goes on, 0...1; 1 where nothing can be said.
    var probability: Double {
        guard length > 2 * longest + 2, share < Self.most else { return 1 }
        return pow(Double(max(share, 0.003)), Double(length))
    }

    /// Takes the run that goes on for usual.
    mutating func adopt() { longest = max(longest, length) }

    func encode(to writer: inout ByteWriter) {
        for part in [length, longest, share] { writer.write(part) }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        length = try reader.readFinite("run", limit: Float(1e6))
        longest = try reader.readFinite("run", limit: Float(1e6))
        share = try reader.readFinite("share", limit: Float(1))
        guard length >= 0, longest >= 0, share >= 0 else { throw DecodingFailure("a run of \(length) values") }
    }
}
