/// Rows that aggregates are fed with: an argument over the rows that pass a filter. Aggregates with the same argument and
/// filter share one input and its states.
public struct AggregateInput: Sendable {
    /// What is aggregated.
    public enum Argument: Sendable {
        /// Nothing: rows are counted.
        case none
        /// The sample's own value, straight from the column.
        case value
        case number(CompiledExpression)
        case text(CompiledExpression)
    }

    public let argument: Argument
    /// The aggregate's own `where`; nil for every row.
    public let filter: CompiledExpression?
}

/// One state column of a query's panes.
public struct StatePlan: Sendable {
    /// Index into `QueryPlan.inputs`.
    public let input: Int
    public let kind: StateKind
}

/// Samples kept for per-series functions: the values of an argument, for the rows that pass a per-row filter.
public struct LogPlan: Sendable {
    public let argument: AggregateInput.Argument
    /// Only the part of a filter that differs from sample to sample; what a series decides is looked at when the window is
    /// evaluated.
    public let filter: CompiledExpression?
}

/// One aggregate column of a query's rows.
public struct OutputAggregate: Sendable {
    /// How its cells come about.
    public enum Source: Sendable {
        /// From states of the panes; indices into `QueryPlan.states`.
        case states(any Aggregate, [Int])
        /// A per-series function over a log (index into `QueryPlan.logs`), then an aggregate over the group's series.
        case perSeries(log: Int, any SeriesFunction, any Aggregate, seriesFilter: CompiledExpression?)
        /// A per-series function over a log, then an aggregate over the buckets of a histogram.
        case buckets(log: Int, any SeriesFunction, any BucketAggregate, seriesFilter: CompiledExpression?)
    }

    public let name: String
    public let source: Source

    /// The type of its cells.
    public var type: ColumnType {
        switch source {
        case .states(let aggregate, _), .perSeries(_, _, let aggregate, _): aggregate.resultType
        case .buckets: .double
        }
    }
}

/// One column of the group key.
public struct KeyColumn: Sendable {
    public let name: String
    public let expression: CompiledExpression
    /// Whether its numbers are whole: `partition`, `offset`, `timestamp`.
    public let isInteger: Bool

    /// The type of its cells.
    public var columnType: ColumnType { isInteger ? .int64 : ColumnType(expression.type) }
}

/// How rows are grouped.
public enum GroupingPlan: Sendable {
    case by([KeyColumn])
    /// The labels left out; the metric name is left out too.
    case without(Set<ByteString>)

    /// How many cells each key has; nil where keys carry labels of their own.
    var columnCount: Int? {
        switch self {
        case .by(let columns): columns.count
        case .without: nil
        }
    }
}

/// A query ready to run: everything decided that does not depend on data. The same whether it came from YAML or from the
/// Swift API.
public struct QueryPlan: Sendable {
    public let name: String
    public let source: String
    public let sourceKind: RecordKind
    public let window: WindowSpec
    public let latenessMs: Int64
    /// The source's watermark delay.
    public let delayMs: Int64
    /// Keys and series unseen for so long are forgotten; at least a window with its lateness and delay.
    public let keyTTLMs: Int64
    public let outputMode: OutputMode
    public let partitionedBy: [String]
    /// Why the query is not partition-local; nil when it is (DESIGN §1).
    public let notPartitionLocal: String?
    public let keepsLateSamples: Bool
    public let selector: SeriesSelector?
    /// The part of `where` that a series decides once.
    public let seriesFilter: CompiledExpression?
    /// The part of `where` that differs from row to row.
    public let rowFilter: CompiledExpression?
    public let grouping: GroupingPlan
    public let inputs: [AggregateInput]
    public let states: [StatePlan]
    public let logs: [LogPlan]
    public let outputs: [OutputAggregate]
    /// Derived columns, each over the columns before it.
    public let derived: [DerivedColumn]
    public let having: CompiledExpression?
    /// Columns of the rows; with `without` the key columns are known only from data and stand nowhere here.
    public let schema: RowSchema
    /// The labels that sample expressions read, in the order of their slots.
    public let labelSlots: [ByteString]

    /// The detectors on its rows, in the job's order.
    public var anomalies: [AnomalyPlan] = []
    /// What events do to its rows, in the job's order.
    public var impacts: [ImpactPlan] = []

    /// A column computed from a row.
    public struct DerivedColumn: Sendable {
        public let name: String
        public let expression: CompiledExpression
    }

    /// Whether windows are never closed (complete mode: nothing is late, state only grows).
    public var neverCloses: Bool { outputMode == .complete }
    /// Whether panes remember what changed since the last trigger.
    public var tracksChanges: Bool { outputMode == .update }
    /// Whether a window is emitted by its own partition's watermark in a live run.
    public var isPartitionLocal: Bool { notPartitionLocal == nil }
    /// Whether every column comes from per-series functions: then a group none of whose series has a value has no row.
    public var hasOnlySeriesFunctions: Bool {
        !outputs.isEmpty
            && outputs.allSatisfy {
                if case .states = $0.source { return false }
                return true
            }
    }

    /// Whether rows of one series may belong to different groups.
    public var keysDifferByRow: Bool {
        if case .by(let columns) = grouping { return columns.contains { $0.expression.dependence == .perRow } }
        return false
    }

    /// Where the columns of `schema`, as `derive` and `having` know them, stand in a batch's columns (with `without` a
    /// batch has its own key columns in between).
    func resultSlots(in batch: RowSchema) -> [Int] {
        var places: [String: Int] = [:]
        for (index, column) in batch.columns.enumerated() where column.role != .key || places[column.name] == nil {
            places[column.name] = index
        }
        return schema.columns.map { places[$0.name] ?? 0 }
    }

    /// The labels that are the key's columns, in their order, nil standing for the metric name; nil where some column is
    /// anything but a label of samples.
    public var keyLabels: [ByteString?]? {
        guard case .by(let columns) = grouping, sourceKind == .samples else { return nil }
        var labels: [ByteString?] = []
        for column in columns {
            switch column.expression.onlySlot {
            case SampleScope.Slot.name?: labels.append(nil)
            case let slot? where slot >= SampleScope.Slot.firstLabel:
                labels.append(labelSlots[slot - SampleScope.Slot.firstLabel])
            default: return nil
            }
        }
        return labels
    }

    /// A key for messages: `node="a",mode="user"`.
    public func describe(_ key: GroupKey) -> String {
        var names: [String] = []
        if case .by(let columns) = grouping { names = columns.map(\.name) }
        return key.cells.enumerated().map { index, cell in
            switch cell {
            case .missing: "\(names[index])=null"
            case .text(let text): "\(names[index])=\"\(text)\""
            case .number(let bits): "\(names[index])=\(Double(bitPattern: bits))"
            case .label(let label): "\(label.name)=\"\(label.value)\""
            }
        }.joined(separator: ",")
    }
}
