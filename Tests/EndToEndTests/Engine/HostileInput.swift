import Connectors
import StreamEngine
import TestSupport

/// Lines `HOST BITS TIME`: values to the bit, so with every NaN there is, staleness markers among them.
struct BitsFormat: Format {
    let name = "bits"
    let summary = "values by their bits"
    let kind = RecordKind.samples

    func makeDecoder(limits: DecodeLimits) -> any RecordDecoder { Decoder() }

    private final class Decoder: RecordDecoder {
        func decode(
            _ record: RawRecord, latestTimestampMs: Int64, series: SeriesDictionary, into batch: SampleBatch
        ) {
            batch.beginRun(offset: record.offset, linesAreRecords: record.linesAreRecords)
            let lines = record.bytes.split(separator: 10)
            batch.records += record.linesAreRecords ? lines.count : 1
            for (place, line) in lines.enumerated() {
                let fields = String(decoding: line, as: UTF8.self).split(separator: " ")
                guard fields.count == 3, let host = Int(fields[0]), let bits = UInt64(fields[1], radix: 16),
                    let time = Int64(fields[2])
                else { continue }
                let labels = SeriesLabels(
                    name: "m",
                    labels: [Label("host", ByteString("h\(host)")), Label("zone", ByteString("z\(host % 3)"))])
                let index = series.index(of: labels)
                if bits == SampleBatch.staleBits {
                    batch.appendStale(series: index, timestampMs: time, place: UInt32(place + 1))
                } else {
                    batch.append(
                        series: index, timestampMs: time, value: Double(bitPattern: bits), place: UInt32(place + 1))
                }
            }
        }
    }
}

/// A fleet that is scraped in step, as panes like it best, and everything that takes them out of step: hosts that come and
/// go, silence, two samples in a pane, late ones, and values from all corners of the doubles.
struct HostileInput {
    struct Sample {
        let timestampMs: Int64
        let value: Double
        let host: Int
    }

    let seed: UInt64
    let window: WindowDefinition
    let delayMs: Int64
    let latenessMs: Int64
    let partitions: [[Sample]]

    private static let odd: [Double] = [
        0, -0.0, .infinity, -.infinity, 1, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, 0x1p-1060,
        .leastNormalMagnitude, 1e308, -1e308, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, 1e16, -1e16, 1e155,
        Double(bitPattern: 0x7ff8_0000_0000_0000), Double(bitPattern: 0xfff8_0000_0000_0000),
        Double(bitPattern: 0x7ff0_0000_0000_0001), Double(bitPattern: 0x7ff8_0000_656d_7074),
        Double(bitPattern: 0xffff_ffff_ffff_ffff), Double(bitPattern: SampleBatch.staleBits),
    ]

    /// How often a value is odd: never, rarely, mostly.
    private static func value(_ oddEvery: Int, _ random: inout SeededRandom) -> Double {
        if oddEvery > 0, random.below(oddEvery) == 0 { return odd[random.below(odd.count)] }
        switch random.below(4) {
        case 0: return 1e9 + Double(random.below(2000)) * 1e-6
        case 1: return Double(random.below(100))
        default: return Double(Int64(bitPattern: random.next()) >> 11) * 1e-9
        }
    }

    /// About `samples` samples in all.
    init(seed: UInt64, samples: Int) {
        var random = SeededRandom(seed: seed)
        self.seed = seed
        let step = Int64([1, 10, 1000][random.below(3)])
        let slide = step * Int64([1, 1, 2, 3][random.below(4)])
        // Some sizes are no multiple of the slide.
        let size = max(slide, slide * Int64([1, 2, 5, 9, 40][random.below(5)]) - (random.below(4) == 0 ? step : 0))
        window = WindowDefinition(
            sizeMs: size, slideMs: slide,
            offsetMs: random.below(2) == 0 ? 0 : Int64(random.below(Int(2 * slide - 1))) - slide + 1)
        delayMs = Int64(random.below(3)) * slide
        latenessMs = random.below(2) == 0 ? 0 : Int64(random.below(Int(size)))
        let partitionCount = 1 + random.below(3)
        // So few that there are at least a dozen scrapes.
        let hostCount = min([2, 40, 90, 300][random.below(4)], samples / partitionCount / 12)
        let oddEvery = [0, 60, 6, 2][random.below(4)]
        let isShared = random.below(2) == 0
        let isInDisorder = random.below(3) == 0
        var next = hostCount
        partitions = (0..<partitionCount).map { partition in
            var live = (0..<hostCount).map { isShared ? $0 : $0 * partitionCount + partition }
            next = max(next, hostCount * partitionCount)
            var list: [Sample] = []
            var clock = Int64(random.below(5)) * step - 2 * step
            while list.count < samples / partitionCount {
                clock += step
                switch random.below(24) {
                case 0:
                    // Silence, sometimes for longer than a window.
                    clock += step * Int64(random.below(5)) + (random.below(3) == 0 ? 2 * size : 0)
                case 1, 2:
                    for _ in 0..<(1 + random.below(hostCount)) {
                        live[random.below(live.count)] = next
                        next += 1
                    }
                default: break
                }
                let missingEvery = [0, 0, 0, 9, 2][random.below(5)]
                for host in live where missingEvery == 0 || random.below(missingEvery) > 0 {
                    var time = clock
                    if isInDisorder, random.below(8) == 0 { time += Int64(random.below(Int(step))) }
                    if isInDisorder, random.below(20) == 0 { time -= Int64(random.below(Int(2 * size))) }
                    let count = random.below(40 * hostCount) == 0 ? 2 : 1
                    for _ in 0..<count {
                        list.append(
                            Sample(timestampMs: time, value: Self.value(oddEvery, &random), host: host))
                    }
                }
            }
            return list
        }
    }

