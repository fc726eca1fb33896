import StreamEngine

/// Scrapes from memory, as a partition: the same series in the same order every `intervalMs`, times and values rewritten in
/// place between scrapes (`advance`), so that making them costs nothing where it is measured.
///
/// Lines are like those of Benchmarks/peers/inputs.py: 25 metric names, the labels instance and job; values of ten digits,
/// four of them after the point; in JSON times are RFC 3339.
final class ScrapeReader: PartitionReader {
    enum Form { case text, json }

    let id = PartitionID(source: "metrics", topic: "metrics", partition: 0)
    let seriesCount: Int
    private let intervalMs: Int64
    private let buffer: UnsafeMutableBufferPointer<UInt8>
    /// Where each line begins, and where its value and its time are.
    private var lines: [(start: Int, value: Int, time: Int)] = []
    private let form: Form
    private var scrape: Int64 = -1
    private var nextLine = 0
    private var offset: Int64 = 0

    static let startMs: Int64 = 1_767_225_600_000
    private static let chunkLines = 4000
    private static let metrics = 25

    /// `step` is coprime to the number of series: the order of the series is every `step`-th.
    init(series count: Int, form: Form, intervalMs: Int64 = 15_000, step: Int = 1) {
        seriesCount = count
        self.form = form
        self.intervalMs = intervalMs
        var bytes: [UInt8] = []
        for place in 0..<count {
            let index = place * step % count
            let name = "node_metric_\(index % Self.metrics)_bytes"
            let instance = "node-\(index / Self.metrics):9100"
            let start = bytes.count
            switch form {
            case .text:
                bytes += Array("\(name){instance=\"\(instance)\",job=\"node\"} ".utf8)
                lines.append((start, bytes.count, bytes.count + 12))
                bytes += Array("000000.0000 0000000000000\n".utf8)
            case .json:
                bytes += Array("{\"timestamp\":\"".utf8)
                let time = bytes.count
                bytes += Array("2026-01-01T00:00:00Z\",\"value\":\"".utf8)
                lines.append((start, bytes.count, time))
                bytes += Array(
                    ("000000.0000\",\"name\":\"\(name)\",\"labels\":{\"__name__\":\"\(name)\",\"instance\":\"\(instance)\","
                        + "\"job\":\"node\"}}\n").utf8)
            }
        }
        buffer = .allocate(capacity: bytes.count)
        _ = buffer.initialize(from: bytes)
        nextLine = count
    }

    deinit { buffer.deallocate() }

    /// Bytes of one scrape.
    var byteCount: Int { buffer.count }

    /// Bytes of the series' names and label names and values.
    var labelBytes: Int {
        (0..<seriesCount).reduce(0) { total, index in
            total
                + "__name__node_metric_\(index % Self.metrics)_bytesinstancenode-\(index / Self.metrics):9100jobnode"
                .utf8.count
        }
    }

    /// Makes the next scrape.
    func advance() {
        scrape += 1
        nextLine = 0
        let timeMs = Self.startMs + scrape * intervalMs
        let time =
            switch form {
            case .text: Array("\(timeMs)".utf8)
            case .json: Array("\(EventTime.rfc3339(timeMs).dropLast(5))Z".utf8)
            }
        for (index, line) in lines.enumerated() {
            for (place, byte) in time.enumerated() { buffer[line.time + place] = byte }
            let value = (UInt64(index) &* 7919 &+ UInt64(scrape) &* 104_729) % 1_000_000_000
            write(value / 1000, digits: 6, at: line.value)
            write(value % 1000, digits: 3, at: line.value + 7)
        }
    }

    private func write(_ number: UInt64, digits: Int, at place: Int) {
        var rest = number
        for digit in stride(from: digits - 1, through: 0, by: -1) {
            buffer[place + digit] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
    }

    func read(maxBytes: Int, _ body: (RawRecord) throws -> Void) throws -> ReadOutcome {
        var left = maxBytes
        while left > 0, nextLine < seriesCount {
            let end = min(nextLine + Self.chunkLines, seriesCount)
            let start = lines[nextLine].start
            let chunk = UnsafeBufferPointer(
                rebasing: buffer[start..<(end < seriesCount ? lines[end].start : buffer.count)])
            try body(RawRecord(bytes: chunk, offset: offset, timestampMs: nil, linesAreRecords: true))
            offset += Int64(end - nextLine)
            nextLine = end
            left -= chunk.count
        }
        return nextLine < seriesCount ? .more : .nothingYet
    }

    var recordFormat: (any Format)? { nil }
    var progress: (consumed: Int64, total: Int64)? { nil }
    func hibernate() {}
    func close() {}
}
