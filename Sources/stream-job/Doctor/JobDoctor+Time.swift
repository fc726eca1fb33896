import StreamEngine

extension JobDoctor {
    /// Whether nothing has come to a partition for so long that it counts as idle, or might as well.
    private func isQuiet(_ partition: PartitionSample, _ source: SourceDefinition) -> Bool {
        guard let newestMs = partition.recordTimesMs?.upperBound else { return true }
        return clock.wallMs() - newestMs > source.watermark.idleTimeoutMs ?? 60_000
    }

    /// The watermark as it would stand, and the partition that holds it back.
    private func watermark(_ sample: SourceSample) -> (watermarkMs: Int64, holder: PartitionSample)? {
        let spoken = sample.partitions.filter { $0.timesMs != nil }
        let awake = spoken.filter { !isQuiet($0, sample.source) }
        let holder = (awake.isEmpty ? spoken : awake).min {
            ($0.timesMs?.upperBound ?? .max) < ($1.timesMs?.upperBound ?? .max)
        }
        guard let holder, let newestMs = holder.timesMs?.upperBound else { return nil }
        return (newestMs - sample.source.watermark.delayMs, holder)
    }

    /// Whether the watermark moves, and what holds it.
    func checkWatermark(_ sample: SourceSample) throws(BrokenLink) -> DoctorFinding {
        let source = sample.source
        guard let (watermarkMs, holder) = watermark(sample), let newestMs = holder.timesMs?.upperBound else {
            throw BrokenLink(.watermark, "source \(source.name): no sample has a time", mend: "see `parse` above")
        }
        let isOff = source.watermark.idleTimeoutMs == nil
        if isOff, let empty = sample.partitions.first(where: { $0.timesMs == nil }) {
            throw BrokenLink(
                .watermark, "\(empty.id) has no sample, and with `idleTimeout: off` it holds the watermark for ever",
                mend: "set watermark.idleTimeout of source \(source.name), such as 30s, or write to every partition")
        }
        let times = sample.partitions.compactMap(\.timesMs)
        let recordTimes = sample.partitions.compactMap(\.recordTimesMs)
        if let first = times.map(\.lowerBound).min(), let last = times.map(\.upperBound).max(), first == last,
            let firstRecord = recordTimes.map(\.lowerBound).min(), let lastRecord = recordTimes.map(\.upperBound).max(),
            lastRecord - firstRecord > 10_000
        {
            throw BrokenLink(
                .watermark,
                "source \(source.name): time stands still at \(clockText(first)), though records came over "
                    + "\(Self.age(lastRecord - firstRecord))",
                mend: "let the producer write each sample's own time")
        }
        var text =
            "source \(source.name): the watermark would stand at \(clockText(watermarkMs)), "
            + "\(DurationText.compact(source.watermark.delayMs)) behind \(holder.id)"
        let quiet = sample.partitions.filter { isQuiet($0, source) }
        let newestOfAll = times.map(\.upperBound).max() ?? newestMs
        if newestOfAll - newestMs > 1000 {
            text +=
                ", which holds it: its newest sample is \(Self.age(newestOfAll - newestMs)) behind the newest of all"
        }
        if let first = quiet.first, quiet.count < sample.partitions.count {
            let names = quiet.count == 1 ? "\(first.id) is" : "\(first.id) and \(quiet.count - 1) more are"
            let text = "\(text); \(names) quiet"
            guard !isOff else {
                return .warn(
                    .watermark, text,
                    mend: "with `idleTimeout: off` quiet partitions hold the watermark; set it, such as 30s")
            }
            return .ok(.watermark, text + " and left out when idle")
        }
        return .ok(.watermark, text)
    }

    /// Whether windows become final.
    func checkWindows(_ plan: QueryPlan, _ sample: SourceSample) throws(BrokenLink) -> DoctorFinding {
        let window = plan.window
        let shape =
            "windows of \(DurationText.spaced(window.sizeMs))"
            + (window.isTumbling ? "" : " every \(DurationText.spaced(window.slideMs))")
        guard !plan.neverCloses else {
            return .ok(.windows, "query \(plan.name): complete mode shows every window at each trigger")
        }
        guard let (watermarkMs, _) = watermark(sample),
            let firstMs = sample.partitions.compactMap({ $0.timesMs?.lowerBound }).min()
        else { throw BrokenLink(.windows, "query \(plan.name): nothing to close", mend: "see above") }
        let closed = window.newestClosed(watermarkMs: watermarkMs, latenessMs: plan.latenessMs)
        let oldest = window.oldestWindow(ofPane: window.pane(of: firstMs))
        let nextMs = window.endMs(closed + 1) + plan.latenessMs
        guard closed < oldest else {
            return .ok(
                .windows,
                "query \(plan.name): \(shape); those that end by \(clockText(window.endMs(closed))) are final, the next "
                    + "one at watermark \(clockText(nextMs))")
        }
        let firstCloseMs = window.endMs(oldest) + plan.latenessMs
        let text =
            "query \(plan.name): \(shape); none is final yet: the first one is at watermark "
            + "\(clockText(firstCloseMs)), \(Self.age(firstCloseMs - watermarkMs)) of event time from here"
        let isStill = sample.partitions.allSatisfy { isQuiet($0, sample.source) }
        guard isStill, sample.source.watermark.idleTimeoutMs == nil else { return .ok(.windows, text) }
        throw BrokenLink(
            .windows, text + ", and no new record comes",
            mend:
                "let the producer go on, or set watermark.idleTimeout of source \(sample.source.name): then the clock "
                + "closes them")
    }
}
