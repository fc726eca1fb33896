import CAllocations
import Connectors
import StreamEngine

/// What many series cost: CPU time a sample of one partition's data plane at 500, 200,000 and 1,000,000 series (text
/// exposition, 1-minute windows of six aggregates by (name, instance), so each series is a group); and the memory of many,
/// in bytes the allocator has in use (what programs asked for and its own overhead; freed memory is not counted):
///
/// - a series beyond its label text: dictionary and group, after one scrape, without its pane. Label text is one copy of the
///   names and values of its labels, `__name__` among them; every other byte counts, further copies of that text too. Text
///   exposition and `sample-json`;
/// - a (group, open pane): what each further minute adds while the watermark waits;
/// - a (group, frozen window): what each frozen window that was taken and not yet emitted adds, and 4 bytes for its key,
///   which the emitter keeps.
func runCardinalityBenchmark() throws {
    print("cardinality: CPU ns a sample of one partition, and of its first scrape")
    var few = 0.0
    for count in [500, 200_000, 1_000_000] {
        let job = try sixAggregatesJob(format: "prometheus", sizeMs: 60_000)
        let reader = ScrapeReader(series: count, form: .text)
        let (steady, first) = try measureTask(reader, job, samples: count == 500 ? 4_000_000 : 8 * count)
        if count == 500 { few = steady[0].value }
        report(
            "cardinality", "\(count) series",
            steady + [("firstScrapeNs", first[0].value), ("shareOfFew", few / steady[0].value)])
    }
    for form in [ScrapeReader.Form.text, .json] {
        for count in [200_000, 1_000_000] { try measureMemory(count, form) }
    }
}

private func measureMemory(_ count: Int, _ form: ScrapeReader.Form) throws {
    let panes = 4
    let format = form == .text ? "prometheus" : "sample-json"
    // A watermark ten minutes behind: every window stays open.
    let open = try sixAggregatesJob(format: format, sizeMs: 60_000, delayMs: 600_000)
    var reader = ScrapeReader(series: count, form: form, intervalMs: 60_000)
    let labelBytes = reader.labelBytes
    let empty = c_allocated_bytes()
    var task: PartitionTask? = try partitionTask(reader, open)
    var used: [UInt64] = []
    for _ in 0...panes {
        try scrape(task, reader)
        used.append(c_allocated_bytes())
    }
    let pane = Double(used[panes] - used[0]) / Double(panes * count)
    let series = (Double(used[0] - empty) - pane * Double(count) - Double(labelBytes)) / Double(count)
    task = nil

    // No delay: each minute freezes the one before; the contributions are kept, as a slower partition makes them wait.
    let closing = try sixAggregatesJob(format: format, sizeMs: 60_000)
    reader = ScrapeReader(series: count, form: form, intervalMs: 60_000)
    task = try partitionTask(reader, closing)
    var waiting: [WindowPartial] = []
    used = []
    for _ in 0...(panes + 1) {
        try scrape(task, reader)
        for op in task?.operators ?? [] { waiting += op.takeFrozen() }
        used.append(c_allocated_bytes())
    }
    let windows = Double(waiting.count - 1)
    let frozen = Double(used[panes + 1] - used[1]) / (Double(count) * max(windows, 1)) + 4
    print("  \(waiting.count) windows frozen")
    report(
        "memory", form == .text ? "\(count) series" : "\(count) series, \(format)",
        [
            ("labelTextBytes", Double(labelBytes) / Double(count)), ("bytesPerSeries", series),
            ("bytesPerOpenPane", pane), ("bytesPerFrozenWindow", frozen),
        ])
}

private func scrape(_ task: PartitionTask?, _ reader: ScrapeReader) throws {
    reader.advance()
    repeat {
        task?.process(maxBytes: 1 << 20, latestTimestampMs: { _ in .max })
        if let failure = task?.failure { throw failure }
    } while task?.advanced == true
}
