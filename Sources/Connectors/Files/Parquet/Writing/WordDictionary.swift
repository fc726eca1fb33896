/// Gives 64-bit words (integers, or doubles by their bits) dense codes in the order of their first appearance.
struct WordDictionary {
    private(set) var words: [UInt64]
    private(set) var codes: [UInt32]

    /// The codes of the words at `places`, or nil as soon as there are more than `wordsMax` different ones.
    init?(_ places: some Collection<Int>, wordsMax: Int, _ word: (Int) -> UInt64) {
        var words: [UInt64] = []
        // Open addressing; codes, `.max` where free. Twice the words at least.
        var slots = [UInt32](repeating: .max, count: 1024)
        let count = places.count
        codes = [UInt32](unsafeUninitializedCapacity: count) { codes, coded in
            for index in places {
                let value = word(index)
                var slot = Self.hash(value) & (slots.count - 1)
                while slots[slot] != .max, words[Int(slots[slot])] != value { slot = (slot + 1) & (slots.count - 1) }
                if slots[slot] == .max {
                    guard words.count < wordsMax else { return }
                    slots[slot] = UInt32(words.count)
                    words.append(value)
                    codes.initializeElement(at: coded, to: UInt32(words.count - 1))
                    if words.count * 2 > slots.count { slots = Self.slots(of: words, count: slots.count * 4) }
                } else {
                    codes.initializeElement(at: coded, to: slots[slot])
                }
                coded += 1
            }
        }
        self.words = words
        if codes.count < count { return nil }
    }

    /// The finaliser of SplitMix64, so that doubles that differ in few bits spread.
    private static func hash(_ value: UInt64) -> Int {
        var z = value &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 32)) &* 0xBF58_476D_1CE4_E5B9
        return Int(truncatingIfNeeded: z >> 33)
    }

    private static func slots(of words: [UInt64], count: Int) -> [UInt32] {
        var slots = [UInt32](repeating: .max, count: count)
        for (code, word) in words.enumerated() {
            var slot = hash(word) & (count - 1)
            while slots[slot] != .max { slot = (slot + 1) & (count - 1) }
            slots[slot] = UInt32(code)
        }
        return slots
    }

    /// The words as a dictionary page has them.
    var page: [UInt8] { words.withUnsafeBytes { Array($0) } }
}
