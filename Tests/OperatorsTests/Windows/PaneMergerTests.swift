import Platform
import TestSupport
import Testing

@testable import Operators
@testable import StreamEngine

/// Windows merged from panes: the same bits whatever was merged before.
@Suite struct PaneMergerTests {
    private static let groupCount = 5

    /// Adds samples to random groups of a pane.
    private static func fill(_ pane: Pane, _ random: inout SeededRandom) {
        pane.grow(to: groupCount)
        for _ in 0..<(random.next() % 4) {
            let group = [UInt32(random.next() % UInt64(groupCount))]
            let value = [Double(Int64(bitPattern: random.next()) >> 12) * 1e-7]
            let time = [pane.startMs]
            group.withUnsafeBufferPointer { group in
                pane.mark(group)
                value.withUnsafeBufferPointer { value in
                    time.withUnsafeBufferPointer { time in
                        guard let values = value.baseAddress, let times = time.baseAddress else { return }
                        for column in pane.columns { column.update(groups: group, values: values, timestamps: times) }
                    }
                }
            }
        }
    }

    private static func columns() -> [any StateColumn] {
        [
            TypedStateColumn<RowCount>(), TypedStateColumn<CompensatedSum>(), TypedStateColumn<Smallest>(),
            TypedStateColumn<Largest>(), TypedStateColumn<CentralMoments>(),
        ]
    }

    /// Adds rows to both panes: one to each of some groups, or to some again.
    private static func fill(_ pane: Pane, _ whole: Pane, groupCount: Int, _ random: inout SeededRandom) {
        pane.grow(to: groupCount)
        whole.grow(to: groupCount)
        let share = [1, 2, 9, 10][Int(random.next() % 4)]
        var groups = (0..<UInt32(groupCount)).filter { _ in random.next() % 10 < UInt64(share) }
        if random.next() % 4 == 0 { groups.append(contentsOf: groups.prefix(1)) }
        let isSpecial = random.next() % 6 == 0
        let values = groups.map { group in
            isSpecial && group % 7 == 0
                ? [0, -0.0, .nan, .infinity, -.infinity][Int(random.next() % 5)]
                : Double(Int64(bitPattern: random.next()) >> 12) * 1e-7
        }
        let times = groups.map { _ in pane.startMs }
        groups.withUnsafeBufferPointer { groups in
            values.withUnsafeBufferPointer { values in
                times.withUnsafeBufferPointer { times in
                    guard let values = values.baseAddress, let times = times.baseAddress else { return }
                    func update(_ pane: Pane) {
                        pane.mark(groups)
                        for column in pane.columns { column.update(groups: groups, values: values, timestamps: times) }
                    }
                    update(whole)
                    if pane.takeLone(groups, values) { return }
                    pane.spill(into: columns())
                    update(pane)
                }
            }
        }
    }

    /// Panes of lone rows give the bits that panes of states do, whatever the share of groups that they have, with values that
    /// are no numbers, groups that come again and new ones.
    @Test(arguments: [2, 6, 9, 30, 100] as [Int64], [1, 2, 3] as [UInt64])
    func loneRowsMergeAsTheirStates(count: Int64, seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let window = WindowSpec(sizeMs: count * 10, slideMs: 10)
        var panes: [Int64: (Pane, Pane)] = [:]
        var groupCount = 40
        var loneCount = 0
        for index in 0..<(count * 3) where random.next() % 3 > 0 {
            if random.next() % 10 == 0 { groupCount += 9 }
            let two = [[Double](), nil].map { lone in
                Pane(
                    index: index, window: window, columns: Self.columns(), lone: lone, logs: [], tracksChanges: false,
                    tracksUnsaved: false)
            }
            Self.fill(two[0], two[1], groupCount: groupCount, &random)
            panes[index] = (two[0], two[1])
        }
        let mergers = (PaneMerger(panesPerWindow: count), PaneMerger(panesPerWindow: count))
        for start in 0..<(count * 2) {
            if random.next() % 4 == 0, let late = panes[start + Int64(random.next() % UInt64(count))] {
                mergers.0.invalidate(late.0.index)
                mergers.1.invalidate(late.0.index)
                Self.fill(late.0, late.1, groupCount: groupCount, &random)
            }
            let range = start..<(start + count)
            let lone = mergers.0.merge(range) { panes[$0]?.0 }
            let whole = mergers.1.merge(range) { panes[$0]?.1 }
            #expect(Self.states(lone) == Self.states(whole), "seed \(seed), window at \(start)")
            #expect(lone?.groups == whole?.groups)
            loneCount += range.count { panes[$0]?.0.lone != nil }
        }
        #expect(loneCount > 0)
        for (lone, whole) in panes.values {
            #expect(lone.groups == whole.groups)
            #expect(lone.hasOneRowEach == whole.hasOneRowEach)
            for (mine, theirs) in zip(lone.states, whole.states) {
                for group in lone.groups {
                    var bytes = (ByteWriter(), ByteWriter())
                    mine.encode(group, to: &bytes.0)
                    theirs.encode(group, to: &bytes.1)
                    #expect(bytes.0.bytes == bytes.1.bytes)
                }
            }
        }
    }

