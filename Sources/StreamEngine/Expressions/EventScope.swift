/// The columns of an event (JOBS.md): timestamp, type, reason, severity, object, message, what the query defines under
/// `columns`, and any other name as a label.
public struct EventScope: ColumnScope, Sendable {
    /// The slots of the columns every event has; labels follow.
    public enum Slot {
        /// Event time in ms, Int64 of each row.
        public static let timestamp = 0
        /// Text of each row.
        public static let message = 1
        /// `ClusterScaling` …, text.
        public static let type = 2
        /// `ScaleUp` …, text.
        public static let reason = 3
        /// `info`, `warning` …, text.
        public static let severity = 4
        /// What it happened to, text.
        public static let object = 5
        /// The slot of the first label met.
        public static let firstLabel = 6
    }

    /// The labels met, in order: label i has the slot `Slot.firstLabel + i`.
    public private(set) var labels: [ByteString] = []
    private var definitions: [ByteString: CompiledExpression] = [:]

    /// A scope without labels or definitions yet.
    public init() {}

    /// The names of the columns every event has.
    public static let builtIn = ["timestamp", "type", "reason", "severity", "object", "message"]

    /// Adds a column the query defines; later expressions may use it.
    public mutating func define(_ name: String, _ expression: CompiledExpression) {
        definitions[ByteString(name)] = expression
    }

    public mutating func meaning(of reference: ColumnReference) -> ColumnMeaning? {
        if !reference.isLabel {
            if let definition = definitions[reference.name] { return .definition(definition) }
            switch reference.name {
            case "timestamp":
                return .column(ColumnSlot(slot: Slot.timestamp, type: .number, dependence: .perRow, isInteger: true))
            case "message": return .column(ColumnSlot(slot: Slot.message, type: .string, dependence: .perRow))
            case "type": return .column(ColumnSlot(slot: Slot.type, type: .string, dependence: .perSeries))
            case "reason": return .column(ColumnSlot(slot: Slot.reason, type: .string, dependence: .perSeries))
            case "severity": return .column(ColumnSlot(slot: Slot.severity, type: .string, dependence: .perSeries))
            case "object": return .column(ColumnSlot(slot: Slot.object, type: .string, dependence: .perSeries))
            default: break
            }
        }
        return .column(ColumnSlot(slot: slot(ofLabel: reference.name), type: .string, dependence: .perSeries))
    }

    /// The slot of a label, given now if it has none yet.
    public mutating func slot(ofLabel name: ByteString) -> Int {
        let index = labels.firstIndex(of: name) ?? labels.endIndex
        if index == labels.endIndex { labels.append(name) }
        return Slot.firstLabel + index
    }

    public var columnNames: [String] { Self.builtIn + definitions.keys.map(\.description).sorted() }
}
