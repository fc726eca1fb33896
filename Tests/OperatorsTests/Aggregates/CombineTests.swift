import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Operators

/// Whole columns merged: the same bits as state by state, whatever is empty, infinite or NaN, and whatever room is used.
@Suite struct CombineTests {
    /// States that values alone make, whatever their times.
    private static let ofValues: [any AggregateState.Type] = [
        RowCount.self, CompensatedSum.self, Smallest.self, Largest.self, CentralMoments.self,
    ]
    private static let others: [any AggregateState.Type] = [
        EarliestValue.self, LatestValue.self, QuantileSketch.self, DistinctSketch.self,
    ]

    private static let specials: [Double] = [
        0, -0.0, .nan, .infinity, -.infinity, .greatestFiniteMagnitude, -.greatestFiniteMagnitude,
        .leastNonzeroMagnitude, 1,
    ]

    /// A column of so many groups: some empty, most with a few values, in runs of equal counts as scrapes give them.
    private static func column<State: AggregateState>(
        of type: State.Type, groups: Int, _ random: inout SeededRandom
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
        var random = SeededRandom(seed: seed)
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
        for type in Self.ofValues + Self.others { Self.check(type, seed: seed) }
    }

    /// Values, finite or missing, in runs; some of them all there.
    private static func lone(groups: Int, _ random: inout SeededRandom) -> [Double] {
        let rare = random.next() % 2 == 0 ? 8 : UInt64.max
        let extremes = [0, -0.0, .greatestFiniteMagnitude, .leastNonzeroMagnitude]
        return (0..<groups).map { _ in
            switch random.next() {
            case let dice where dice % rare == 0: .nan
            case let dice where dice % 29 == 0: extremes[Int(random.next() % 4)]
            default: Double(Int64(bitPattern: random.next()) >> 14) * 1e-6
            }
        }
    }

    private static func checkLone<State: AggregateState>(_ type: State.Type, seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let spare = TypedStateColumn<State>()
        for (mine, theirs) in [(1, 1), (64, 64), (200, 200), (33, 150), (150, 33), (65, 0), (0, 65)] {
            let values = lone(groups: mine, &random)
            let states = TypedStateColumn<State>()
            states.grow(to: mine)
            for group in values.indices where !values[group].isNaN { update(states, group, values[group]) }
            let other = column(of: type, groups: theirs, &random)
            let all = max(mine, theirs)
            let message: Comment = "\(type), seed \(seed), \(mine) lone, \(theirs) states"

            let filled = TypedStateColumn<State>()
            filled.assign(lone: values)
            #expect(bytes(filled, groups: mine) == bytes(states, groups: mine), message)

            let appended = (other.copy(), other.copy(), other.copy())
            appended.0.append(states)
            appended.1.append(lone: values)
            (0..<UInt32(mine)).map { $0 }.withUnsafeBufferPointer { appended.2.append(lone: values, groups: $0) }
            #expect(bytes(appended.1, groups: all) == bytes(appended.0, groups: all), message)
            #expect(bytes(appended.2, groups: all) == bytes(appended.0, groups: all), message)

            let wanted = TypedStateColumn<State>()
            wanted.combine(states, other)
            spare.combine(lone: values, other)
            #expect(bytes(spare, groups: all) == bytes(wanted, groups: all), message)
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64]) func loneRowsMergeToTheBit(seed: UInt64) {
        // Sketches take no lone rows, but have the loops that every state has.
        for type in Self.ofValues + [QuantileSketch.self] { Self.checkLone(type, seed: seed) }
    }

    @Test func whatIgnoresTimesTakesLoneRows() {
        #expect(Self.ofValues.allSatisfy { $0.ignoresTime })
        #expect(!Self.others.contains { $0.ignoresTime })
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
