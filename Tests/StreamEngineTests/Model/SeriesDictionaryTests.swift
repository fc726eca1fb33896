import Platform
import TestSupport
import Testing

@testable import StreamEngine

/// The dictionary of series and the keys of groups told by them, against plain Swift dictionaries.
@Suite struct SeriesDictionaryTests {
    /// A series and one way to spell it.
    private struct Spelled {
        let labels: SeriesLabels
        let bytes: [UInt8]
        /// What `PlainLabels` takes; nil where labels are handed over by themselves.
        let pairs: [Label]?
    }

    /// Series out of few, so that they meet again: in any order of labels, with bytes that packing escapes, with texts that
    /// do not stand in their spelling, longer than one byte of a place can tell, with none at all.
    private static func spelled(_ random: inout SeededRandom) -> Spelled {
        let name = ByteString(["up", "up_total", "", "u", "x\u{1}y"][random.below(5)])
        var labels: [Label] = []
        for key in ["a", "ab", "instance", "z"] where random.below(2) == 0 {
            let long = random.below(40) == 0 ? String(repeating: "long", count: 20 + random.below(90)) : ""
            labels.append(Label(ByteString(key), ByteString("\(long)v\(random.below(6))")))
        }
        if random.below(12) == 0 { labels.append(Label("odd", ByteString(bytes: [0, 1, 2, 0xFF]))) }
        if random.below(60) == 0 {
            for place in 0..<(60 + random.below(80)) { labels.append(Label(ByteString("many\(place)"), "of them")) }
        }
        for place in labels.indices.dropFirst() { labels.swapAt(place, random.below(place + 1)) }
        var bytes = name.bytes
        let isHidden = random.below(9) == 0
        bytes.append(0x7B)
        for label in labels {
            bytes += label.name.bytes + Array("=\"".utf8)
            bytes += isHidden ? label.value.bytes.map { $0 ^ 0x80 } : label.value.bytes
            bytes += Array("\",".utf8)
        }
        bytes.append(isHidden ? 0x7C : 0x7D)
        return Spelled(
            labels: SeriesLabels(name: name, labels: labels), bytes: bytes, pairs: random.below(2) == 0 ? labels : nil)
    }

