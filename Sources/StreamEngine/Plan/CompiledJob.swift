/// A job ready to run: its definition and what was decided from it.
public struct CompiledJob: Sendable {
    public let definition: JobDefinition
    /// In the job's order.
    public let queries: [QueryPlan]
    /// The input format of each source.
    public let formats: [String: any Format]

    /// A compiled job.
    public init(definition: JobDefinition, queries: [QueryPlan], formats: [String: any Format]) {
        self.definition = definition
        self.queries = queries
        self.formats = formats
    }

    /// The plans that read a source, in the job's order.
    public func plans(of source: String) -> [QueryPlan] { queries.filter { $0.source == source } }

    /// The broadcast sources that some detector or impact asks for events.
    public var contextSources: Set<String> {
        Set(queries.flatMap { $0.anomalies.flatMap { $0.contexts.map(\.source) } + $0.impacts.map(\.events.source) })
    }

    /// Bytes and event times a decoder of this source admits.
    public func decodeLimits(of source: SourceDefinition) -> DecodeLimits {
        var limits = DecodeLimits()
        limits.maxLabelsPerSeries = definition.limits.maxLabelsPerSeries
        limits.maxLineBytes = definition.limits.maxLineBytes
        limits.maxMessageBytes = definition.limits.maxMessageBytes
        for plan in plans(of: source.name) {
            let range = plan.window.timestampRangeMs(marginMs: plan.delayMs + plan.latenessMs)
            limits.timestampRangeMs =
                max(
                    limits.timestampRangeMs.lowerBound, range.lowerBound)...min(
                    limits.timestampRangeMs.upperBound, range.upperBound)
        }
        return limits
    }

    /// What the tasks of a source check and keep.
    public func taskOptions(of source: SourceDefinition) -> TaskOptions {
        TaskOptions(
            delayMs: source.watermark.delayMs,
            keyTTLMs: plans(of: source.name).map(\.keyTTLMs).max() ?? definition.limits.keyTTLMs,
            maxSeries: definition.limits.maxSeries, keepsBadRecords: definition.onBadRecord != .skip)
    }
}
