import Connectors
import StreamEngine
import Testing

@testable import Generator

/// What a workload promises: the same bytes from the same settings, records that parse, incidents that its labels tell.
@Suite struct WorkloadTests {
    static func settings(_ mode: WorkloadMode = .normal, _ format: WorkloadFormat = .prometheus) -> WorkloadSettings {
        var settings = WorkloadSettings()
        settings.mode = mode
        settings.format = format
        settings.startMs = 1_767_225_600_000
        settings.durationMs = 600_000
        settings.series = 140
        return settings
    }

    /// Everything a workload holds, as bytes.
    static func bytes(_ settings: WorkloadSettings) -> [UInt8] {
        var workload = Workload(settings)
        var out: [UInt8] = []
        while let item = workload.next() {
            switch item {
            case .samples(let scraped): out += scraped.bytes
            case .event(let event): out += event.json.utf8
            case .incident(let incident): out += incident.csv.utf8
            }
        }
        return out
    }

    @Test(arguments: WorkloadMode.allCases, WorkloadFormat.allCases)
    func equalSettingsGiveEqualBytes(_ mode: WorkloadMode, _ format: WorkloadFormat) {
        var settings = Self.settings(mode, format)
        settings.disorder = 0.1
        #expect(Self.bytes(settings) == Self.bytes(settings))
        var other = settings
        other.seed = 2
        #expect(Self.bytes(settings) != Self.bytes(other))
    }

