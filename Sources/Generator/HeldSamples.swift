/// Samples of one partition that are held back, to come behind later ones.
struct HeldSamples: Sendable {
    private struct Held: Sendable {
        let releaseMs: Int64
        let line: [UInt8]
    }

    // In the order of release; few at a time.
    private var held: [Held] = []

    /// Keeps a sample until `releaseMs`. O(held) at worst.
    mutating func hold(_ line: [UInt8], until releaseMs: Int64) {
        var low = 0
        var high = held.count
        while low < high {
            let middle = (low + high) / 2
            if held[middle].releaseMs <= releaseMs { low = middle + 1 } else { high = middle }
        }
        held.insert(Held(releaseMs: releaseMs, line: line), at: low)
    }

    /// Appends what is to be released by `nowMs` and forgets it; returns how many.
    mutating func release(by nowMs: Int64, into out: inout [UInt8]) -> Int {
        let due = held.firstIndex { $0.releaseMs > nowMs } ?? held.count
        for sample in held[..<due] { out += sample.line }
        held.removeFirst(due)
        return due
    }
}
