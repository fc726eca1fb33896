import TestSupport
import Testing

@testable import StreamEngine

/// What directories are made of, against the plain way to do the same.
@Suite struct InterningTests {
    /// Texts with the bytes that packing escapes, and with each other's beginnings.
    private static func text(_ random: inout SeededRandom) -> ByteString {
        let alphabet: [UInt8] = [0, 1, 2, 0x61, 0x62, 0xFE, 0xFF]
        return ByteString(bytes: (0..<random.below(5)).map { _ in alphabet[random.below(7)] })
    }

    private static func cell(_ random: inout SeededRandom) -> KeyCell {
        switch random.below(4) {
        case 0: .missing
        case 1: .number([-1.5, 0, 2, .infinity, -.infinity, .nan, 1e-300][random.below(7)])
        default: .text(text(&random))
        }
    }

    /// SEMANTICS §4, cell by cell.
    private static func precedes(_ a: [KeyCell], _ b: [KeyCell]) -> Bool {
        for (x, y) in zip(a, b) where x != y {
            switch (x, y) {
            case (.missing, _): return true
            case (_, .missing): return false
            case (.text(let s), .text(let t)): return s < t
            case (.label(let s), .label(let t)): return s.name != t.name ? t.name < s.name : s.value < t.value
            case (.number(let s), .number(let t)):
                return Double(bitPattern: s).isTotallyOrdered(belowOrEqualTo: Double(bitPattern: t))
            case (.number, _): return true
            case (_, .number): return false
            case (.text, .label): return true
            case (.label, .text): return false
            }
        }
        return a.count < b.count
    }