    /// The first bytes of one workload, so that a change of them is seen: recorded runs would no longer be repeatable.
    @Test func theBytesOfASeedStay() {
        let text = String(decoding: Self.bytes(Self.settings()).prefix(2000), as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix("node_cpu_seconds_total") }
        #expect(
            line
                == "node_cpu_seconds_total{instance=\"node-1:9100\",job=\"node\",cpu=\"0\",mode=\"idle\"} 89573.115 1767225600000"
        )
    }

    @Test(arguments: WorkloadMode.allCases, WorkloadFormat.allCases)
    func everySampleParses(_ mode: WorkloadMode, _ format: WorkloadFormat) throws {
        var settings = Self.settings(mode, format)
        settings.disorder = 0.2
        let decoder = try #require(InputFormats.all.first { $0.name == format.rawValue }).makeDecoder(
            limits: DecodeLimits())
        let series = SeriesDictionary()
        var workload = Workload(settings)
        var offset: Int64 = 0
        var written = 0
        while let item = workload.next() {
            guard case .samples(let scraped) = item else { continue }
            let batch = SampleBatch()
            scraped.bytes.withUnsafeBufferPointer {
                decoder.decode(
                    RawRecord(bytes: $0, offset: offset, timestampMs: nil, linesAreRecords: false),
                    latestTimestampMs: settings.endMs, series: series, into: batch)
            }
            #expect(batch.bad.isEmpty)
            #expect(batch.count == scraped.samples)
            written += scraped.samples
            offset += 1
        }
        #expect(series.seriesCount == settings.series)
        // While a node is away only its `up` is written.
        if mode != .failure { #expect(written == 140 * 40) }
    }

    @Test func eventsParse() throws {
        let decoder = try #require(InputFormats.all.first { $0.name == "event-json" }).makeDecoder(
            limits: DecodeLimits())
        for mode in [WorkloadMode.memory, .slow, .failure] {
            var workload = Workload(Self.settings(mode))
            let batch = SampleBatch()
            let series = SeriesDictionary()
            while let item = workload.next() {
                guard case .event(let event) = item else { continue }
                Array(event.json.utf8).withUnsafeBufferPointer {
                    decoder.decode(
                        RawRecord(bytes: $0, offset: 0, timestampMs: nil, linesAreRecords: false),
                        latestTimestampMs: .max, series: series, into: batch)
                }
            }
            #expect(batch.count > 0)
            #expect(batch.bad.isEmpty)
        }
    }

    @Test(arguments: [1, 34, 35, 36, 100, 351])
    func thereAreAsManySeriesAsAskedFor(_ count: Int) {
        var settings = Self.settings()
        settings.series = count
        let workload = Workload(settings)
        #expect(workload.series.count == count)
        #expect(Set(workload.series.map { "\($0.name)\($0.labels)" }).count == count)
        #expect(GeneratedNode(number: 0, seed: 1).series.count == GeneratedNode.seriesCount)
    }

    /// Samples of a partition come in order but for the share that is held back, and those not longer than asked for.
    @Test func disorderStaysWithinItsBounds() throws {
        var settings = Self.settings()
        settings.disorder = 0.1
        settings.latenessMs = 40_000
        settings.partitions = 3
        var workload = Workload(settings)
        var newestMs = [Int64](repeating: .min, count: 3)
        var late = 0
        var all = 0
        var latestMs: Int64 = 0
        while let item = workload.next() {
            guard case .samples(let scraped) = item else { continue }
            for line in scraped.bytes.split(separator: 0x0A) where line.first != UInt8(ascii: "#") {
                let ms = try #require(
                    line.split(separator: 0x20).last.flatMap { Int64(String(decoding: $0, as: UTF8.self)) })
                all += 1
                if ms < newestMs[scraped.partition] {
                    late += 1
                    latestMs = max(latestMs, newestMs[scraped.partition] - ms)
                }
                newestMs[scraped.partition] = max(newestMs[scraped.partition], ms)
            }
        }
        #expect(all == 140 * 40)
        #expect((0.05...0.12).contains(Double(late) / Double(all)))
        // Held back for at most 40 s, then until the partition's next scrape.
        #expect(latestMs <= 40_000 + settings.intervalMs)
    }

    @Test(arguments: [WorkloadMode.memory, .slow, .skewed, .failure])
    func labelsTellWhatHappens(_ mode: WorkloadMode) throws {
        var settings = Self.settings(mode)
        settings.durationMs = 7_200_000
        var workload = Workload(settings)
        let incidents = workload.incidents(before: settings.endMs)
        #expect(incidents.count == 2)
        var met: [Incident] = []
        var lastMs = Int64.min
        while let item = workload.next() {
            switch item {
            case .incident(let incident):
                met.append(incident)
                #expect(incident.startMs >= lastMs)
            case .event(let event): #expect((lastMs...settings.endMs).contains(event.timestampMs))
            case .samples(let scraped): lastMs = scraped.timestampMs
            }
        }
        #expect(met == incidents)
        for incident in incidents {
            #expect(incident.kind == mode)
            #expect(incident.startMs < incident.endMs && incident.endMs <= settings.endMs)
            let fields = incident.csv.split(separator: ",", maxSplits: 3)
            #expect(EventTime.parseRFC3339(String(fields[0])) == incident.startMs)
            #expect(EventTime.parseRFC3339(String(fields[1])) == incident.endMs)
            #expect(fields[2] == mode.rawValue)
            let selector = String(fields[3].dropFirst().dropLast()).split(
                separator: "\"\"", omittingEmptySubsequences: false
            )
            .joined(separator: "\"")
            #expect(throws: Never.self) { try SeriesSelector.parse(selector) }
        }
    }

    @Test func withoutIncidentsThereAreNoLabels() {
        #expect(Workload(Self.settings()).incidents(before: .max).isEmpty)
    }

    /// Counters never fall, but to begin again near 0.
    @Test func countersGrowOrReset() throws {
        var settings = Self.settings(.failure)
        settings.durationMs = 1_800_000
        let workload = Workload(settings)
        let counters = Set(workload.series.filter { $0.kind != .gauge }.map(\.name))
        var last: [[UInt8]: Double] = [:]
        var resets = 0
        for line in Self.bytes(settings).split(separator: 0x0A) where line.first != UInt8(ascii: "#") {
            let name = String(decoding: line.prefix { $0 != UInt8(ascii: "{") }, as: UTF8.self)
            guard counters.contains(name) else { continue }
            let parts = line.split(separator: 0x20)
            let value = try #require(Double(String(decoding: parts[1], as: UTF8.self)))
            let key = Array(parts[0])
            if let before = last[key], value < before {
                resets += 1
                #expect(value < before / 2 || before < 100)
            }
            last[key] = value
        }
        #expect(resets > 0)
    }

    @Test(arguments: [
        (0.0, "0"), (1, "1"), (0.5, "0.5"), (0.05, "0.05"), (0.005, "0.005"), (-1.25, "-1.25"), (123.4564, "123.456"),
        (-0.0001, "0"), (17_179_869_184, "17179869184"), (1e300, "1e+300"), (.infinity, "inf"),
    ])
    func numbersAreShort(_ value: Double, _ expected: String) {
        var out: [UInt8] = []
        SampleText.append(value, to: &out)
        #expect(String(decoding: out, as: UTF8.self) == expected)
    }
}
