extension JobCheck {
    mutating func checkQuery(_ query: QueryDefinition, path: String) {
        if !OptionType.fits(query.name, .identifier) {
            error("`\(query.name)` is no name for a query", at: "\(path).name", label: "letters, digits, `-` and `_`")
        }
        checkFrom(query, path: path)
        checkWindow(query, path: "\(path).window")
        if query.allowedLatenessMs < 0 || query.allowedLatenessMs > DurationText.maxMs {
            error("`allowedLateness` is out of range: \(query.allowedLatenessMs) ms", at: "\(path).allowedLateness")
        }
        if query.aggregates.isEmpty, !isWritten("\(path).aggregates") {
            if positions.isEmpty { error("query `\(query.name)` has no aggregates", at: path) }
        }
        checkColumns(query, path: path)
        checkExpressions(query, path: path)
        checkMode(query, path: path)
        checkSinks(query, path: path)
        checkAnomalies(query, path: path)
        checkImpacts(query, path: path)
    }

    private mutating func checkFrom(_ query: QueryDefinition, path: String) {
        guard !query.from.isEmpty else {
            if positions.isEmpty { error("query `\(query.name)` reads no source", at: path) }
            return
        }
        guard let source = job.source(query.from) else {
            let names = job.sources.map(\.name)
            error(
                "unknown source `\(query.from)`", at: "\(path).from", label: Self.didYouMean(query.from, names),
                notes: Self.list("sources", names))
            return
        }
        if source.isBroadcast {
            error(
                "source `\(source.name)` is broadcast: every member would compute all of it", at: "\(path).from",
                label: "read it as `context`, or declare a second source without broadcast")
        }
    }

    private mutating func checkWindow(_ query: QueryDefinition, path: String) {
        let window = query.window
        guard window.sizeMs > 0, window.slideMs > 0, window.sizeMs <= DurationText.maxMs else {
            error("`size` and `slide` must be longer than 0", at: path)
            return
        }
        let size = DurationText.compact(window.sizeMs)
        let slide = DurationText.compact(window.slideMs)
        if window.slideMs > window.sizeMs {
            error(
                "`slide` (\(slide)) is longer than `size` (\(size))", at: "\(path).slide",
                label: "samples between windows would be lost; use slide <= size")
            return
        }
        if window.offsetMs.magnitude >= window.slideMs.magnitude {
            let offset = DurationText.compact(window.offsetMs)
            error(
                "`offset` (\(offset)) is not within (-\(slide), \(slide))", at: "\(path).offset",
                label:
                    "windows start every \(slide): an offset of \(DurationText.compact(equivalent(window))) is the same"
            )
            return
        }
        let spec = WindowSpec(sizeMs: window.sizeMs, slideMs: window.slideMs, offsetMs: window.offsetMs)
        if spec.panesPerWindow > 10_000 {
            warn(
                "windows of \(size) every \(slide) are made of \(spec.panesPerWindow) panes of "
                    + "\(DurationText.compact(spec.paneMs))", at: "\(path).slide",
                label: "each is kept for each group; a slide that divides the size needs fewer")
        }
    }

    private func equivalent(_ window: WindowDefinition) -> Int64 { window.offsetMs % window.slideMs }

    private mutating func checkMode(_ query: QueryDefinition, path: String) {
        guard query.outputMode == .complete else { return }
        warn(
            "`complete` keeps every window for ever: state only grows", at: "\(path).outputMode",
            label: "append or update forget what is final")
        if query.late != nil {
            warn("in complete mode nothing is late", at: "\(path).late")
        }
    }
}
