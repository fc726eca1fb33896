import Platform

extension ByteReader {
    /// Reads a double that must be finite: what detectors keep never is anything else, and a NaN would stay for ever.
    mutating func readFinite(_ what: String) throws(DecodingFailure) -> Double {
        let value = try readDouble()
        guard value.isFinite else { throw DecodingFailure("a detector's \(what) is a finite number, not \(value)") }
        return value
    }

    /// Reads a finite double of at least 0.
    mutating func readMagnitude(_ what: String) throws(DecodingFailure) -> Double {
        let value = try readFinite(what)
        guard value >= 0 else { throw DecodingFailure("a detector's \(what) is at least 0, not \(value)") }
        return value
    }

    /// Reads a float that must be finite.
    mutating func readFiniteFloat(_ what: String) throws(DecodingFailure) -> Float {
        let value = Float(bitPattern: try read(UInt32.self))
        guard value.isFinite else { throw DecodingFailure("a detector's \(what) is a finite number, not \(value)") }
        return value
    }
}

extension ByteWriter {
    /// Appends the bits of a float.
    mutating func write(_ value: Float) { write(value.bitPattern) }
}

/// What detectors compute with: values so large that differences and squares of them would overflow are cut off. No
/// metric comes near; the flags of what lies within are not touched.
enum Measurable {
    static let limit = 1e100

    /// The value within ±`limit`; nil for NaN and infinities, which say nothing about a level.
    static func clamp(_ value: Double) -> Double? {
        guard value.isFinite else { return nil }
        return min(max(value, -limit), limit)
    }
}
