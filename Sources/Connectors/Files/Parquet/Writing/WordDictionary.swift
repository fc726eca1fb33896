/// Gives 64-bit words (integers, or doubles by their bits) dense codes in the order of their first appearance.
struct WordDictionary {
    private(set) var words: [UInt64] = []
    private(set) var codes: [UInt32] = []
    /// Open addressing; codes, `.max` where free. Twice the words at least.
    private var slots = [UInt32](repeating: .max, count: 1024)

    /// The codes of the words at `places`, or nil as soon as there are more than `wordsMax` different ones.
    init?(_ places: some Collection<Int>, wordsMax: Int, _ word: (Int) -> UInt64) {
        codes.reserveCapacity(places.count)
        for index in places {
            let value = word(index)
            var slot = Self.hash(value) & (slots.count - 1)
            while true {
                let code = slots[slot]
                if code == .max {
                    guard words.count < wordsMax else { return nil }
                    slots[slot] = UInt32(words.count)
                    codes.append(UInt32(words.count))
                    words.append(value)
                    if words.count * 2 > slots.count { grow() }
                    break
                }
                if words[Int(code)] == value {
                    codes.append(code)
                    break
                }
                slot = (slot + 1) & (slots.count - 1)
            }
        }
    }

    /// The finaliser of SplitMix64, so that doubles that differ in few bits spread.
    private static func hash(_ value: UInt64) -> Int {
        var z = value &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 32)) &* 0xBF58_476D_1CE4_E5B9
        return Int(truncatingIfNeeded: z >> 33)
    }

    private mutating func grow() {
        slots = [UInt32](repeating: .max, count: slots.count * 4)
        for (code, word) in words.enumerated() {
            var slot = Self.hash(word) & (slots.count - 1)
            while slots[slot] != .max { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = UInt32(code)
        }
    }

    /// The words as a dictionary page has them.
    var page: [UInt8] { words.withUnsafeBytes { Array($0) } }
}
