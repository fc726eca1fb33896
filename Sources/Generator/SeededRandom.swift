/// Random numbers from a seed: the same seed gives the same numbers everywhere (SplitMix64: G. Steele, D. Lea,
/// C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A stream of its own for each `stream` of one seed.
    public init(seed: UInt64, stream: UInt64 = 0) {
        state = seed &+ 0x9E37_79B9_7F4A_7C15 &* (stream &+ 1)
        // Streams with neighbouring numbers begin far apart.
        state = next()
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A number in 0..<1.
    public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// A number around 0 with deviation 1, within ±3.5: a sum of uniforms, which needs no function whose last bits
    /// differ between machines.
    public mutating func noise() -> Double { (uniform() + uniform() + uniform() + uniform() - 2) * 1.7320508 }
}
