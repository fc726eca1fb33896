import Connectors
import StreamEngine

/// Decoding, one core, from memory into columns. Inputs: 1000 series of 10 metric names (`node_cpu_seconds_total` and
/// the like) with the labels instance, job, cpu, mode; each scraped 100 times in the same order, timestamps and values
/// changing from scrape to scrape. Values are integers, decimals of 2 to 6 places, and doubles of 17 digits, a third
/// each. `shuffled` has each scrape's lines in random order (seed 1); in `labels in random order` each sample's labels are. Messages of 100 lines, 20 elements, or 1 sample.
func runDecodeBenchmark() throws {
    let input = DecodeInput()
    let count = input.samples.count
    print("decode: samples, bytes a sample, ns a sample, samples a second (best of 7 passes)")
    try measure(
        "prometheus, 100 lines a message", "prometheus", input.messages(of: 100) { input.text($0, .prometheus) },
        samples: count)
    try measure(
        "prometheus, 1 line a message", "prometheus", input.messages(of: 1) { input.text($0, .prometheus) },
        samples: count)
    try measure(
        "prometheus, shuffled", "prometheus", input.shuffled.messages(of: 100) { input.text($0, .prometheus) },
        samples: count)
    try measure(
        "openmetrics, 100 lines a message", "openmetrics", input.messages(of: 100) { input.text($0, .openmetrics) },
        samples: count)
    try measure(
        "sample-json, 1 object a message", "sample-json", input.messages(of: 1) { input.text($0, .json) },
        samples: count)
    try measure(
        "sample-json, 1 object a line", "sample-json", input.messages(of: 20) { input.text($0, .json) }, samples: count)
    try measure("sample-json, array of 20", "sample-json", input.arrays(of: 20), samples: count)
    try measure(
        "sample-json, keys sorted", "sample-json", input.messages(of: 1) { input.text($0, .sortedJSON) }, samples: count
    )
    try measure(
        "sample-json, shuffled", "sample-json", input.shuffled.messages(of: 20) { input.text($0, .json) },
        samples: count)
    var order = RandomOrder()
    try measure(
        "sample-json, labels in random order", "sample-json", input.messages(of: 20) { order.text(input, $0) },
        samples: count)
    try measure(
        "event-json, native, 1 a message", "event-json", input.messages(of: 1) { input.text($0, .event) },
        samples: count)
}

private func measure(_ title: String, _ format: String, _ messages: [[UInt8]], samples expected: Int) throws {
    guard let decoder = InputFormats.named(format)?.makeDecoder(limits: DecodeLimits()) else {
        throw JobFailure("there is no format \(format)")
    }
    let series = SeriesDictionary()
    let batch = SampleBatch()
    var samples = 0
    let bytes = messages.reduce(0) { $0 + $1.count }
    var best = Duration.seconds(3600)
    for _ in 0..<7 {
        samples = 0
        var bad = 0
        let time = ContinuousClock().measure {
            for (offset, message) in messages.enumerated() {
                message.withUnsafeBufferPointer {
                    decoder.decode(
                        RawRecord(bytes: $0, offset: Int64(offset), timestampMs: 0, linesAreRecords: false),
                        latestTimestampMs: .max, series: series, into: batch)
                }
                if batch.count >= 4000 {
                    samples += batch.count
                    bad += batch.bad.count
                    batch.clear()
                }
            }
        }
        samples += batch.count
        bad += batch.bad.count
        batch.clear()
        guard bad == 0, samples == expected else {
            throw JobFailure("\(title): \(samples) samples of \(expected), \(bad) bad records")
        }
        best = min(best, time)
    }
    let (seconds, attoseconds) = best.components
    let nanoseconds = Double(seconds) * 1e9 + Double(attoseconds) / 1e9
    let perSample = nanoseconds / Double(max(samples, 1))
    print(
        "  \(title): \(samples), \(bytes / max(samples, 1)) B, \((perSample * 10).rounded() / 10) ns, "
            + "\((1e4 / perSample).rounded() / 10) M/s")
}

/// The generated samples.
private struct DecodeInput {
    enum Form { case prometheus, openmetrics, json, sortedJSON, event }

    struct Sample {
        var name: String
        var labels: [(String, String)]
        var value: String
        var timestampMs: Int
    }

    private(set) var samples: [Sample] = []

