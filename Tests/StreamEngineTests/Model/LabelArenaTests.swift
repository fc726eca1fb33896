import Testing

@testable import StreamEngine

/// Labels in one run of memory, against an array of them.
@Suite struct LabelArenaTests {
    @Test(arguments: [1, 2, 3] as [UInt64]) func holdsWhatAnArrayOfLabelsHolds(seed: UInt64) {
        var state = seed
        func next(_ bound: UInt64) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % bound)
        }
        var arena = LabelArena()
        var expected: [SeriesLabels?] = []
        for step in 0..<6000 {
            let labels = SeriesLabels(
                name: ByteString("m\(step)"),
                labels: [Label("long", ByteString(String(repeating: "x", count: next(200))))])
            // Comes, and in waves goes: more goes than half of what there is.
            if (step / 500).isMultiple(of: 2) || expected.isEmpty {
                if let free = expected.firstIndex(of: nil), next(2) == 0 {
                    arena.put(labels, at: free)
                    expected[free] = labels
                } else {
                    arena.append()
                    expected.append(nil)
                    let isHeld = arena.holds(expected.count - 1)
                    #expect(!isHeld)
                    arena.put(labels, at: expected.count - 1)
                    expected[expected.count - 1] = labels
                }
            } else {
                let index = next(UInt64(expected.count))
                arena.remove(index)
                expected[index] = nil
            }
            let index = next(UInt64(expected.count))
            let found = (arena.labels(index), arena.holds(index), arena.isSame(index, labels))
            #expect(found.0 == expected[index], "seed \(seed), step \(step)")
            #expect(found.1 == (expected[index] != nil))
            #expect(found.2 == (expected[index] == labels))
        }
        let all = (0..<arena.count).map { arena.labels($0) }
        #expect(all == expected, "seed \(seed)")
    }
}
