import Connectors
import StreamEngine
import TestSupport
import Testing

/// A random job with random input, and its result worked out sample by sample, window by window, as the contract says.
struct RandomJob {
    struct Sample {
        let partition: Int
        let timestampMs: Int64
        let value: Double
        let instance: String
    }

    let seed: UInt64
    let delayMs: Int64
    let latenessMs: Int64
    let window: WindowDefinition
    let groupBy: [String]
    let partitions: [[Sample]]
    /// Lines between the samples that are no samples.
    let texts: [String]

    init(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        self.seed = seed
        let unit: Int64 = [1, 10, 1000].randomElement(using: &random) ?? 1
        let size = Int64.random(in: 1...60, using: &random) * unit
        let slide =
            Bool.random(using: &random) ? size : Int64.random(in: 1...max(1, size / unit), using: &random) * unit
        let offset =
            Bool.random(using: &random)
            ? 0 : Int64.random(in: (-slide + 1)...max(-slide + 1, slide - 1), using: &random)
        window = WindowDefinition(sizeMs: size, slideMs: slide, offsetMs: offset)
        delayMs = Int64.random(in: 0...(2 * size), using: &random)
        latenessMs = Bool.random(using: &random) ? 0 : Int64.random(in: 0...size, using: &random)
        groupBy = [[], ["instance"], ["instance", "zone"]].randomElement(using: &random) ?? []
        let base: Int64 = [0, -5_000_000, 1_767_225_600_000].randomElement(using: &random) ?? 0
        var partitions: [[Sample]] = []
        var texts: [String] = []
        for partition in 0..<Int.random(in: 1...4, using: &random) {
            var samples: [Sample] = []
            var text = ""
            var clock = base + Int64.random(in: 0...(3 * size), using: &random)
            for _ in 0..<Int.random(in: 0...120, using: &random) {
                clock += Int64.random(in: 0...max(1, size / 8), using: &random)
                var time = clock
                if Int.random(in: 0..<4, using: &random) == 0 {
                    time -= Int64.random(in: 0...(5 * size), using: &random)
                }
                let value = Double(Int.random(in: -1000...1000, using: &random)) / 8
                let instance = "h\(Int.random(in: 0..<3, using: &random))"
                samples.append(Sample(partition: partition, timestampMs: time, value: value, instance: instance))
                text += "m{instance=\"\(instance)\"} \(value) \(time)\n"
                if Int.random(in: 0..<20, using: &random) == 0 { text += "# a comment\n\nrubbish {\n" }
            }
            partitions.append(samples)
            texts.append(text)
        }
        self.partitions = partitions
        self.texts = texts
    }

    static let aggregates = [
        ("n", "count()"), ("lo", "min(value)"), ("hi", "max(value)"), ("f", "first(value)"), ("l", "last(value)"),
        ("s", "sum(value)"), ("a", "avg(value)"), ("sd", "stddev(value)"), ("pos", "sum(value) where value > 0"),
    ]

    var definition: JobDefinition {
        get throws {
            try EngineHarness.job(
                delayMs: delayMs, window: window, groupBy: groupBy, aggregates: RandomJob.aggregates
            ) { $0.allowedLatenessMs = latenessMs }
        }
    }

