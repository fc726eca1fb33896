import Platform

/// A slow level and how far values usually are from it: the mean while it is young, later with a memory of some hundred
/// values; a value far off counts as three deviations. 24 bytes.
struct RunningLevel: BitwiseCopyable, Sendable {
    /// Values remembered.
    static let memory = 300.0

    var level = 0.0
    /// Mean absolute deviation.
    var spread = 0.0
    var count: UInt32 = 0

    init() {}

    /// The standard deviation that the spread stands for in normal values; above 0.
    var deviation: Double { max(1.2533 * spread, 1e-6 * abs(level), 1e-12) }

    /// Learns a value within ±1e100.
    mutating func learn(_ value: Double) {
        if count == 0 { level = value }
        count = min(count + 1, 1_000_000)
        let rate = max(1 / Double(count), 1 / Self.memory)
        var distance = value - level
        if count > 8 { distance = min(max(distance, -3 * deviation), 3 * deviation) }
        level += distance * rate
        // Around a level that was made from them, few values look nearer than they are.
        let young = count > 1 ? Double(count) / Double(count - 1) : 1
        spread += (abs(distance) * young - spread) * rate
    }

    /// Takes a new level, as wide at first as a quarter of the way there.
    mutating func adopt(_ value: Double) {
        spread = max(spread, abs(value - level) / 4)
        level = value
        count = min(count, 30)
    }

    func encode(to writer: inout ByteWriter) {
        writer.write(level)
        writer.write(spread)
        writer.write(count)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        level = try reader.readFinite("level", limit: 1e101)
        spread = try reader.readMagnitude("spread")
        count = try reader.read()
    }
}