    init() {
        let names = [
            "node_cpu_seconds_total", "node_memory_MemAvailable_bytes", "node_disk_io_time_seconds_total", "node_load1",
            "node_network_receive_bytes_total", "node_filesystem_avail_bytes", "process_cpu_seconds_total",
            "jvm_memory_used_bytes", "kafka_server_BrokerTopicMetrics_OneMinuteRate", "http_requests_total",
        ]
        var series: [(String, [(String, String)])] = []
        for name in names {
            for i in 0..<100 {
                series.append(
                    (
                        name,
                        [
                            ("instance", "node-\(i / 8):9100"), ("job", "node"), ("cpu", "\(i % 8)"),
                            ("mode", i % 2 == 0 ? "idle" : "system"),
                        ]
                    ))
            }
        }
        for scrape in 0..<100 {
            for (index, one) in series.enumerated() {
                let base = Double(index * 977 + scrape * 31)
                let value: String
                switch index % 3 {
                case 0: value = "\(index * 1_048_576 + scrape * 4096)"
                case 1: value = "\(((base * 1.37) * 1000).rounded() / 1000)"
                default: value = "\(base / 7 + 0.1)"
                }
                samples.append(
                    Sample(
                        name: one.0, labels: one.1, value: value,
                        timestampMs: 1_767_225_600_000 + scrape * 15_000 + index))
            }
        }
    }

    /// The same samples, each scrape in random order.
    var shuffled: DecodeInput {
        var copy = self
        var state: UInt64 = 1
        for start in stride(from: 0, to: samples.count, by: 1000) {
            for i in stride(from: 999, to: 0, by: -1) {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                copy.samples.swapAt(start + i, start + Int((state >> 33) % UInt64(i + 1)))
            }
        }
        return copy
    }

    func text(_ sample: Sample, _ form: Form) -> String {
        switch form {
        case .prometheus, .openmetrics:
            let labels = sample.labels.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",")
            let ms = sample.timestampMs % 1000
            let time =
                form == .prometheus
                ? "\(sample.timestampMs)" : "\(sample.timestampMs / 1000).\(ms / 100)\(ms / 10 % 10)\(ms % 10)"
            return "\(sample.name){\(labels)} \(sample.value) \(time)"
        case .json, .sortedJSON, .event:
            let time = "\"timestamp\":\"\(EventTime.rfc3339(Int64(sample.timestampMs / 1000 * 1000)).dropLast(5))Z\""
            let value = "\"value\":\"\(sample.value)\""
            let name = "\"name\":\"\(sample.name)\""
            let labels = "\"labels\":{\(jsonLabels(sample).dropFirst(form == .event ? 1 : 0).joined(separator: ","))}"
            switch form {
            case .json: return "{\(time),\(value),\(name),\(labels)}"
            case .sortedJSON: return "{\(labels),\(name),\(time),\(value)}"
            default:
                return "{\(time),\"type\":\"ClusterScaling\",\"reason\":\"ScaleUp\",\"severity\":\"info\","
                    + "\"object\":\"MachineSet/workers\",\"message\":\"3 -> 5\",\(labels)}"
            }
        }
    }

    /// The labels of a JSON sample with `__name__` among them.
    func jsonLabels(_ sample: Sample) -> [String] {
        ([("__name__", sample.name)] + sample.labels).map { "\"\($0.0)\":\"\($0.1)\"" }
    }

    func messages(of count: Int, _ text: (Sample) -> String) -> [[UInt8]] {
        stride(from: 0, to: samples.count, by: count).map { start in
            Array(samples[start..<min(start + count, samples.count)].map(text).joined(separator: "\n").utf8)
        }
    }

    func arrays(of count: Int) -> [[UInt8]] {
        stride(from: 0, to: samples.count, by: count).map { start in
            let elements = samples[start..<min(start + count, samples.count)].map { text($0, .json) }
            return Array("[\(elements.joined(separator: ","))]".utf8)
        }
    }
}

/// Writes labels in a new order each time (seed 7), as a walk over a hash map does.
private struct RandomOrder {
    private var state: UInt64 = 7

    mutating func text(_ input: DecodeInput, _ sample: DecodeInput.Sample) -> String {
        var labels = input.jsonLabels(sample)
        for i in stride(from: labels.count - 1, to: 0, by: -1) {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            labels.swapAt(i, Int((state >> 33) % UInt64(i + 1)))
        }
        return "{\"timestamp\":\(sample.timestampMs),\"value\":\"\(sample.value)\",\"name\":\"\(sample.name)\","
            + "\"labels\":{\(labels.joined(separator: ","))}}"
    }
}