    /// State of each group that has one, byte by byte.
    private static func states(_ run: PaneRun?) -> [UInt32: [UInt8]] {
        var states: [UInt32: [UInt8]] = [:]
        for group in run?.groups ?? [] {
            var writer = ByteWriter()
            for column in run?.columns ?? [] { column.encode(group, to: &writer) }
            #expect(states.updateValue(writer.bytes, forKey: group) == nil, "a group comes twice")
        }
        return states
    }

    @Test(arguments: [(1, 1), (2, 1), (3, 2), (6, 1), (8, 3), (9, 1), (30, 1), (30, 7), (100, 1)], [1, 2] as [UInt64])
    func aWindowDoesNotDependOnWhatWasMergedBefore(shape: (panes: Int64, step: Int64), seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let window = WindowSpec(sizeMs: shape.panes * 10, slideMs: shape.step * 10)
        var panes: [Int64: Pane] = [:]
        let first: Int64 = -150
        let count = shape.panes * 3 + 60
        for index in first..<(first + count) where random.next() % 8 > 0 {
            let pane = Pane(
                index: index, window: window,
                columns: [
                    TypedStateColumn<CompensatedSum>(), TypedStateColumn<CentralMoments>(),
                    TypedStateColumn<LatestValue>(),
                ], logs: [], tracksChanges: false, tracksUnsaved: false)
            Self.fill(pane, &random)
            panes[index] = pane
        }
        let merger = PaneMerger(panesPerWindow: shape.panes)
        var kept: [(PaneRun?, [UInt32: [UInt8]])] = []
        for start in stride(from: first, to: first + count - shape.panes, by: Int(shape.step)) {
            // Late samples, for windows that are still to come.
            for _ in 0..<(random.next() % 3) {
                let index = start + Int64(random.next() % UInt64(shape.panes))
                guard let pane = panes[index] else { continue }
                merger.invalidate(index)
                Self.fill(pane, &random)
            }
            // Some windows have no data of their own and are passed over.
            guard random.next() % 10 > 0 else { continue }
            let range = start..<(start + shape.panes)
            let fresh = PaneMerger(panesPerWindow: shape.panes)
            let run = merger.merge(range) { panes[$0] }
            let expected = Self.states(fresh.merge(range) { panes[$0] })
            #expect(Self.states(run) == expected, "seed \(seed), window at \(start)")
            #expect(Set(expected.keys) == Set(range.flatMap { panes[$0]?.groups ?? [] }), "seed \(seed)")
            kept.append((run, expected))
            panes[start - 1] = nil
        }
        // What was given is not touched afterwards.
        for (run, expected) in kept { #expect(Self.states(run) == expected, "seed \(seed)") }
    }

    @Test(arguments: [1, 7, 30, 100] as [Int64]) func panesAtTheEndsOfTimeAreMerged(count: Int64) {
        let window = WindowSpec(sizeMs: count, slideMs: 1)
        for first in [Int64.min, Int64.min + 1, -1, Int64.max - count] {
            let merger = PaneMerger(panesPerWindow: count)
            let pane = Pane(
                index: 0, window: window, columns: [], logs: [], tracksChanges: false, tracksUnsaved: false)
            pane.grow(to: 1)
            [0].withUnsafeBufferPointer { pane.mark($0) }
            let range = first..<(first + count)
            for _ in 0..<2 {
                let run = merger.merge(range) { _ in pane }
                #expect(run?.groups == [0])
                for index in range { merger.invalidate(index) }
            }
        }
    }
}
