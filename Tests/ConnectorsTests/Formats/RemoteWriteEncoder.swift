import Platform
import StreamEngine

/// Builds `WriteRequest`s byte by byte, healthy and not; shares nothing with the decoder.
struct ProtobufBytes {
    private(set) var bytes: [UInt8] = []

    init() {}

    static func varint(_ value: UInt64) -> [UInt8] {
        var out: [UInt8] = []
        var value = value
        repeat {
            out.append(UInt8(value % 128) + (value >= 128 ? 128 : 0))
            value /= 128
        } while value > 0
        return out
    }

    mutating func raw(_ more: [UInt8]) { bytes += more }

    mutating func field(_ number: UInt64, varint value: UInt64) {
        bytes += Self.varint(number * 8) + Self.varint(value)
    }

    mutating func field(_ number: UInt64, bytes payload: [UInt8]) {
        bytes += Self.varint(number * 8 + 2) + Self.varint(UInt64(payload.count)) + payload
    }

    mutating func field(_ number: UInt64, text: String) { field(number, bytes: Array(text.utf8)) }

    mutating func field(_ number: UInt64, double value: Double) {
        bytes += Self.varint(number * 8 + 1) + (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> ($0 * 8)) }
    }

    static func label(_ name: [UInt8], _ value: [UInt8]) -> [UInt8] {
        var label = ProtobufBytes()
        label.field(1, bytes: name)
        label.field(2, bytes: value)
        return label.bytes
    }

    static func sample(_ timestampMs: Int64, _ value: Double) -> [UInt8] {
        var sample = ProtobufBytes()
        sample.field(1, double: value)
        sample.field(2, varint: UInt64(bitPattern: timestampMs))
        return sample.bytes
    }

    /// A `TimeSeries`, labels first.
    static func series(_ labels: [(String, String)], _ samples: [(Int64, Double)]) -> [UInt8] {
        var series = ProtobufBytes()
        for (name, value) in labels { series.field(1, bytes: label(Array(name.utf8), Array(value.utf8))) }
        for (timestampMs, value) in samples { series.field(2, bytes: sample(timestampMs, value)) }
        return series.bytes
    }

    /// A `WriteRequest` of these `TimeSeries`.
    static func request(_ series: [[UInt8]]) -> [UInt8] {
        var request = ProtobufBytes()
        for one in series { request.field(1, bytes: one) }
        return request.bytes
    }
}

/// A sample as a decoder gave it.
struct DecodedSample: Equatable, CustomStringConvertible {
    var series: String
    var timestampMs: Int64
    /// Bits, so that NaNs compare.
    var bits: UInt64
    var place: Int

    init(_ series: String, _ timestampMs: Int64, _ value: Double, place: Int) {
        self.series = series
        self.timestampMs = timestampMs
        self.bits = value.bitPattern
        self.place = place
    }

    var description: String { "\(series) \(Double(bitPattern: bits)) @\(timestampMs) #\(place)" }
}