    private static func check(_ lists: [[KeyCell]], seed: UInt64) {
        for a in lists {
            #expect(GroupKey(a).cells == a, "seed \(seed)")
            for b in lists {
                let same = (GroupKey(a) < GroupKey(b)) == precedes(a, b) && (GroupKey(a) == GroupKey(b)) == (a == b)
                #expect(same, "seed \(seed): \(a) and \(b)")
            }
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func keysOrderAsTheirCells(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        Self.check((0..<150).map { _ in (0..<2).map { _ in Self.cell(&random) } }, seed: seed)
        let labels = (0..<150).map { _ in
            (0..<random.below(3)).map { _ in KeyCell.label(Label(Self.text(&random), Self.text(&random))) }
        }
        Self.check(labels, seed: seed)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func manyKeysAreSortedAsByComparing(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var keys: Set<GroupKey> = []
        for _ in 0..<3000 {
            let metric = ByteString("metric_\(random.below(7))")
            keys.insert(GroupKey([.text(metric), .text(ByteString("node-\(random.below(400)):9100"))]))
            keys.insert(GroupKey([Self.cell(&random), .text(Self.text(&random))]))
        }
        let list = Array(keys)
        var indices = list.indices.map { UInt32($0) }
        var packed = ByteRuns()
        var places: [UInt32] = []
        for key in list { places.append(try #require(key.packed.withUnsafeBufferPointer { packed.add($0) })) }
        PackedOrder.sort(&indices) { packed.bytes(places[Int($0)]) }
        #expect(indices.map { list[Int($0)] } == list.sorted(), "seed \(seed)")
    }

    /// What finds no place is not put at a wrong one.
    @Test(arguments: [0, 4, 16, 100, 101, 102, 103, 104]) func runsEndWhereTheirPlacesDo(most: Int) {
        var runs = ByteRuns(most: most)
        var held: [UInt32: [UInt8]] = [:]
        var taken = 0
        for length in [1, 4, 0, 9, 60, 5, 200, 1, 2, 3] {
            let bytes = (0..<length).map { UInt8($0 + held.count) }
            let place = bytes.withUnsafeBufferPointer { runs.add($0) }
            let size = 4 + (length + 3) / 4 * 4
            #expect((place != nil) == (taken + size <= most))
            guard let place else { continue }
            #expect(Int(place) * 4 == taken && held[place] == nil)
            held[place] = bytes
            taken += size
            for (place, bytes) in held { #expect(Array(runs.bytes(place)) == bytes) }
        }
    }

    /// Keys that come a few or many at a time, and are forgotten.
    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64]) func aDirectoryKnowsItsKeysAndTheirOrder(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let isByColumn = seed % 2 == 0
        let width = random.below(3)
        var directory = KeyDirectory(columnCount: isByColumn ? width : nil)
        var known: [GroupKey] = []
        var indices: [GroupKey: UInt32] = [:]
        var lastUsedMs: [Int64] = []
        for step in 0..<40 {
            for _ in 0..<[3, 40, 400][random.below(3)] {
                let key =
                    isByColumn
                    ? GroupKey(
                        (0..<width).map { _ in
                            random.below(2) == 0 ? Self.cell(&random) : .number(Double(random.below(500)))
                        })
                    : GroupKey((0..<random.below(3)).map { _ in .label(Label(Self.text(&random), Self.text(&random))) })
                let index = directory.index(of: key)
                if let same = indices[key] {
                    #expect(same == index, "seed \(seed)")
                } else {
                    #expect(Int(index) == known.count, "seed \(seed)")
                    indices[key] = index
                    known.append(key)
                    lastUsedMs.append(.min)
                }
                directory.touch([index], endMs: Int64(step))
                lastUsedMs[Int(index)] = Int64(step)
            }
            let ranks = directory.currentRanks()
            let sorted = known.sorted()
            #expect(known.map { indices[$0].map { sorted[Int(ranks[Int($0)])] } } == known, "seed \(seed) step \(step)")
            #expect(known.indices.allSatisfy { directory.key(UInt32($0)) == known[$0] }, "seed \(seed)")
            guard let moved = directory.forget(before: Int64(step - 3)) else { continue }
            let kept = known.indices.filter { lastUsedMs[$0] >= Int64(step - 3) }
            let isInTurn = kept.map { moved[$0] } == kept.indices.map { UInt32($0) }
            #expect(known.indices.filter { moved[$0] != .max } == kept && isInTurn, "seed \(seed)")
            known = kept.map { known[$0] }
            lastUsedMs = kept.map { lastUsedMs[$0] }
            indices = [:]
            for (index, key) in known.enumerated() { indices[key] = UInt32(index) }
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func theTableFindsWhatIsIn(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var table = InternTable()
        var known: [UInt64: UInt32] = [:]
        var keys: [UInt64] = []
        for _ in 0..<5000 {
            // Few values in the half that places them, so that runs are long; some at the end of the table.
            let key = UInt64(random.below(600))
            let hash = (key % 2 == 0 ? key % 40 : 0xFFFF_FFFF - key % 20) << 32 | key
            let found = table.find(hash) { keys[Int($0)] == key }
            #expect(found == known[key], "seed \(seed)")
            if let found, random.below(2) == 0 {
                table.remove(hash, found)
                known[key] = nil
            } else if found == nil {
                known[key] = UInt32(keys.count)
                table.insert(hash, UInt32(keys.count))
                keys.append(key)
            }
        }
        #expect(table.count == known.count)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func plainLabelsAreTheSameSeries(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let plain = PlainLabels()
        var taken = 0
        for _ in 0..<3000 {
            let names = ["a", "ab", "b", "job", "__name__", ""].map { ByteString($0) }
            let name = ByteString(["up", "", "x\u{1}"][random.below(3)])
            let labels = (0..<random.below(4)).map { _ in
                Label(
                    names[random.below(6)],
                    random.below(3) > 0 ? ByteString("v\(random.below(3))") : Self.text(&random))
            }
            plain.begin()
            func labelled(_ rest: ArraySlice<Label>) -> SeriesLabels? {
                guard let first = rest.first else {
                    return name.bytes.withUnsafeBufferPointer {
                        plain.pack(name: $0, maxLabels: 2) ? plain.labels : nil
                    }
                }
                return first.name.bytes.withUnsafeBufferPointer { label in
                    first.value.bytes.withUnsafeBufferPointer { value in
                        plain.add(label, value)
                        return labelled(rest.dropFirst())
                    }
                }
            }
            guard let found = labelled(labels[...]) else { continue }
            taken += 1
            #expect(Set(labels.map { $0.name }).count == labels.count && labels.count <= 2, "seed \(seed)")
            #expect(!labels.contains { $0.name == "__name__" || $0.value.isEmpty }, "seed \(seed)")
            #expect(found == SeriesLabels(name: name, labels: labels), "seed \(seed)")
            #expect(found.name == name && Set(found.labels) == Set(labels), "seed \(seed)")
        }
        #expect(taken > 100)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func aKeyOfLabelsIsThatOfTheirCells(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let names: [ByteString] = ["a", "b", "c\u{1}"]
        for _ in 0..<500 {
            let labels = names.filter { _ in random.below(2) == 0 }.map { Label($0, Self.text(&random)) }
            let series = SeriesLabels(name: Self.text(&random), labels: labels)
            let columns: [ByteString?] = (0..<random.below(4)).map { _ in
                random.below(3) == 0 ? nil : names[random.below(3)]
            }
            let cells = columns.map { column -> KeyCell in
                let text = column.map { series.value(of: $0) ?? .empty } ?? series.name
                return text.isEmpty ? .missing : .text(text)
            }
            let dictionary = SeriesDictionary()
            var keys = GroupKeys(series: dictionary, columns: columns)
            let (group, isNew) = keys.group(ofSeries: dictionary.index(of: series), free: nil)
            let (key, known) = (keys.key(of: group), keys.group(of: GroupKey(cells), free: nil))
            #expect(isNew && !known.isNew && known.group == group, "seed \(seed): \(series) by \(columns)")
            #expect(key == GroupKey(cells), "seed \(seed): \(series) by \(columns)")
        }
    }

    @Test func seriesOrderByNameThenLabels() {
        let series = [
            SeriesLabels(name: "", labels: []), SeriesLabels(name: "a", labels: []),
            SeriesLabels(name: "a", labels: [Label("b", "x")]),
            SeriesLabels(name: "a", labels: [Label("c", "1"), Label("b", "x")]),
            SeriesLabels(name: "a", labels: [Label("b", "xy")]), SeriesLabels(name: "a", labels: [Label("ba", "x")]),
            SeriesLabels(name: "aa", labels: []),
        ]
        #expect(series.reversed().sorted() == series)
        #expect(series[3].value(of: "b") == "x" && series[3].value(of: "") == nil && series[3].value(of: "d") == nil)
    }
}
