import StreamEngine

extension JobDoctor {
    /// Whether series meet a query's `select`, and whether its aggregates fit their types.
    func checkSelect(_ query: QueryDefinition, _ sample: SourceSample) throws(BrokenLink) {
        guard let selector = query.select else {
            report(
                .ok(
                    .select,
                    "query \(query.name) takes every series: \(FigureText.count(sample.series.count)) sampled"))
            warnOfTypes(query, Array(sample.series.keys), sample)
            return
        }
        let matched = sample.series.keys.filter { selector.matches($0) }
        guard !matched.isEmpty else { throw nothingMatches(query, selector, sample) }
        report(
            .ok(
                .select,
                "query \(query.name): \(FigureText.count(matched.count)) of \(FigureText.count(sample.series.count)) "
                    + "sampled series match \(selector)"))
        warnOfTypes(query, matched, sample)
    }

    private func nothingMatches(
        _ query: QueryDefinition, _ selector: SeriesSelector, _ sample: SourceSample
    ) -> BrokenLink {
        let text = "query \(query.name): no series match \(selector)"
        let names = Set(sample.series.keys.map(\.name.description))
        guard let wanted = selector.metricName?.description else {
            return BrokenLink(.select, text, mend: "metrics seen: \(Self.list(names))")
        }
        guard names.contains(wanted) else {
            let near = Suggestion.nearest(wanted, among: names.sorted())
            return BrokenLink(
                .select, text,
                mend: near.map { "did you mean \(seen($0, selector, sample))?" } ?? "metrics seen: \(Self.list(names))")
        }
        return BrokenLink(.select, text, mend: "seen: \(seen(wanted, selector, sample))")
    }

    /// A metric with the values its labels have, of those the selector looks at: `up{job="a"|"b"}`.
    private func seen(_ metric: String, _ selector: SeriesSelector, _ sample: SourceSample) -> String {
        let series = sample.series.keys.filter { $0.name.description == metric }
        let labels = selector.labels.filter { $0 != LabelMatcher.metricName }.map { label -> String in
            let values = Set(series.compactMap { $0.value(of: label)?.description }).sorted()
            guard !values.isEmpty else { return "no \(label)" }
            return "\(label)=" + values.prefix(4).map { "\"\($0)\"" }.joined(separator: "|")
                + (values.count > 4 ? "|…" : "")
        }
        return labels.isEmpty ? metric : "\(metric){\(labels.joined(separator: ","))}"
    }

    private static func list(_ names: Set<String>) -> String {
        names.sorted().prefix(12).joined(separator: ", ") + (names.count > 12 ? ", …" : "")
    }

    // MARK: Counters and gauges

    /// Aggregates whose result on a counter means nothing.
    private static let sensitive: Set<String> = [
        "sum", "avg", "min", "max", "stddev", "stddev_pop", "variance", "quantile",
    ]

    private func warnOfTypes(_ query: QueryDefinition, _ series: [SeriesLabels], _ sample: SourceSample) {
        for aggregate in query.aggregates {
            let call = aggregate.call
            let names = Set(series.map(\.name.description)).filter { Self.admits(call.filter, metric: $0) }.sorted()
            if let inner = call.inner {
                guard let expects = registries.seriesFunction(inner.function.name)?.expectsCounter,
                    inner.argument.readsValue
                else { continue }
                guard let wrong = names.first(where: { isCounter($0, series, sample) == !expects }) else { continue }
                report(
                    .warn(
                        .select,
                        "query \(query.name): \(aggregate.name) takes \(inner.function.name)() of "
                            + "\(wrong), a \(expects ? "gauge" : "counter")",
                        mend: expects
                            ? "for a gauge: avg_over_time(value), delta(value) or deriv(value)"
                            : "for a counter: rate(value) or increase(value)"))
            } else if Self.sensitive.contains(call.function.name), call.argument?.readsValue ?? false {
                guard let wrong = names.first(where: { isCounter($0, series, sample) == true }) else { continue }
                report(
                    .warn(
                        .select,
                        "query \(query.name): \(aggregate.name) takes \(call.function.name) of \(wrong), a counter: "
                            + "its value only grows until its process restarts",
                        mend: "\(call.function.name)(rate(value)), or increase(value) for the growth in each window"))
            }
        }
    }

    /// By declaration and name, else by what its series did: a counter does not fall time and again.
    private func isCounter(_ metric: String, _ series: [SeriesLabels], _ sample: SourceSample) -> Bool? {
        if let known = sample.types.isCounter(metric) { return known }
        let falls = series.contains { labels in
            guard labels.name.description == metric, let seen = sample.series[labels] else { return false }
            return seen.falls >= 3 && seen.falls * 3 >= seen.rises
        }
        return falls ? false : nil
    }

    /// Whether an aggregate's own `where` may let a metric pass: what it says of `name` is looked at, no more.
    private static func admits(_ filter: Expression?, metric: String) -> Bool {
        guard case .binary(let operation, let left, let right)? = filter?.kind else { return true }
        switch operation {
        case .and: return admits(left, metric: metric) && admits(right, metric: metric)
        case .equal:
            guard case .column(let column) = left.kind, column.name == "name",
                case .literal(.string(let text)) = right.kind
            else { return true }
            return text.description == metric
        default: return true
        }
    }

    // MARK: Partitioning

    /// Warns where the source's `partitionedBy` is not what the data show.
    func warnOfPartitioning(_ sample: SourceSample) {
        let labels = sample.source.partitionedBy.filter { $0 != "topic" && $0 != "partition" }
        guard !labels.isEmpty, labels.count == sample.source.partitionedBy.count else { return }
        var places: [[ByteString]: Set<PartitionID>] = [:]
        for (series, seen) in sample.series {
            places[labels.map { series.value(of: ByteString($0)) ?? .empty }, default: []].formUnion(seen.partitions)
        }
        let spread = places.filter { $0.value.count > 1 }
        let first = spread.min { a, b in a.key.lexicographicallyPrecedes(b.key) }
        guard let first else { return }
        let key = zip(labels, first.key).map { "\($0)=\"\($1)\"" }.joined(separator: ",")
        let ids = first.value.sorted().map(\.description).joined(separator: ", ")
        report(
            .warn(
                .select,
                "source \(sample.source.name) says `partitionedBy: [\(labels.joined(separator: ", "))]`, but "
                    + "\(FigureText.count(spread.count)) of \(FigureText.count(places.count)) values are in several "
                    + "partitions: {\(key)} in \(ids)",
                mend: "key the producer's records by \(labels.joined(separator: ", ")), or take `partitionedBy` out: "
                    + "with it each partition gives rows of its own"))
    }
}

extension Expression {
    /// Whether it reads the sample's value.
    fileprivate var readsValue: Bool { columns.contains { $0.name == "value" } }
}
