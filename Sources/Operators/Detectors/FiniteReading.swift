import Platform

extension ByteReader {
    /// Reads a double that must be finite, and no larger than the squares of what detectors take in: they keep nothing
    /// else, and a NaN would stay for ever.
    mutating func readFinite(_ what: String, limit: Double = 1e210) throws(DecodingFailure) -> Double {
        let value = try readDouble()
        guard abs(value) <= limit else {
            throw DecodingFailure("a detector's \(what) is at most \(limit), not \(value)")
        }
        return value
    }

    /// Reads a finite double of at least 0.
    mutating func readMagnitude(_ what: String) throws(DecodingFailure) -> Double {
        let value = try readFinite(what)
        guard value >= 0 else { throw DecodingFailure("a detector's \(what) is at least 0, not \(value)") }
        return value
    }

    /// Reads a float within ±`limit`.
    mutating func readFinite(_ what: String, limit: Float) throws(DecodingFailure) -> Float {
        let value = Float(bitPattern: try read(UInt32.self))
        guard abs(value) <= limit else {
            throw DecodingFailure("a detector's \(what) is at most \(limit), not \(value)")
        }
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
