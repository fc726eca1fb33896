/// The exact sum of finite doubles as a non-overlapping expansion (J. R. Shewchuk, "Adaptive Precision Floating-Point
/// Arithmetic", 1997, Grow-Expansion).
struct ExactSum {
    private var parts: [Double] = []

    mutating func add(_ value: Double) {
        var carried = value
        var grown: [Double] = []
        for part in parts {
            let sum = carried + part
            let taken = sum - carried
            let error = (carried - (sum - taken)) + (part - taken)
            if error != 0 { grown.append(error) }
            carried = sum
        }
        grown.append(carried)
        parts = grown
    }

    /// The nearest double but for the last bit: parts from small to large.
    var value: Double { parts.reduce(0, +) }

    /// How far `other` is from the exact sum.
    func distance(to other: Double) -> Double {
        var difference = self
        difference.add(-other)
        return abs(difference.value)
    }
}
