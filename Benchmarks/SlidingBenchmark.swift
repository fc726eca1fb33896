import StreamEngine

/// What sliding costs against tumbling, a sample, rows out excluded: decode, windows of six aggregates by (name, instance),
/// windows frozen and taken. 500 series of text exposition, one thread's CPU time; a scrape a second (600 samples a series
/// in ten minutes) and a scrape every 15 s (fewer samples than panes, the worst case for panes). What is measured begins when
/// windows are full.
func runSlidingBenchmark() throws {
    let windows: [(name: String, sizeMs: Int64, slideMs: Int64?)] = [
        ("1m", 60_000, nil), ("1m/10s", 60_000, 10_000), ("5m/10s", 300_000, 10_000), ("1h/10s", 3_600_000, 10_000),
    ]
    for intervalMs: Int64 in [1000, 15_000] {
        print("sliding, a scrape every \(intervalMs / 1000) s: CPU ns a sample, ratio to tumbling")
        var tumbling = 0.0
        for window in windows {
            let job = try sixAggregatesJob(format: "prometheus", sizeMs: window.sizeMs, slideMs: window.slideMs)
            let reader = ScrapeReader(series: 500, form: .text, intervalMs: intervalMs)
            let (steady, _) = try measureTask(
                reader, job, samples: intervalMs == 1000 ? 4_000_000 : 1_000_000,
                warmUp: Int(window.sizeMs / intervalMs) + 10)
            if window.slideMs == nil { tumbling = steady[0].value }
            report(
                "sliding", "\(window.name) every \(intervalMs / 1000) s",
                [steady[0], ("ratio", steady[0].value / tumbling)])
        }
    }
}