    /// What must come out: for each (window, key) in order, the columns that are exact.
    func expected() -> (rows: [String], late: Int, partlyLate: Int) {
        struct Key: Hashable {
            let end: Int64
            let instance: String
        }
        var members: [Key: [Sample]] = [:]
        var late = 0
        var partlyLate = 0
        for samples in partitions {
            var newest: Int64?
            for sample in samples {
                let t = sample.timestampMs
                let hi = EventTime.floorDivide(t - window.offsetMs, window.slideMs)
                var taken = 0
                var refused = 0
                var k = hi
                while k * window.slideMs + window.offsetMs + window.sizeMs > t {
                    let end = k * window.slideMs + window.offsetMs + window.sizeMs
                    if let newest, newest - delayMs >= end + latenessMs {
                        refused += 1
                    } else {
                        taken += 1
                        let key = Key(end: end, instance: groupBy.isEmpty ? "" : sample.instance)
                        members[key, default: []].append(sample)
                    }
                    k -= 1
                }
                if taken == 0 { late += 1 } else if refused > 0 { partlyLate += 1 }
                newest = max(newest ?? t, t)
            }
        }
        let rows = members.keys.sorted { ($0.end, $0.instance) < ($1.end, $1.instance) }.map { key -> String in
            let samples = members[key] ?? []
            let byTime = samples.enumerated().sorted {
                ($0.element.timestampMs, $0.offset) < ($1.element.timestampMs, $1.offset)
            }
            let values = samples.map(\.value)
            return "\(key.end) \(key.instance) \(samples.count) \(values.min() ?? 0) \(values.max() ?? 0) "
                + "\(byTime.first?.element.value ?? 0) \(byTime.last?.element.value ?? 0) \(values.reduce(0, +))"
        }
        return (rows, late, partlyLate)
    }

    /// The same columns of the engine's rows. Values are multiples of 1/8, so sums are exact too.
    static func shown(_ row: String) -> String {
        func field(_ name: String) -> String {
            guard let start = row.range(of: "\"\(name)\":") else { return "" }
            let rest = row[start.upperBound...]
            if rest.hasPrefix("\"") { return String(rest.dropFirst().prefix { $0 != "\"" }) }
            return String(rest.prefix { $0 != "," && $0 != "}" })
        }
        let end = EventTime.parseRFC3339(field("window_end")) ?? 0
        return [
            String(end), field("instance"), field("n"), field("lo"), field("hi"), field("f"), field("l"), field("s"),
        ]
        .joined(separator: " ")
    }
}

extension String {
    /// The first place of `text` (bytewise), as Foundation's method of the name.
    fileprivate func range(of text: String) -> Range<String.Index>? {
        var at = startIndex
        while at < endIndex {
            if self[at...].hasPrefix(text) { return at..<index(at, offsetBy: text.count) }
            at = index(after: at)
        }
        return nil
    }
}

struct RandomWindowTests {
    /// 240 seeds: the engine against the contract, sample by sample.
    @Test(arguments: 0..<24)
    func equalsTheContract(_ block: Int) throws {
        for seed in UInt64(block * 10)..<UInt64(block * 10 + 10) {
            let job = RandomJob(seed: seed)
            let run = try EngineHarness.replay(try job.definition, job.texts)
            let expected = job.expected()
            #expect(run.rows[0].map(RandomJob.shown) == expected.rows, "seed \(seed)")
            #expect(run.summary.late == expected.late, "seed \(seed)")
            #expect(run.summary.partlyLate == expected.partlyLate, "seed \(seed)")
            #expect(run.summary.balances, "seed \(seed)")
            #expect(run.summary.samples == job.partitions.reduce(0) { $0 + $1.count }, "seed \(seed)")
        }
    }

    /// The same partitions under random batch cuts, thread counts and so interleavings: the same bytes.
    @Test(arguments: 0..<24)
    func batchesAndThreadsMakeNoDifference(_ block: Int) throws {
        for seed in UInt64(1000 + block * 10)..<UInt64(1000 + block * 10 + 10) {
            let job = RandomJob(seed: seed)
            let whole = try EngineHarness.replay(try job.definition, job.texts)
            var random = SeededRandom(seed: seed ^ 0xABCD)
            for _ in 0..<2 {
                let cuts = job.texts.map { _ in
                    (0..<20).map { _ in Int.random(in: 1...Int.random(in: 1...60, using: &random), using: &random) }
                }
                let workers = Int.random(in: 1...4, using: &random)
                let run = try EngineHarness.replay(try job.definition, job.texts, cuts: cuts, workers: workers)
                #expect(run.rows == whole.rows, "seed \(seed)")
                #expect(run.summary.late == whole.summary.late, "seed \(seed)")
                #expect(run.late == whole.late, "seed \(seed)")
                #expect(run.deadLetters == whole.deadLetters, "seed \(seed)")
            }
        }
    }
}
