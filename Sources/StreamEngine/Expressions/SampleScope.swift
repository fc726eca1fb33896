/// The columns of a sample (JOBS.md): name, value, timestamp, topic, partition, offset, what the query defines under
/// `columns`, and any other name as a label.
public struct SampleScope: ColumnScope, Sendable {
    /// The slots of the columns every sample has; labels follow.
    public enum Slot {
        /// The metric name, text.
        public static let name = 0
        /// The value, a double of each row.
        public static let value = 1
        /// Event time in ms, Int64 of each row.
        public static let timestamp = 2
        /// The Kafka topic, text.
        public static let topic = 3
        /// The partition, a number, the same for a whole task.
        public static let partition = 4
        /// The record's offset, Int64 of each row.
        public static let offset = 5
        /// The slot of the first label met.
        public static let firstLabel = 6
    }

    /// The labels met, in order: label i has the slot `Slot.firstLabel + i`.
    public private(set) var labels: [ByteString] = []
    private var definitions: [ByteString: CompiledExpression] = [:]

    /// A scope without labels or definitions yet.
    public init() {}

    /// The names of the columns every sample has.
    public static let builtIn = ["name", "value", "timestamp", "topic", "partition", "offset"]

    /// Adds a column the query defines; later expressions may use it. It hides a label of its name (`labels.X` still
    /// reaches that).
    public mutating func define(_ name: String, _ expression: CompiledExpression) {
        definitions[ByteString(name)] = expression
    }

    public mutating func meaning(of reference: ColumnReference) -> ColumnMeaning? {
        if !reference.isLabel {
            if let definition = definitions[reference.name] { return .definition(definition) }
            switch reference.name {
            case "name": return .column(ColumnSlot(slot: Slot.name, type: .string, dependence: .perSeries))
            case "value": return .column(ColumnSlot(slot: Slot.value, type: .number, dependence: .perRow))
            case "timestamp":
                return .column(ColumnSlot(slot: Slot.timestamp, type: .number, dependence: .perRow, isInteger: true))
            case "topic": return .column(ColumnSlot(slot: Slot.topic, type: .string, dependence: .perSeries))
            case "partition": return .column(ColumnSlot(slot: Slot.partition, type: .number, dependence: .perSeries))
            case "offset":
                return .column(ColumnSlot(slot: Slot.offset, type: .number, dependence: .perRow, isInteger: true))
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
