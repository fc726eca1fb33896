import CAllocations
import Connectors
import Glibc
import Platform
import StreamEngine

/// Where a sample's time goes on one core, in CPU time of the thread, steady state (ten scrapes before are not counted):
///
/// - `read`: FilePartitionReader over a file of scrapes (in the page cache), lines handed over and not looked at;
/// - `decode`: from memory into columns, series found by prediction: each scrape in the order of the last;
/// - `decode, order changes`: the same where no series follows the one it followed last: found by hash each time;
/// - `task`: decode and 1-minute windows of six aggregates by (name, instance), windows frozen and taken, no rows made.
///
/// So `order changes` - `decode` is what a look-up costs, and `task` - `decode` what aggregating does. Inputs:
/// `ScrapeReader`, 500 series every 15 s, four million samples.
func runStagesBenchmark() throws {
    for (name, format, form) in [
        ("prometheus", "prometheus", ScrapeReader.Form.text), ("sample-json", "sample-json", .json),
    ] {
        print("stages, \(name), 500 series: CPU ns, allocations and allocated bytes")
        try measureRead(name, form)
        try measureDecode(name, "decode", format, [ScrapeReader(series: 500, form: form)])
        try measureDecode(
            name, "decode, order changes", format,
            [1, 7, 13, 29].map { ScrapeReader(series: 500, form: form, step: $0 == 1 ? 1 : $0 * 10 + 1) })
        let (steady, _) = try measureTask(
            ScrapeReader(series: 500, form: form), try sixAggregatesJob(format: format, sizeMs: 60_000),
            samples: stagesSamples)
        report("stages", "\(name) task", steady)
    }
}

private let stagesSamples = 4_000_000

private func measureRead(_ name: String, _ form: ScrapeReader.Form) throws {
    let source = ScrapeReader(series: 500, form: form)
    let path = "\(getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp")/stages-\(getpid()).scrapes"
    defer { unlink(path) }
    guard let file = fopen(path, "w") else {
        throw JobFailure("cannot write \(path) (TMPDIR says where): errno \(errno)")
    }
    var lines = 0
    var bytes = 0
    while lines < stagesSamples / 4 {
        source.advance()
        while true {
            let outcome = try source.read(maxBytes: 1 << 20) {
                bytes += $0.bytes.count
                fwrite($0.bytes.baseAddress, 1, $0.bytes.count, file)
            }
            if case .nothingYet = outcome { break }
        }
        lines += source.seriesCount
    }
    let isWritten = ferror(file) == 0
    guard fclose(file) == 0, isWritten else {
        throw JobFailure("cannot write \(bytes) bytes to \(path): is its disk full?")
    }
    let files = PosixFileSystem()
    guard let status = try files.status(path) else { throw JobFailure("\(path) is gone") }
    var meter = WorkMeter()
    for round in 0..<5 {
        let reader = FilePartitionReader(id: source.id, path: path, status: status, files: files)
        var seen = 0
        let pass = {
            while true {
                let outcome = try reader.read(maxBytes: 1 << 20) { seen += $0.bytes.count }
                if case .endOfInput = outcome { break }
            }
        }
        if round == 0 { try pass() } else { try meter.measure(pass) }
        guard seen == bytes else { throw JobFailure("\(seen) bytes read of \(bytes)") }
    }
    report("stages", "\(name) read", meter.figures(samples: 4 * lines))
}

private func measureDecode(_ name: String, _ stage: String, _ format: String, _ orders: [ScrapeReader]) throws {
    guard let decoder = InputFormats.named(format)?.makeDecoder(limits: DecodeLimits()) else {
        throw JobFailure("there is no format \(format)")
    }
    let series = SeriesDictionary()
    let batch = SampleBatch()
    var meter = WorkMeter()
    var samples = 0
    var scrape = 0
    while samples < stagesSamples {
        let reader = orders[scrape % orders.count]
        reader.advance()
        var decoded = 0
        let pass = {
            _ = try reader.read(maxBytes: .max) { record in
                decoder.decode(record, latestTimestampMs: .max, series: series, into: batch)
                if batch.count >= 4000 {
                    decoded += batch.count
                    batch.clear()
                }
            }
            decoded += batch.count
            batch.clear()
        }
        scrape += 1
        if scrape <= 10 {
            try pass()
        } else {
            try meter.measure(pass)
            samples += reader.seriesCount
        }
        guard decoded == reader.seriesCount else {
            throw JobFailure("\(decoded) samples decoded of \(reader.seriesCount) lines")
        }
    }
    report("stages", "\(name) \(stage)", meter.figures(samples: samples))
}

/// Scrapes through a task until `samples` are measured; the first ten (two where there are many series, or `warmUp`) only warm
/// it up. Throws unless every sample was aggregated and windows of all series came out.
/// Gives the steady figures, and those of the very first scrape, in which every series is new.
func measureTask(
    _ reader: ScrapeReader, _ job: CompiledJob, samples wanted: Int, warmUp: Int? = nil
) throws -> (steady: [(name: String, value: Double)], first: [(name: String, value: Double)]) {
    let task = try partitionTask(reader, job)
    var first = WorkMeter()
    var steady = WorkMeter()
    var samples = 0
    var scrape = 0
    var rows = 0
    let warmUp = warmUp ?? (reader.seriesCount > 100_000 ? 2 : 10)
    while samples < wanted {
        reader.advance()
        let pass = {
            while true {
                task.process(maxBytes: 1 << 20, latestTimestampMs: { _ in .max })
                if let failure = task.failure { throw failure }
                for op in task.operators { rows += op.takeFrozen().reduce(0) { $0 + $1.groups.count } }
                if !task.advanced { break }
            }
        }
        scrape += 1
        if scrape == 1 {
            try first.measure(pass)
        } else if scrape <= warmUp {
            try pass()
        } else {
            try steady.measure(pass)
            samples += reader.seriesCount
        }
    }
    try task.checkTook(samples: scrape * reader.seriesCount)
    guard rows > 0, rows % reader.seriesCount == 0 else {
        throw JobFailure("\(rows) rows frozen of \(reader.seriesCount) groups")
    }
    return (steady.figures(samples: samples), first.figures(samples: reader.seriesCount))
}
