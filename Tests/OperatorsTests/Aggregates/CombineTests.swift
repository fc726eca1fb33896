import Platform
import StreamEngine
import Testing

@testable import Operators

/// Whole columns merged: the same bits as state by state, whatever is empty, infinite or NaN, and whatever room is used.
@Suite struct CombineTests {
    private static let specials: [Double] = [
        0, -0.0, .nan, .infinity, -.infinity, .greatestFiniteMagnitude, -.greatestFiniteMagnitude,
        .leastNonzeroMagnitude, 1,
    ]

    /// A column of so many groups: some empty, most with a few values, in runs of equal counts as scrapes give them.
    private static func column<State: AggregateState>(
        of type: State.Type, groups: Int, _ random: inout LawRandom
    ) -> TypedStateColumn<State> {
        let column = TypedStateColumn<State>()
        column.grow(to: groups)
        var count = 0
        for group in 0..<groups {
            if group % 48 == 0 || random.next() % 40 == 0 { count = Int(random.next() % 4) }
            for _ in 0..<count {
                let isSpecial = random.next() % 30 == 0
                let value =
                    isSpecial
                    ? specials[Int(random.next() % UInt64(specials.count))]
                    : Double(Int64(bitPattern: random.next()) >> 14) * 1e-6
                update(column, group, value)
            }
        }
        return column
    }

    private static func update(_ column: any StateColumn, _ group: Int, _ value: Double) {
        [UInt32(group)].withUnsafeBufferPointer { groups in
            [value].withUnsafeBufferPointer { value in
                [Int64(group)].withUnsafeBufferPointer { time in
                    guard let values = value.baseAddress, let times = time.baseAddress else { return }
                    column.update(groups: groups, values: values, timestamps: times)
                }
            }
        }
    }

    private static func bytes(_ column: any StateColumn, groups: Int) -> [[UInt8]] {
        (0..<UInt32(groups)).map { group in
            var writer = ByteWriter()
            column.encode(group, to: &writer)
            return writer.bytes
        }
    }

    private static func check<State: AggregateState>(_ type: State.Type, seed: UInt64) {
        var random = LawRandom(seed: seed)
        let spare = TypedStateColumn<State>()
        for (mine, theirs) in [(0, 0), (0, 5), (7, 0), (1, 1), (64, 64), (200, 200), (33, 150), (150, 33)] {
            let earlier = column(of: type, groups: mine, &random)
            let later = column(of: type, groups: theirs, &random)
            let all = max(mine, theirs)
            let expected = earlier.copy()
            expected.grow(to: all)
            [UInt32](0..<UInt32(theirs)).withUnsafeBufferPointer {
                expected.merge(later, sources: $0, targets: $0)
            }
            let wanted = bytes(expected, groups: all)
            let before = (bytes(earlier, groups: mine), bytes(later, groups: theirs))
            // In the room of the round before, in room of the right size, in place.
            for target in [spare, column(of: type, groups: all, &random)] {
                target.combine(earlier, later)
                #expect(bytes(target, groups: all) == wanted, "\(type), seed \(seed), \(mine) and \(theirs) groups")
            }
            let grown = earlier.copy()
            grown.append(later)
            #expect(bytes(grown, groups: all) == wanted, "\(type) in place, seed \(seed), \(mine) and \(theirs) groups")
            #expect(bytes(earlier, groups: mine) == before.0)
            #expect(bytes(later, groups: theirs) == before.1)
            grown.clear()
            let empty = earlier.makeEmpty()
            empty.grow(to: all)
            #expect(bytes(grown, groups: all) == bytes(empty, groups: all))
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func columnsCombineToTheBit(seed: UInt64) {
        Self.check(RowCount.self, seed: seed)
        Self.check(CompensatedSum.self, seed: seed)
        Self.check(Smallest.self, seed: seed)
        Self.check(Largest.self, seed: seed)
        Self.check(CentralMoments.self, seed: seed)
        Self.check(EarliestValue.self, seed: seed)
        Self.check(LatestValue.self, seed: seed)
        Self.check(QuantileSketch.self, seed: seed)
        Self.check(DistinctSketch.self, seed: seed)
    }

    /// Counts beyond 2^31 are packed in another way.
    @Test func momentsOfManyRowsCombineToTheBit() {
        var large = CentralMoments()
        for value in [1.5, 2.25, 1e9] { large.update(value, at: 0) }
        for _ in 0..<33 { large.merge(large) }
        var half = CentralMoments()
        half.update(7, at: 0)
        for _ in 0..<30 { half.merge(half) }
        for (first, second) in [(large, half), (half, large), (large, large), (half, half)] {
            var expected = first
            expected.merge(second)
            let combined = [CentralMoments](unsafeUninitializedCapacity: 4) { target, count in
                guard let target = target.baseAddress else { return }
                let (mine, theirs) = ([first, first, first, first], [second, second, second, second])
                CentralMoments.combine(mine, theirs, count: 4, into: target)
                count = 4
            }
            for state in combined {
                var bytes = (ByteWriter(), ByteWriter())
                state.encode(to: &bytes.0)
                expected.encode(to: &bytes.1)
                #expect(bytes.0.bytes == bytes.1.bytes)
            }
        }
    }
}
