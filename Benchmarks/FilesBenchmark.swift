import Connectors
import Glibc
import Platform
import StreamEngine

/// The data plane over the very bytes that the C loop of Benchmarks/reference reads: each file of
/// `BENCHMARK_INPUTS`/{few,many}-{text,json} (Benchmarks/peers/inputs.py) in memory as a partition, one after the other on one
/// thread: decode, series, 1-minute windows of six aggregates by (name, instance), windows frozen and taken, no rows made. The
/// first sight of each series is in it. CPU time of the thread, the best of five passes, as the loop's. Fails unless every line
/// of a file is decoded and aggregated, into the rows that the input must give.
func runFilesBenchmark() throws {
    guard let directory = getenv("BENCHMARK_INPUTS").map({ String(cString: $0) }) else {
        throw JobFailure(
            "BENCHMARK_INPUTS names no directory; `scripts/bench.sh files` makes the inputs and says where they are")
    }
    print("files: CPU ns, allocations and allocated bytes")
    for (input, format, rows) in [
        ("few-text", "prometheus", 500_000), ("few-json", "sample-json", 500_000), ("many-text", "prometheus", 600_000),
        ("many-json", "sample-json", 600_000),
    ] {
        try measureFiles("\(directory)/\(input)", input, format, rows: rows)
    }
}

private func measureFiles(_ directory: String, _ input: String, _ format: String, rows expected: Int) throws {
    let files = PosixFileSystem()
    let job = try sixAggregatesJob(format: format, sizeMs: 60_000)
    let contents = try files.list(directory).sorted().map { try bytes(of: "\(directory)/\($0)") }
    defer { for content in contents { content.deallocate() } }
    let lines = contents.map { content in content.reduce(0) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 } }
    var best: (meter: WorkMeter, samples: Int)?
    for _ in 0..<5 {
        var meter = WorkMeter()
        var samples = 0
        var rows = 0
        for (content, lineCount) in zip(contents, lines) {
            let task = try partitionTask(BytesReader(UnsafeBufferPointer(content)), job)
            try meter.measure {
                while !task.hasEnded {
                    task.process(maxBytes: 512 * 1024, latestTimestampMs: { _ in .max })
                    if let failure = task.failure { throw failure }
                    for op in task.operators { rows += op.takeFrozen().reduce(0) { $0 + $1.groups.count } }
                }
                // The end of input closes the last window.
                for op in task.operators {
                    op.freeze(through: (op.frozenThrough ?? 0) + 1)
                    rows += op.takeFrozen().reduce(0) { $0 + $1.groups.count }
                }
            }
            try task.checkTook(samples: lineCount)
            samples += lineCount
        }
        guard rows == expected else { throw JobFailure("\(input): \(rows) rows instead of \(expected)") }
        if meter.nanoseconds < best?.meter.nanoseconds ?? .max { best = (meter, samples) }
    }
    guard let best, best.samples > 0 else { throw JobFailure("there is nothing in \(directory)") }
    report("files", input, best.meter.figures(samples: best.samples))
}

/// A whole file in memory.
private func bytes(of path: String) throws -> UnsafeMutableBufferPointer<UInt8> {
    guard let file = fopen(path, "r") else { throw JobFailure("cannot read \(path)") }
    defer { fclose(file) }
    fseek(file, 0, SEEK_END)
    let content = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: ftell(file))
    rewind(file)
    guard fread(content.baseAddress, 1, content.count, file) == content.count else {
        throw JobFailure("cannot read \(path) whole")
    }
    return content
}

/// Lines in memory, as a partition.
private final class BytesReader: PartitionReader {
    let id = PartitionID(source: "metrics", topic: "metrics", partition: 0)
    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0
    private var line: Int64 = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    func read(maxBytes: Int, _ body: (RawRecord) throws -> Void) throws -> ReadOutcome {
        guard position < bytes.count else { return .endOfInput }
        var end = min(position + maxBytes, bytes.count)
        while end < bytes.count, bytes[end - 1] != UInt8(ascii: "\n") { end += 1 }
        let chunk = UnsafeBufferPointer(rebasing: bytes[position..<end])
        try body(RawRecord(bytes: chunk, offset: line, timestampMs: nil, linesAreRecords: true))
        // Line numbers only name bad records, of which there are none.
        line += 1
        position = end
        return .more
    }

    var recordFormat: (any Format)? { nil }
    var progress: (consumed: Int64, total: Int64)? { nil }
    func hibernate() {}
    func close() {}
}