    var texts: [String] {
        partitions.map { samples in
            samples.map { "\($0.host) \(String($0.value.bitPattern, radix: 16)) \($0.timestampMs)\n" }.joined()
        }
    }

    /// The same values by way of lone rows and of states, of many groups and of one, with conditions.
    func job(_ change: (inout QueryDefinition) -> Void = { _ in }) throws -> JobDefinition {
        var source = SourceDefinition(name: "metrics", topics: .topics(["metrics"]), format: "bits")
        source.watermark.delayMs = delayMs
        source.watermark.idleTimeoutMs = nil
        source.watermark.maxFutureSkewMs = nil
        func query(_ name: String, by keys: [String], _ aggregates: [(String, String)]) throws -> QueryDefinition {
            var query = QueryDefinition(name: name, from: "metrics", window: window)
            query.grouping = .by(keys)
            query.allowedLatenessMs = latenessMs
            query.aggregates = try aggregates.map { NamedAggregate($0.0, try AggregateCall.parse($0.1)) }
            change(&query)
            return query
        }
        let lone = [
            ("n", "count()"), ("s", "sum(value)"), ("a", "avg(value)"), ("lo", "min(value)"), ("hi", "max(value)"),
            ("sd", "stddev(value)"), ("sp", "stddev_pop(value)"), ("v", "variance(value)"),
        ]
        var some = try query(
            "some", by: ["host"],
            [("n", "count() where value > 0"), ("s", "sum(value) where value > 0"), ("lo", "min(value * 2)")])
        some.having = try ExpressionParser.parse("n > 1")
        return JobDefinition(
            name: "test", sources: [source],
            queries: [
                try query("lone", by: ["host"], lone),
                try query("states", by: ["host"], lone + [("f", "first(value)"), ("l", "last(value)")]),
                try query("zones", by: ["zone"], lone), try query("all", by: [], lone), some,
            ])
    }

    /// What must come out by host, as far as it is exact: `end|host|count|min|max|first|last` in order.
    func expected() -> [String] {
        struct Key: Hashable {
            let end: Int64
            let host: Int
        }
        var rows: [Key: [Sample]] = [:]
        for samples in partitions {
            var newest: Int64?
            for sample in samples {
                let time = sample.timestampMs
                var number = EventTime.floorDivide(time - window.offsetMs, window.slideMs)
                while sample.value.bitPattern != SampleBatch.staleBits,
                    number * window.slideMs + window.offsetMs + window.sizeMs > time
                {
                    let end = number * window.slideMs + window.offsetMs + window.sizeMs
                    if newest.map({ $0 - delayMs < end + latenessMs }) ?? true {
                        rows[Key(end: end, host: sample.host), default: []].append(sample)
                    }
                    number -= 1
                }
                newest = max(newest ?? time, time)
            }
        }
        let keys = rows.keys.sorted { $0.end != $1.end ? $0.end < $1.end : "h\($0.host)" < "h\($1.host)" }
        return keys.map { key in
            let samples = rows[key] ?? []
            let byTime = samples.enumerated().sorted {
                ($0.element.timestampMs, $0.offset) < ($1.element.timestampMs, $1.offset)
            }
            let numbers = samples.map(\.value).filter { !$0.isNaN }
            let cells: [Double] = [
                numbers.min() ?? .nan, numbers.max() ?? .nan, byTime.first?.element.value ?? 0,
                byTime.last?.element.value ?? 0,
            ]
            return "\(key.end)|h\(key.host)|\(samples.count)|"
                + cells.map(Self.cell).joined(separator: "|")
        }
    }

    /// Of the zeros either may be the smaller one.
    private static func cell(_ value: Double) -> String { value.isNaN ? "NaN" : "\(value + 0)" }

    /// A row of `states` in that form.
    static func shown(_ row: String) -> String {
        let row = FlatRow(text: row)
        let end = EventTime.parseRFC3339(row.field("window_end")) ?? 0
        let cells: [String] = ["lo", "hi", "f", "l"].map { name in
            guard let number = Double(row.field(name)) else { return row.field(name) }
            return cell(number)
        }
        return "\(end)|\(row.field("host"))|\(row.field("n"))|\(cells.joined(separator: "|"))"
    }
}
