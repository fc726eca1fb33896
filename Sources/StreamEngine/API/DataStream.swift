/// A stream of samples or events before it is grouped. Every method gives a new value; what is wrong is gathered and told
/// when the query starts.
public struct DataStream: Sendable {
    let engine: Engine
    let kafka: KafkaConnection
    var source: SourceDefinition
    var select: SeriesSelector?
    var columns: [NamedExpression] = []
    var `where`: Expression?
    var findings: [Diagnostic] = []

    init(engine: Engine, kafka: KafkaConnection, source: SourceDefinition) {
        self.engine = engine
        self.kafka = kafka
        self.source = source
    }

    /// How long out-of-order samples are waited for; nil for `idleTimeout` or `maxFutureSkew` is `off`.
    public func withWatermark(
        delay: Duration, idleTimeout: Duration? = .seconds(30), maxFutureSkew: Duration? = .minutes(5)
    ) -> DataStream {
        var next = self
        next.source.watermark.delayMs = delay.wholeMs
        next.source.watermark.idleTimeoutMs = idleTimeout?.wholeMs
        next.source.watermark.maxFutureSkewMs = maxFutureSkew?.wholeMs
        return next
    }

    /// The labels (or `topic`, `partition`) by which the producer partitions.
    public func partitionedBy(_ labels: String...) -> DataStream {
        var next = self
        next.source.partitionedBy = labels
        return next
    }

    /// Keeps the series that a PromQL selector matches.
    public func select(_ selector: String) -> DataStream {
        var next = self
        next.select = next.findings.parse(selector, "select") { (text) throws(ExpressionError) in
            try SeriesSelector.parse(text)
        }
        return next
    }

    /// Adds a column; later columns, `where` and `groupBy` may use it.
    public func withColumn(_ name: String, _ expression: String) -> DataStream {
        var next = self
        if let parsed = next.findings.expression(expression, "columns.\(name)") {
            next.columns.append(NamedExpression(name, parsed))
        }
        return next
    }

    /// Adds columns, in this order.
    public func columns(_ columns: KeyValuePairs<String, String>) -> DataStream {
        columns.reduce(self) { $0.withColumn($1.key, $1.value) }
    }

    /// Keeps the rows for which a condition holds; the last call counts.
    public func `where`(_ condition: String) -> DataStream {
        var next = self
        next.where = next.findings.expression(condition, "where")
        return next
    }

    /// Windows of event time, by labels or columns; without any, one global group.
    public func groupBy(_ window: WindowDefinition, _ keys: String...) -> GroupedStream {
        GroupedStream(stream: self, window: window, grouping: .by(keys))
    }

    /// Windows of event time, by all labels but these and the metric name.
    public func groupBy(_ window: WindowDefinition, without labels: [String]) -> GroupedStream {
        GroupedStream(stream: self, window: window, grouping: .without(labels))
    }
}

extension WindowDefinition {
    /// Windows of `size`, tumbling unless `slide` says otherwise.
    public static func window(size: Duration, slide: Duration? = nil, offset: Duration = .zero) -> WindowDefinition {
        WindowDefinition(sizeMs: size.wholeMs, slideMs: slide?.wholeMs, offsetMs: offset.wholeMs)
    }
}

/// A stream cut into windows and groups.
public struct GroupedStream: Sendable {
    let stream: DataStream
    let window: WindowDefinition
    let grouping: GroupingDefinition

    /// The columns to compute, in order.
    public func agg(_ columns: AggregateColumn...) -> AggregatedStream {
        var result = AggregatedStream(self)
        for column in columns {
            let call = result.findings.parse(column.text, "aggregates.\(column.name)") {
                (text) throws(ExpressionError) in
                try AggregateCall.parse(text)
            }
            if let call { result.query.aggregates.append(NamedAggregate(column.name, call)) }
        }
        return result
    }
}

/// A stream of result rows.
public struct AggregatedStream: Sendable {
    let engine: Engine
    let kafka: KafkaConnection
    let source: SourceDefinition
    var query: QueryDefinition
    var findings: [Diagnostic]

    init(_ grouped: GroupedStream) {
        let stream = grouped.stream
        engine = stream.engine
        kafka = stream.kafka
        source = stream.source
        findings = stream.findings
        query = QueryDefinition(name: "", from: stream.source.name, window: grouped.window)
        query.select = stream.select
        query.columns = stream.columns
        query.where = stream.where
        query.grouping = grouped.grouping
    }

    /// Adds a column computed from the row's.
    public func derive(_ name: String, _ expression: String) -> AggregatedStream {
        var next = self
        if let parsed = next.findings.expression(expression, "derive.\(name)") {
            next.query.derive.append(NamedExpression(name, parsed))
        }
        return next
    }

    /// Keeps the rows for which a condition holds; the last call counts.
    public func having(_ condition: String) -> AggregatedStream {
        var next = self
        next.query.having = next.findings.expression(condition, "having")
        return next
    }

    /// How long windows stay open behind the watermark.
    public func allowedLateness(_ lateness: Duration) -> AggregatedStream {
        var next = self
        next.query.allowedLatenessMs = lateness.wholeMs
        return next
    }

    /// Where the rows go.
    public var writeStream: StreamWriter { StreamWriter(self) }
}

extension [Diagnostic] {
    mutating func expression(_ text: String, _ path: String) -> Expression? {
        parse(text, path) { (text) throws(ExpressionError) in try ExpressionParser.parse(text) }
    }

    mutating func parse<T>(_ text: String, _ path: String, _ parse: (String) throws(ExpressionError) -> T) -> T? {
        do throws(ExpressionError) {
            return try parse(text)
        } catch {
            append(Diagnostic("\(error.message) in `\(text)`", path: path, label: error.hint ?? ""))
            return nil
        }
    }
}
