extension JobCheck {
    /// Names and types in every expression of a query.
    mutating func checkExpressions(_ query: QueryDefinition, path: String) {
        guard let kind = kind(of: query) else { return }
        for aggregate in query.aggregates {
            _ = checkCall(aggregate, kind: kind, path: "\(path).aggregates.\(aggregate.name)")
        }
    }
}
