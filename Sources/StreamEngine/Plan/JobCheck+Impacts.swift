extension JobCheck {
    /// Means before and after events; `checkImpactColumns` looks at the types of their columns.
    mutating func checkImpacts(_ query: QueryDefinition, path: String) {
        guard let first = query.impacts.first else { return }
        if query.outputMode != .append {
            error(
                "impacts need `outputMode: append`: they look at final rows", at: "\(path).outputMode",
                label: "impact `\(first.name)` reads this query")
        }
        let columns = rowColumns(query)
        for (index, impact) in query.impacts.enumerated() {
            let itemPath = "\(path).impacts.\(index)"
            let taken = query.anomalies.map(\.name) + query.impacts[..<index].map(\.name)
            if taken.contains(impact.name) {
                error("something else here is called `\(impact.name)`", at: "\(itemPath).name", label: "rename one")
            }
            if !columns.contains(impact.column), !isUnparsed(impact.column, path: path) {
                error(
                    "unknown column `\(impact.column)`", at: "\(itemPath).column",
                    label: Self.didYouMean(impact.column, columns), notes: Self.list("columns", columns))
            }
            checkEvents(impact.events, of: query, path: itemPath)
            checkReach(impact, of: query, path: itemPath)
            if impact.sinks.isEmpty, !isWritten("\(itemPath).sinks") {
                warn(
                    "what impact `\(impact.name)` finds goes nowhere", at: "\(itemPath).name", label: "add `sinks:`")
            }
        }
    }

    /// `before` and `after` must have room for windows, and not for too many.
    private mutating func checkReach(_ impact: ImpactDefinition, of query: QueryDefinition, path: String) {
        guard query.window.sizeMs > 0, query.window.slideMs > 0 else { return }
        var reachMs: Int64 = 0
        for key in ["before", "after"] {
            guard let ms = impact.events.durationMs(key) else { return }
            reachMs += ms
            if ms < query.window.sizeMs {
                error(
                    "no window of \(DurationText.compact(query.window.sizeMs)) lies within `\(key)`, "
                        + DurationText.compact(ms), at: isWritten("\(path).\(key)") ? "\(path).\(key)" : path,
                    label: "several windows make a mean worth having")
            }
        }
        if reachMs / query.window.slideMs > 10_000 {
            warn(
                "\(reachMs / query.window.slideMs) windows are kept for each key", at: path,
                label: "longer windows, or a shorter `before` and `after`, need less")
        }
    }

    /// Whether the columns of impacts hold numbers.
    mutating func checkImpactColumns(_ query: QueryDefinition, _ columns: [ColumnDescription], path: String) {
        for (index, impact) in query.impacts.enumerated() {
            guard let column = columns.first(where: { $0.name == impact.column }),
                !AnomalyCompiler.isNumeric(column)
            else { continue }
            error(
                "`\(impact.column)` is no column of numbers", at: "\(path).impacts.\(index).column",
                label: "means are of aggregates and derived columns")
        }
    }
}
