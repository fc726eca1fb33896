import Connectors
import Platform
import StreamEngine

/// Remote-write, one core, from memory into columns: 10,000 series with 8 labels of about 12 bytes each, one sample a
/// series and message, 500 series a message as Prometheus sends them, 20 scrapes. Bytes are those decompressed.
func runRemoteWriteBenchmark() throws {
    guard let decoder = InputFormats.named("remote-write")?.makeDecoder(limits: DecodeLimits()) else {
        throw JobFailure("there is no format remote-write")
    }
    var messages: [[UInt8]] = []
    var bytes = 0
    for scrape in 0..<20 {
        for first in stride(from: 0, to: 10_000, by: 500) {
            var request = ByteWriter()
            for series in first..<(first + 500) { request.field(1, oneSeries(series, scrape)) }
            bytes += request.bytes.count
            messages.append(Snappy.compress(request.bytes))
        }
    }
    let dictionary = SeriesDictionary()
    let batch = SampleBatch()
    var samples = 0
    var best = Duration.seconds(3600)
    for _ in 0..<7 {
        samples = 0
        let time = ContinuousClock().measure {
            for (offset, message) in messages.enumerated() {
                batch.clear()
                message.withUnsafeBufferPointer {
                    decoder.decode(
                        RawRecord(bytes: $0, offset: Int64(offset), timestampMs: 0, linesAreRecords: false),
                        latestTimestampMs: .max, series: dictionary, into: batch)
                }
                samples += batch.count
            }
        }
        guard samples == 200_000 else { throw JobFailure("\(samples) samples decoded of 200,000") }
        best = min(best, time)
    }
    let nanoseconds = Double(best.components.seconds) * 1e9 + Double(best.components.attoseconds) / 1e9
    let perSample = nanoseconds / Double(max(samples, 1))
    print(
        "remote-write: \(samples) samples, \(bytes / max(samples, 1)) B a sample, "
            + "\((perSample * 10).rounded() / 10) ns a sample, \((1e4 / perSample).rounded() / 10) M/s (best of 7 passes)"
    )
}

private func oneSeries(_ series: Int, _ scrape: Int) -> [UInt8] {
    var out = ByteWriter()
    let labels = [
        ("__name__", "http_requests_total"), ("code", "\(200 + series % 7)"), ("handler", "/api/v1/things"),
        ("instance", "10.0.0.\(series / 40):9100"), ("job", "service-\(series / 400)"), ("method", "GET"),
        ("namespace", "production"), ("pod", "service-7c9d8f6b5-\(series)"),
    ]
    for (name, value) in labels {
        var label = ByteWriter()
        label.field(1, Array(name.utf8))
        label.field(2, Array(value.utf8))
        out.field(1, label.bytes)
    }
    var sample = ByteWriter()
    sample.writeVarint(1 << 3 | 1)
    sample.write(Double(series * 31 + scrape * 7))
    sample.writeVarint(2 << 3)
    sample.writeVarint(UInt64(1_767_225_600_000 + scrape * 15_000))
    out.field(2, sample.bytes)
    return out.bytes
}

extension ByteWriter {
    /// A length-delimited field of a protobuf message.
    fileprivate mutating func field(_ number: UInt64, _ payload: [UInt8]) {
        writeVarint(number << 3 | 2)
        write(lengthPrefixed: payload)
    }
}
