/// The labels of a series, and the partition it came from, as expressions see them.
public struct SeriesRow: ExpressionRow {
    let labels: SeriesLabels
    let context: RowContext

    /// A series of `context`'s partition.
    public init(_ labels: SeriesLabels, _ context: RowContext) {
        self.labels = labels
        self.context = context
    }

    public func value(slot: Int) -> Value { context.seriesValue(slot, labels) }
}

/// What the slots of a query's sample expressions stand for, over one partition.
public struct RowContext: Sendable {
    private let kind: RecordKind
    /// Label names by slot, from the first label's slot on.
    private let labels: [ByteString]
    private let topic: Value
    private let partition: Value

    /// The slots of `plan` over the samples of `partition`.
    public init(plan: QueryPlan, partition id: PartitionID) {
        kind = plan.sourceKind
        labels = plan.labelSlots
        topic = .text(ByteString(id.topic))
        partition = .number(Double(id.partition))
    }

    /// Labels in the order of their slots, over events of any partition.
    init(eventLabels labels: [ByteString]) {
        kind = .events
        self.labels = labels
        topic = .null
        partition = .null
    }

    /// A value every sample of a series shares; null for what differs from row to row.
    func seriesValue(_ slot: Int, _ series: SeriesLabels) -> Value {
        switch kind {
        case .samples:
            switch slot {
            case SampleScope.Slot.name: return series.name.isEmpty ? .null : .text(series.name)
            case SampleScope.Slot.topic: return topic
            case SampleScope.Slot.partition: return partition
            case SampleScope.Slot.firstLabel...: return label(labels[slot - SampleScope.Slot.firstLabel], series)
            default: return .null
            }
        case .events:
            switch slot {
            case EventScope.Slot.type: return label(EventColumn.type, series)
            case EventScope.Slot.reason: return label(EventColumn.reason, series)
            case EventScope.Slot.severity: return label(EventColumn.severity, series)
            case EventScope.Slot.object: return label(EventColumn.object, series)
            case EventScope.Slot.firstLabel...:
                let name = labels[slot - EventScope.Slot.firstLabel]
                return label(EventColumn.all.contains(name) ? EventColumn.ownLabel(name) : name, series)
            default: return .null
            }
        }
    }

    /// The value of one row.
    public func rowValue(_ slot: Int, _ batch: SampleBatch, _ row: Int, _ series: SeriesDictionary) -> Value {
        switch (kind, slot) {
        case (.samples, SampleScope.Slot.value): return .number(batch.values[row])
        case (.samples, SampleScope.Slot.timestamp), (.events, EventScope.Slot.timestamp):
            return .number(Double(batch.timestamps[row]))
        case (.samples, SampleScope.Slot.offset): return .number(Double(batch.position(of: row).offset))
        case (.events, EventScope.Slot.message):
            // An event without a message: null, as any text that is missing.
            guard row < batch.messages.count, !batch.messages[row].isEmpty else { return .null }
            return .text(batch.messages[row])
        default:
            guard let labels = series.labels(of: batch.series[row]) else { return .null }
            return seriesValue(slot, labels)
        }
    }

    /// A batch's column as the input of a column program.
    public enum BatchColumn: Sendable {
        case value, timestamp
    }

    /// The batch's columns that an expression's program reads, in the order of its inputs; nil when it reads something that
    /// a batch does not hold as a column, or has no program.
    public func columns(of expression: CompiledExpression) -> [BatchColumn]? {
        guard let program = expression.vectorProgram else { return nil }
        var columns: [BatchColumn] = []
        for slot in program.inputSlots {
            switch (kind, slot) {
            case (.samples, SampleScope.Slot.value): columns.append(.value)
            case (.samples, SampleScope.Slot.timestamp), (.events, EventScope.Slot.timestamp):
                columns.append(.timestamp)
            default: return nil
            }
        }
        return columns
    }

    private func label(_ name: ByteString, _ series: SeriesLabels) -> Value {
        series.value(of: name).map { .text($0) } ?? .null
    }
}

/// One sample or event of a batch, as expressions see it.
public struct BatchRow: ExpressionRow {
    let batch: SampleBatch
    let row: Int
    let series: SeriesDictionary
    let context: RowContext

    /// Row `row` of `batch`.
    public init(_ batch: SampleBatch, _ row: Int, _ series: SeriesDictionary, _ context: RowContext) {
        self.batch = batch
        self.row = row
        self.series = series
        self.context = context
    }

    public func value(slot: Int) -> Value { context.rowValue(slot, batch, row, series) }
}

/// The columns of an event that its series carries as labels.
public enum EventColumn {
    public static let type: ByteString = "type"
    public static let reason: ByteString = "reason"
    public static let severity: ByteString = "severity"
    public static let object: ByteString = "object"
    public static let all: Set<ByteString> = [type, reason, severity, object]

    /// Under which name an event's own label is kept that is called like a column: `labels.type`.
    public static func ownLabel(_ name: ByteString) -> ByteString { ByteString("labels.\(name)") }
}
