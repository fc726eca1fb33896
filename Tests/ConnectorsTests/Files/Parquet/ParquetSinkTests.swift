import Glibc
import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

@Suite("Parquet sink")
struct ParquetSinkTests {
    let files = PosixFileSystem()
    static let schema = RowSchema(columns: [
        ColumnDescription(name: "window_end", type: .timestamp, role: .windowEnd),
        ColumnDescription(name: "node", type: .text, role: .key),
        ColumnDescription(name: "n", type: .int64, role: .aggregate),
    ])

    static func token(_ number: Int, _ incarnation: Character = "a") -> EpochToken {
        EpochToken(incarnation: String(repeating: incarnation, count: 32), number: number)
    }

    static func info(_ token: EpochToken) -> EmissionInfo {
        EmissionInfo(job: "j", query: "q", epoch: token, watermarkMs: 0)
    }

    /// Rows numbered `range`, of nodes `n0` … `n2` and one that is missing.
    static func rows(_ range: Range<Int>) -> RowBatch {
        RowBatch(
            schema: schema, rowCount: range.count,
            columns: [
                ColumnData(.timestamps(range.map { Int64($0) * 1000 })),
                ColumnData(
                    .texts(TextColumn(dictionary: ["n0", "n1", "n/2"], codes: range.map { Int32($0 % 4) - 1 }))),
                ColumnData(.integers(range.map { Int64($0) })),
            ])
    }

    static func settings(target: Int64 = 1 << 20, partitionBy: [String] = []) -> ParquetSinkSettings {
        var settings = ParquetSinkSettings()
        settings.targetFileBytes = target
        settings.partitionBy = partitionBy
        settings.mergesInBackground = false
        settings.graceMs = 0
        settings.files.compression = .none
        return settings
    }

    static func makeSink(
        _ directory: String, _ settings: ParquetSinkSettings, files: any FileSystem = PosixFileSystem()
    ) throws(SinkError) -> ParquetSink {
        try ParquetSink(
            directory: directory, schema: schema, job: "j", query: "q", settings: settings, files: files)
    }

    /// The numbers of the committed rows by folder, in manifest order; checks every entry.
    private func committed(_ directory: String) throws -> [String: [Int]] {
        let reader = ManifestReader(directory: directory)
        var rows: [String: [Int]] = [:]
        var names: Set<String> = []
        for entry in try reader.entries() {
            #expect(names.insert(entry.path).inserted, "\(entry.path) is named twice")
            let numbers = try Self.numbers(try reader.committedBytes(of: entry))
            #expect(Int64(numbers.count) == entry.rows)
            rows[ManifestName.folder(of: entry.path), default: []] += numbers
        }
        return rows
    }

    /// The column `n` of an uncompressed file of ours, read the plain way: footer, then pages.
    static func numbers(_ bytes: [UInt8]) throws -> [Int] {
        let length = Int(bytes[bytes.count - 8]) | Int(bytes[bytes.count - 7]) << 8 | Int(bytes[bytes.count - 6]) << 16
        let footer = try ParquetMetadataTests.read(Array(bytes[(bytes.count - 8 - length)...])) {
            reader throws(ThriftFailure) in try ParquetFileMetaData(from: &reader)
        }.value
        var times: [Int] = []
        for group in footer.rowGroups {
            guard let statistics = group.columns.last?.metaData.statistics, let low = statistics.minValue,
                let high = statistics.maxValue
            else { continue }
            // The rows of a group are `low`, `low` + step, … `high`: their count tells the step.
            let first = low.reversed().reduce(0) { $0 << 8 | Int($1) }
            let last = high.reversed().reduce(0) { $0 << 8 | Int($1) }
            let count = Int(group.rowCount)
            times += count == 1 ? [first] : (0..<count).map { first + (last - first) * $0 / (count - 1) }
        }
        return times
    }

