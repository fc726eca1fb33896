/// What to say when a limit is reached: which metric and which label grew (SEMANTICS §6).
enum LimitMessage {
    /// `maxSeries` is reached at the series `refused`.
    static func tooManySeries(_ task: PartitionTask, refused: SeriesLabels) -> String {
        var valuesOfLabel: [ByteString: Set<ByteString>] = [:]
        var count = 0
        for index in 0..<task.series.indexBound {
            guard let labels = task.series.labels(of: UInt32(index)), labels.name == refused.name else { continue }
            count += 1
            for label in labels.labels { valuesOfLabel[label.name, default: []].insert(label.value) }
        }
        let widest = valuesOfLabel.max { ($0.value.count, $1.key) < ($1.value.count, $0.key) }
        let label = widest.map { " (label \($0.key) has \($0.value.count) values)" } ?? ""
        return """
            \(task.id): more than limits.maxSeries = \(task.series.maxSeries) series; metric \(refused.name) has \
            \(count) of them\(label), the next one was \(refused). Drop that label at the producer, raise \
            limits.maxSeries, shorten limits.keyTTL, or set limits.onLimit: drop to count such samples and go on.
            """
    }
}