    private static func insert(_ spelled: Spelled, _ dictionary: SeriesDictionary) -> UInt32 {
        let bytes = spelled.bytes + [0x20]
        return bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return .max }
            if let pairs = spelled.pairs {
                let plain = PlainLabels()
                plain.begin()
                // Where they stand in the spelling.
                var at = spelled.labels.name.count + 1
                for pair in pairs {
                    let name = UnsafeBufferPointer(rebasing: buffer[at..<(at + pair.name.count)])
                    at += pair.name.count + 2
                    plain.add(name, UnsafeBufferPointer(rebasing: buffer[at..<(at + pair.value.count)]))
                    at += pair.value.count + 2
                }
                let name = UnsafeBufferPointer(rebasing: buffer[0..<spelled.labels.name.count])
                if plain.pack(name: name, maxLabels: .max), plain.labels == spelled.labels {
                    return dictionary.insert(base, length: spelled.bytes.count, plain: plain)
                }
            }
            return dictionary.insert(base, length: spelled.bytes.count, labels: spelled.labels)
        }
    }

    private static func find(_ bytes: [UInt8], _ dictionary: SeriesDictionary) -> UInt32? {
        (bytes + [0x20]).withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return nil }
            if let (known, length) = dictionary.predict(base, available: buffer.count), length == bytes.count {
                return known
            }
            if let (known, length) = dictionary.predictSelfDelimited(base, available: buffer.count),
                length == bytes.count
            {
                return known
            }
            return dictionary.find(base, length: bytes.count)
        }
    }

    private static func state(_ dictionary: SeriesDictionary, whole: Bool) -> [UInt8] {
        var writer = ByteWriter()
        _ = dictionary.encodeState(whole: whole, to: &writer)
        return writer.bytes
    }

    /// Series come, are met again, go and come back; groups by two columns go along; from time to time all goes through a
    /// checkpoint. Whatever is asked has the answer of a `Dictionary`.
    @Test(arguments: 1...4 as ClosedRange<UInt64>) func answersAsADictionaryDoes(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let columns: [ByteString?] = [nil, "instance"]
        var dictionary = SeriesDictionary(maxSeries: 400)
        var keys = GroupKeys(series: dictionary, columns: columns)
        dictionary.trackStateChanges()
        var chain = [Self.state(dictionary, whole: true)]
        // The model.
        var index: [SeriesLabels: UInt32] = [:]
        var spellings: [[UInt8]: SeriesLabels] = [:]
        var seenMs: [SeriesLabels: Int64] = [:]
        var group: [GroupKey: UInt32] = [:]
        var groupOf: [UInt32: UInt32] = [:]
        var free: [UInt32] = []
        var most = (series: 0, groups: 0)

        func key(_ labels: SeriesLabels) -> GroupKey {
            GroupKey(
                columns.map { column in
                    let text = column.map { labels.value(of: $0) ?? .empty } ?? labels.name
                    return text.isEmpty ? .missing : .text(text)
                })
        }
        func enter(_ labels: SeriesLabels, _ id: UInt32) {
            let found = keys.group(ofSeries: id, free: free.last)
            #expect(found.isNew == (group[key(labels)] == nil), "seed \(seed)")
            if found.isNew {
                if free.last == found.group { free.removeLast() }
                group[key(labels)] = found.group
            }
            #expect(group[key(labels)] == found.group, "seed \(seed): \(labels)")
            groupOf[id] = found.group
        }

        for step in 0..<5000 {
            let one = Self.spelled(&random)
            let known = spellings[one.bytes]
            let found = Self.find(one.bytes, dictionary)
            #expect(found == known.flatMap { index[$0] }, "seed \(seed), step \(step)")
            if found == nil {
                let id = Self.insert(one, dictionary)
                if id == SampleBatch.overLimit {
                    #expect(index[one.labels] == nil && index.count == 400, "seed \(seed), step \(step)")
                } else {
                    spellings[one.bytes] = one.labels
                    if let old = index[one.labels] {
                        #expect(old == id, "seed \(seed), step \(step)")
                    } else {
                        #expect(!index.values.contains(id), "seed \(seed), step \(step)")
                        index[one.labels] = id
                        enter(one.labels, id)
                    }
                }
            }
            if let labels = spellings[one.bytes], let id = index[labels] {
                dictionary.lastSeenMs[Int(id)] = Int64(step)
                seenMs[labels] = Int64(step)
                #expect(dictionary.labels(of: id) == labels, "seed \(seed), step \(step)")
            }
            most = (max(most.series, index.count), max(most.groups, group.count))
            switch random.below(400) {
            case 0:
                let horizon = Int64(step - 300 - random.below(1200))
                let gone = dictionary.indices(lastSeenBefore: horizon)
                #expect(Set(gone) == Set(seenMs.filter { $0.value < horizon }.compactMap { index[$0.key] }))
                for id in gone { if let group = groupOf.removeValue(forKey: id) { keys.leave(id, from: group) } }
                dictionary.forget(gone)
                for labels in seenMs.filter({ $0.value < horizon }).keys {
                    index[labels] = nil
                    seenMs[labels] = nil
                }
                spellings = spellings.filter { index[$0.value] != nil }
                // Some groups without a series go, others are held on to by a window.
                let live = Set(groupOf.values)
                for (key, id) in group where !live.contains(id) && random.below(3) > 0 {
                    keys.remove(id)
                    group[key] = nil
                    free.append(id)
                }
            case 1:
                chain.append(Self.state(dictionary, whole: false))
                let whole = SeriesDictionary(maxSeries: 400)
                whole.trackStateChanges()
                for block in chain {
                    var reader = ByteReader(block)
                    try whole.decodeState(from: &reader)
                    #expect(reader.remaining == 0)
                }
                whole.finishDecodingState()
                for (labels, id) in index {
                    #expect(whole.labels(of: id) == labels && whole.lastSeenMs[Int(id)] == seenMs[labels])
                    #expect(whole.index(of: labels) == id, "seed \(seed), step \(step)")
                }
                #expect(whole.seriesCount == index.count && Set(whole.takeNewIndices()) == Set(index.values))
                guard random.below(2) == 0 else { continue }
                // A restart: spellings are forgotten, keys have bytes of their own until a series tells them.
                var restored = GroupKeys(series: whole, columns: columns)
                restored.lengthen(to: keys.bound)
                for (key, id) in group { restored.restore(key, at: id) }
                dictionary = whole
                keys = restored
                spellings = [:]
                for (labels, id) in index where random.below(4) > 0 { enter(labels, id) }
            default: continue
            }
            for (key, id) in group {
                let (isHeld, found) = (keys.holds(id), keys.key(of: id))
                let same = isHeld && found == key
                #expect(same, "seed \(seed), step \(step): group \(id)")
            }
            for (labels, id) in index { #expect(dictionary.labels(of: id) == labels, "seed \(seed), step \(step)") }
            for (bytes, labels) in spellings {
                #expect(Self.find(bytes, dictionary) == index[labels], "seed \(seed), step \(step)")
            }
            for id in free {
                let (isHeld, key) = (keys.holds(id), keys.key(of: id))
                #expect(!isHeld && key == nil, "seed \(seed), step \(step)")
            }
        }
        #expect(most.series > 100 && most.groups > 10, "seed \(seed)")
    }

    /// The usual spelling holds all there is to tell of a series.
    @Test func aSeriesTakesItsTextOnce() {
        let dictionary = SeriesDictionary()
        for number in 0..<20_000 {
            let labels = SeriesLabels(
                name: "node_metric_bytes", labels: [Label("instance", ByteString("node-\(number):9100"))])
            let bytes = Array("node_metric_bytes{instance=\"node-\(number):9100\"}".utf8)
            let id = Self.insert(Spelled(labels: labels, bytes: bytes, pairs: nil), dictionary)
            #expect(dictionary.labels(of: id) == labels)
        }
        // 45 bytes of text, 12 of its record, 6 of places, 4 + 8 by index, two tables.
        #expect(dictionary.byteCount < 20_000 * 120)
    }

    /// Lengths at which a place takes another byte, a spelling its last, and labels more than a spelling may.
    @Test(arguments: [
        1, 63, 64, 126, 127, 128, 129, 1000, 1020, 8191, 8192, 16_383, 16_384, 1 << 24 - 8, 1 << 24 - 7, 1 << 24 - 6,
        1 << 24, 1 << 24 + 3, 1 << 25 - 1,
    ])
    func textsOfAnyLength(length: Int) throws {
        let dictionary = SeriesDictionary()
        var ids: [UInt32] = []
        let value = [UInt8](repeating: 0x6C, count: length)
        // `m{a="…"}` is seven bytes longer than its value.
        let spellings = ["m", "n"].map { Array("\($0){a=\"".utf8) + value + Array("\"}".utf8) }
        let labels = ["m", "n"].map { SeriesLabels(packed: Array("\($0)\0a\0".utf8) + value + [0]) }
        func check() {
            for (place, spelling) in spellings.enumerated() where place < ids.count {
                #expect(dictionary.labels(of: ids[place]) == labels[place])
                #expect(dictionary.index(of: labels[place]) == ids[place])
                #expect(Self.find(spelling, dictionary) == (length + 7 < 1 << 24 ? ids[place] : nil))
            }
        }
        for (place, spelling) in spellings.enumerated() {
            let id = spelling.withUnsafeBufferPointer { bytes in
                bytes.baseAddress.map { dictionary.insert($0, length: bytes.count, labels: labels[place]) }
            }
            ids.append(try #require(id))
            check()
        }
        #expect(ids == [0, 1])
        dictionary.compact()
        check()
        dictionary.forget([ids.removeFirst()])
        #expect(dictionary.labels(of: 0) == nil && dictionary.labels(of: 1) == labels[1])
        #expect(Self.find(spellings[0], dictionary) == nil)
    }

    /// Time that grows with the square of the labels ends somewhere.
    @Test func veryManyLabelsAreNotPlain() {
        let names = (0..<300).reversed().map { "label_\(1000 + $0)" }
        Array(names.joined().utf8).withUnsafeBufferPointer { bytes in
            let texts = names.indices.map { UnsafeBufferPointer(rebasing: bytes[$0 * 10..<$0 * 10 + 10]) }
            let plain = PlainLabels()
            for count in [1, 32, 33, 255, 256, 257, 300, 2] {
                plain.begin()
                for text in texts[..<count] { plain.add(text, text) }
                let labels = names[..<count].map { Label(ByteString($0), ByteString($0)) }
                let isPacked = plain.pack(name: texts[0], maxLabels: 1000)
                #expect(isPacked == (count <= 256))
                if isPacked { #expect(plain.labels == SeriesLabels(name: ByteString(names[0]), labels: labels)) }
            }
        }
    }

    /// A producer that comes and goes leaves no memory behind.
    @Test func churnRunsInFlatMemory() {
        let dictionary = SeriesDictionary()
        var keys = GroupKeys(series: dictionary, columns: ["instance"])
        var free: [UInt32] = []
        var most = 0
        for wave in 0..<40 {
            for number in 0..<500 {
                let value = ByteString("wave-\(wave)-\(number)")
                let bytes = Array("up{instance=\"wave-\(wave)-\(number)\"}".utf8)
                let labels = SeriesLabels(name: "up", labels: [Label("instance", value)])
                let id = Self.insert(Spelled(labels: labels, bytes: bytes, pairs: nil), dictionary)
                dictionary.lastSeenMs[Int(id)] = Int64(wave)
                let found = keys.group(ofSeries: id, free: free.popLast())
                #expect(found.isNew)
            }
            if wave == 4 { most = dictionary.byteCount + keys.byteCount }
            let gone = dictionary.indices(lastSeenBefore: Int64(wave - 2))
            for id in gone {
                // Each series is a group, and came with its index.
                keys.leave(id, from: id)
                keys.remove(id)
                free.append(id)
            }
            dictionary.forget(gone)
        }
        #expect(dictionary.byteCount + keys.byteCount <= most * 5 / 4)
    }

    /// Hashes at either end, and all the same, push entries off the end of a table.
    @Test(arguments: [UInt64(0), 0xFFFF_FFFF, 0x8000_0000]) func aTableOfEqualHashesStaysATable(tag: UInt64) {
        var table = InternTable()
        for index in 0..<UInt32(3000) { table.insert(tag << 32, index) }
        for index in stride(from: UInt32(0), to: 3000, by: 3) { table.remove(tag << 32, index) }
        for index in 0..<UInt32(3000) {
            let found = table.find(tag << 32) { $0 == index }
            #expect(found == (index % 3 == 0 ? nil : index))
        }
        #expect(table.count == 2000)
    }
}