    @Test("epochs with rows are files; what is given up leaves nothing; small files are merged, each row stays once")
    func randomEpochs() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        for round in 0..<12 {
            let directory = try TemporaryDirectory()
            let path = directory.file("out")
            var settings = Self.settings(target: Int64.random(in: 500...60_000, using: &random))
            settings.isGathering = round % 4 == 3
            settings.files.rowGroupBytes = Int.random(in: 100...4000, using: &random)
            let sink = try Self.makeSink(path, settings, files: CrashingFileSystem.unfailing)
            var written = 0
            var published = 0
            for number in 1...80 {
                let token = Self.token(number)
                let next = written + Int.random(in: 0...30, using: &random)
                try sink.write(Self.rows(written..<next), Self.info(token))
                written = next
                if Int.random(in: 0...5, using: &random) == 0 {
                    if Bool.random(using: &random) { try sink.prepare(token) }
                    sink.discard(token)
                    written = published
                } else {
                    try sink.prepare(token)
                    try sink.publish(token)
                    try sink.publish(token)
                    published = written
                }
                if !settings.isGathering {
                    #expect(try committed(path)[""] ?? [] == Array(0..<published), "seed \(seed), round \(round)")
                }
            }
            try sink.close()
            #expect(sink.mergeFailure == nil)
            #expect(try committed(path)[""] ?? [] == Array(0..<published), "seed \(seed), round \(round)")
            // After a clean end the folder holds what the manifest names, and nothing else.
            let entries = try ManifestReader(directory: path).entries()
            #expect(try files.list(path).filter { $0 != "_manifest" }.sorted() == entries.map(\.path).sorted())
            #expect(sink.written?.files == entries.count)
            #expect(sink.written?.bytes == entries.reduce(0) { $0 + $1.bytes })
            #expect(entries.count < 40)
        }
    }

    @Test("partitions are folders as Hive names them")
    func partitions() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("out")
        let sink = try Self.makeSink(path, Self.settings(partitionBy: ["node"]))
        for number in 0..<20 {
            try sink.write(Self.rows((number * 8)..<(number * 8 + 8)), Self.info(Self.token(number)))
            try sink.prepare(Self.token(number))
            try sink.publish(Self.token(number))
        }
        try sink.close()
        let rows = try committed(path)
        #expect(
            Set(rows.keys) == ["node=n0", "node=n1", "node=n%2F2", "node=__HIVE_DEFAULT_PARTITION__"])
        #expect(rows["node=n0"] == Array(stride(from: 1, to: 160, by: 4)))
        #expect(try ManifestReader(directory: path).entries().count < 40)
        _ = try OutputRoot(directory.file(""), overwrite: true)
        #expect(try files.list(path).isEmpty)
    }

    @Test("what Hive escapes")
    func escapes() {
        #expect(
            HivePartition.escaped("a b/c:d=e%\u{1}\u{7f}\"#'*?\\{[]^ü.".utf8)
                == "a b%2Fc%3Ad%3De%25%01%7F%22%23%27%2A%3F%5C%7B%5B%5D%5Eü.")
    }

    @Test("killed at every step, with what was decided published by the next process: each row once")
    func crashes() throws {
        var crashes = 0
        var step = 0
        while true {
            let directory = try TemporaryDirectory()
            let path = directory.file("out")
            let faulty = CrashingFileSystem(failingAt: step)
            var decided = 0
            do {
                let sink = try Self.makeSink(path, Self.settings(), files: faulty)
                for number in 1...18 {
                    let token = Self.token(number)
                    try sink.write(Self.rows((number * 3 - 3)..<(number * 3)), Self.info(token))
                    if number == 3 {
                        try sink.prepare(Self.token(99))
                        sink.discard(Self.token(99))
                        try sink.write(Self.rows(6..<9), Self.info(token))
                    }
                    try sink.prepare(token)
                    decided = number
                    try sink.publish(token)
                }
                try sink.close()
            } catch {
                crashes += 1
            }
            // The next process knows the last decided epoch, and publishes it, perhaps twice.
            let next = try Self.makeSink(path, Self.settings(), files: CrashingFileSystem.unfailing)
            for _ in 0..<2 { if decided > 0 { try next.publishForeign(Self.token(decided)) } }
            #expect(try committed(path)[""] ?? [] == Array(0..<(decided * 3)), "step \(step)")
            for number in 1...9 {
                let token = Self.token(number, "b")
                let first = (decided + number - 1) * 3
                try next.write(Self.rows(first..<(first + 3)), Self.info(token))
                try next.prepare(token)
                try next.publish(token)
                #expect(try committed(path)[""] ?? [] == Array(0..<(first + 3)), "step \(step)")
            }
            try next.close()
            #expect(next.mergeFailure == nil)
            #expect(try committed(path)[""] ?? [] == Array(0..<((decided + 9) * 3)), "step \(step)")
            // Nothing is left but what a document names, published or (an epoch never decided) prepared.
            var named = Set(try ManifestReader(directory: path).entries().map(\.path))
            for name in try files.list(path + "/_manifest") where name.hasSuffix(ManifestName.preparedSuffix) {
                let document = try ManifestReader(directory: path).document(path + "/_manifest/" + name)
                named.formUnion(document.entries.map { ManifestName.hidden($0.path) })
                named.formUnion(document.entries.map(\.path))
            }
            for name in try files.list(path) where name != "_manifest" {
                #expect(named.contains(name), "step \(step): \(name) is left over")
            }
            if !faulty.met { break }
            step += 1
        }
        #expect(crashes > 100)
    }

    @Test("a call that fails once is taken back, and the epoch can be tried again; a merge that failed is told")
    func failOnce() throws {
        var told = 0
        for step in stride(from: 0, to: 400, by: 3) {
            let directory = try TemporaryDirectory()
            let path = directory.file("out")
            let faulty = CrashingFileSystem(failingAt: step, code: ENOSPC, once: true)
            guard let sink = try? Self.makeSink(path, Self.settings(), files: faulty) else { continue }
            for number in 1...12 {
                var attempt = 0
                var isPrepared = false
                while true {
                    let token = Self.token(number * 10 + attempt)
                    do throws(SinkError) {
                        if !isPrepared {
                            try sink.write(Self.rows((number * 3 - 3)..<(number * 3)), Self.info(token))
                            try sink.prepare(token)
                            isPrepared = true
                        }
                        try sink.publish(token)
                        break
                    } catch {
                        #expect(error.description.contains("the disk is full"))
                        if !isPrepared {
                            sink.discard(token)
                            attempt += 1
                        }
                    }
                }
            }
            #expect(try committed(path)[""] ?? [] == Array(0..<36), "step \(step)")
            do { try sink.close() } catch { #expect(faulty.met) }
            #expect(try committed(path)[""] ?? [] == Array(0..<36), "step \(step)")
            if let failure = sink.mergeFailure {
                told += 1
                #expect(
                    sink.takeNotices() == [
                        "parquet \(path): small files cannot be merged and stay as they are: \(failure)"
                    ])
            }
            #expect(sink.takeNotices().isEmpty)
            if !faulty.met { break }
        }
        #expect(told > 0)
    }

    @Test("an epoch that is abandoned is published by whoever learns that it was decided, with the merge in it")
    func abandoned() throws {
        for lastEpoch in 1...20 {
            let directory = try TemporaryDirectory()
            let path = directory.file("out")
            let sink = try Self.makeSink(path, Self.settings(), files: CrashingFileSystem.unfailing)
            for number in 1...lastEpoch {
                let token = Self.token(number)
                try sink.write(Self.rows((number * 3 - 3)..<(number * 3)), Self.info(token))
                try sink.prepare(token)
                if number < lastEpoch { try sink.publish(token) }
            }
            sink.abandon(Self.token(lastEpoch))
            #expect(try committed(path)[""] ?? [] == Array(0..<(lastEpoch * 3 - 3)))
            let other = try Self.makeSink(path, Self.settings(), files: CrashingFileSystem.unfailing)
            for _ in 0..<2 { try other.publishForeign(Self.token(lastEpoch)) }
            try sink.publishForeign(Self.token(lastEpoch))
            #expect(try committed(path)[""] == Array(0..<(lastEpoch * 3)))
            // The first goes on, in new files; the other leaves them alone while the first lives.
            for (sink, incarnation) in [(sink, Character("a")), (other, "b")] {
                let token = Self.token(lastEpoch + 1, incarnation)
                let first = (try committed(path)[""] ?? []).count
                try sink.write(Self.rows(first..<(first + 5)), Self.info(token))
                try sink.prepare(token)
                try sink.publish(token)
            }
            try sink.close()
            try other.close()
            #expect(try committed(path)[""] == Array(0..<(lastEpoch * 3 + 10)))
        }
    }

    @Test("merging in the background gives the same rows, and epochs do not wait for it")
    func background() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("out")
        var settings = Self.settings(partitionBy: ["node"])
        settings.mergesInBackground = true
        let sink = try Self.makeSink(path, settings, files: CrashingFileSystem.unfailing)
        var end = 0
        func epoch() throws {
            let token = Self.token(end / 8)
            try sink.write(Self.rows(end..<end + 8), Self.info(token))
            try sink.prepare(token)
            try sink.publish(token)
            end += 8
            #expect(try committed(path).values.reduce(0) { $0 + $1.count } == end)
        }
        for _ in 0..<60 { try epoch() }
        // What is merged is published by the next epoch: as many of them as the merging takes.
        try waitUntil("a third of the files", pauseMs: 50) {
            if try ManifestReader(directory: path).entries().count < end / 6 { return true }
            try epoch()
            return false
        }
        try sink.close()
        #expect(sink.mergeFailure == nil)
        let rows = try committed(path)
        #expect(rows["node=n1"] == Array(stride(from: 2, to: end, by: 4)))
        #expect(rows.values.reduce(0) { $0 + $1.count } == end)
    }

    @Test("what is merged: eight of a size, all that make a full file, all that are old; else nothing")
    func policy() {
        let policy = MergePolicy(targetBytes: 1000, maxAgeMs: 100)
        func choose(_ bytes: [Int64], age: Int64 = 0, target: Int64 = 1 << 30) -> MergePolicy.Choice? {
            MergePolicy(targetBytes: target, maxAgeMs: 100).choose(
                bytes.map { .init(bytes: $0, createdMs: 0) }, nowMs: age)
        }
        #expect(policy.choose([], nowMs: 1_000_000) == nil)
        #expect(choose([1, 1, 1, 1, 1, 1, 1]) == nil)
        #expect(choose([1, 1, 1, 1, 1, 1, 1, 1]) == .init(range: 0..<8, isFinal: false))
        #expect(choose([1 << 20, 1, 1, 1, 1, 1, 1, 1, 1]) == .init(range: 1..<9, isFinal: false))
        #expect(choose([1 << 20, 1 << 20, 1, 1, 1, 1, 1, 1]) == .init(range: 0..<8, isFinal: false))
        #expect(choose([400, 500, 100, 7], target: 1000) == .init(range: 0..<3, isFinal: true))
        #expect(choose([1, 2], age: 100) == .init(range: 0..<2, isFinal: true))
        #expect(choose([1], age: 100) == .init(range: 0..<1, isFinal: true))
        #expect(choose([1, 2], age: 99) == nil)
    }

    @Test("runs one after another share documents, and merge each other's files")
    func runs() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("out")
        for run in 0..<40 {
            let sink = try Self.makeSink(path, Self.settings(), files: CrashingFileSystem.unfailing)
            let token = EpochToken(incarnation: String(repeating: "0", count: 30) + "\(10 + run)", number: 1)
            try sink.write(Self.rows((run * 3)..<(run * 3 + 3)), Self.info(token))
            try sink.prepare(token)
            try sink.publish(token)
            try sink.close()
            #expect(sink.mergeFailure == nil)
        }
        #expect(try committed(path)[""] == Array(0..<120))
        let entries = try ManifestReader(directory: path).entries()
        #expect(entries.count < 16)
        #expect(try files.list(path).count == entries.count + 1)
        #expect(entries.flatMap(\.covers).contains { $0.hasSuffix("10.1-1") })
        #expect(try files.list(path + "/_manifest").count == 3)
    }
}
