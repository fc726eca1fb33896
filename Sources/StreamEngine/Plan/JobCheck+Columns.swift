extension JobCheck {
    /// The columns every sample or event has.
    static func builtIn(_ kind: RecordKind) -> [String] {
        switch kind {
        case .samples: ["name", "value", "timestamp", "topic", "partition", "offset"]
        case .events: ["timestamp", "type", "reason", "severity", "object", "message"]
        }
    }

    func kind(of query: QueryDefinition) -> RecordKind? {
        job.source(query.from).flatMap { registries.format($0.format) }?.kind
    }

    /// The columns of a query's rows, in order; with `without` the labels are not known.
    func rowColumns(_ query: QueryDefinition) -> [String] {
        var columns = ["window_start", "window_end"]
        if case .by(let names) = query.grouping { columns += names }
        return columns + query.aggregates.map(\.name) + query.derive.map(\.name)
    }

    /// Whether a column was written but could not be read: something was said about it already.
    func isUnparsed(_ column: String, path: String) -> Bool {
        ["columns", "aggregates", "derive"].contains { isWritten("\(path).\($0).\(column)") }
    }

    /// A row's columns have one name each (JOBS.md "Columns").
    mutating func checkColumns(_ query: QueryDefinition, path: String) {
        let builtIn = kind(of: query).map(Self.builtIn) ?? []
        for column in query.columns where builtIn.contains(column.name) {
            error(
                "`\(column.name)` is a column of every record already", atKey: "\(path).columns.\(column.name)",
                label: "choose another name")
        }
        for (index, column) in query.columns.enumerated()
        where query.columns[..<index].contains(where: { $0.name == column.name }) {
            error("two columns are called `\(column.name)`", atKey: "\(path).columns.\(column.name)")
        }
        var taken: [String: String] = [
            "window_start": "the window's start", "window_end": "the window's end",
            "query": "the query's name, which rows carry",
        ]
        switch query.grouping {
        case .by(let names):
            for (index, name) in names.enumerated() {
                take(name, as: "a group key", at: "\(path).groupBy.\(index)", isKey: false, &taken)
            }
        case .without(let names):
            for (index, name) in names.enumerated() where names[..<index].contains(name) {
                error("`\(name)` is there twice", at: "\(path).without.\(index)")
            }
        }
        for aggregate in query.aggregates {
            take(aggregate.name, as: "an aggregate", at: "\(path).aggregates.\(aggregate.name)", isKey: true, &taken)
        }
        for column in query.derive {
            take(column.name, as: "a derived column", at: "\(path).derive.\(column.name)", isKey: true, &taken)
        }
    }

    private mutating func take(
        _ name: String, as what: String, at path: String, isKey: Bool, _ taken: inout [String: String]
    ) {
        if name.isEmpty {
            error("\(what) needs a name", atKey: path)
        } else if let owner = taken[name] {
            let message = "the column `\(name)` would be there twice: it is \(owner)"
            if isKey { error(message, atKey: path, label: "rename it") } else { error(message, at: path) }
        } else {
            taken[name] = what
        }
    }
}
