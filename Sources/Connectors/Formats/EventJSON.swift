import Platform
import StreamEngine

/// Cluster events as JSON: the native form of JOBS.md "Formats", and Kubernetes `Event` objects as they are.
///
/// An event is carried as a sample of value 1 and of a series without a name, whose labels are the event's own and the
/// columns `type`, `reason`, `severity` and `object`; a label of its own called like one of these columns becomes
/// `labels.type` and so on. The message text stands beside it in `SampleBatch.messages`.
public struct EventJSONFormat: Format {
    /// The format; it has no options.
    public init() {}

    public var name: String { "event-json" }
    public var summary: String { "cluster events as JSON: our own form, or Kubernetes Event objects as they are" }
    public var kind: RecordKind { .events }

    public func makeDecoder(limits: DecodeLimits) -> any RecordDecoder {
        JSONDecoder(limits: limits, element: EventJSONElement(maxLabels: limits.maxLabelsPerSeries))
    }
}

/// One event before it is interned.
struct EventRow {
    /// nil where the event has no time of its own.
    var timestampMs: Int64?
    var type: ByteString = .empty
    var reason: ByteString = .empty
    var severity: ByteString = .empty
    var object: ByteString = .empty
    var message: ByteString = .empty
    /// Labels of its own, not yet renamed.
    var labels: [Label] = []
    /// What tells a Kubernetes event's repetition from the same object seen again; nil for native events.
    var repetition: KubernetesEvent.Repetition?
}

/// One event object, of either form.
struct EventJSONElement: JSONElement {
    /// The columns that labels may not take the name of.
    static let columns: [ByteString] = ["type", "reason", "severity", "object"]

    struct Fields {
        var native = NativeEvent()
        var kubernetes = KubernetesEvent()
    }

    private let maxLabels: Int
    private var repetitions = EventRepetitions()

    init(maxLabels: Int) {
        self.maxLabels = maxLabels
    }

    func encodeState(to writer: inout ByteWriter) { repetitions.encode(to: &writer) }
    mutating func decodeState(from reader: inout ByteReader) throws(DecodingFailure) {
        try repetitions.decode(from: &reader)
    }

    mutating func begin(_ record: RawRecord) {
        repetitions.begin(record.offset)
    }

    mutating func parse(_ at: inout BytePointer, _ end: BytePointer) throws(DecodeFault) -> Fields {
        var fields = Fields()
        try JSONScanner.members(&at, end) { (key, value) throws(DecodeFault) in
            fields.native.take(key, value)
            fields.kubernetes.take(key, value)
        }
        return fields
    }

    mutating func accept(
        _ fields: Fields, place: Int, _ context: RecordContext, _ series: SeriesDictionary, _ batch: SampleBatch
    ) throws(DecodeFault) {
        let row = fields.kubernetes.isEvent ? try fields.kubernetes.row() : try fields.native.row()
        try ExpositionSeries.check(row.labels, maxLabels: maxLabels)
        let timestampMs = try context.eventTime(row.timestampMs)
        let offset = context.record.linesAreRecords ? context.record.offset + Int64(place) - 1 : context.record.offset
        if let repetition = row.repetition, !repetitions.isNew(repetition, offset) {
            throw DecodeFault(
                .duplicateEvent,
                "event \(repetition.uid) was read before with count \(repetition.count) and the same time")
        }
        var labels = row.labels.map { label in
            Self.columns.contains(label.name) ? Label(ByteString("labels.\(label.name)"), label.value) : label
        }
        for (name, value) in zip(Self.columns, [row.type, row.reason, row.severity, row.object]) {
            labels.append(Label(name, value))
        }
        batch.append(
            series: series.index(of: SeriesLabels(name: .empty, labels: labels)), timestampMs: timestampMs, value: 1,
            place: UInt32(truncatingIfNeeded: place))
        batch.messages.append(row.message)
    }
}

/// The members of an event in our own form.
struct NativeEvent {
    private var timestamp: JSONValue?
    private var type: JSONValue?
    private var reason: JSONValue?
    private var severity: JSONValue?
    private var object: JSONValue?
    private var message: JSONValue?
    private var labels: JSONValue?

    mutating func take(_ key: JSONValue, _ value: JSONValue) {
        if JSONScanner.matches(key, "timestamp") {
            timestamp = value
        } else if JSONScanner.matches(key, "type") {
            type = value
        } else if JSONScanner.matches(key, "reason") {
            reason = value
        } else if JSONScanner.matches(key, "severity") {
            severity = value
        } else if JSONScanner.matches(key, "object") {
            object = value
        } else if JSONScanner.matches(key, "message") {
            message = value
        } else if JSONScanner.matches(key, "labels") {
            labels = value
        }
    }

    /// The event; it must have a type.
    func row() throws(DecodeFault) -> EventRow {
        var row = EventRow()
        row.type = try eventText(type, "type")
        guard !row.type.isEmpty else { throw DecodeFault(.badName, "an event needs a `type`") }
        row.reason = try eventText(reason, "reason")
        row.severity = try eventText(severity, "severity")
        row.object = try eventText(object, "object")
        row.message = try eventText(message, "message")
        if let labels, labels.kind != .null {
            guard labels.kind == .object else {
                throw DecodeFault(.badLabel, "`labels` is not an object: \(excerpt(labels.start, labels.end))")
            }
            var p = labels.start
            try JSONScanner.members(&p, labels.end) { (key, value) throws(DecodeFault) in
                let name = key.text
                guard !name.isEmpty else { throw DecodeFault(.badLabel, "a label's name is empty") }
                guard value.kind == .string else {
                    throw DecodeFault(
                        .badLabel, "the value of label `\(name)` is not a string: \(excerpt(value.start, value.end))")
                }
                row.labels.append(Label(name, value.text))
            }
        }
        row.timestampMs = try JSONTime.read(timestamp)
        return row
    }
}

/// The text of a member; empty for `null` and where there is none.
func eventText(_ value: JSONValue?, _ name: StaticString) throws(DecodeFault) -> ByteString {
    guard let value, value.kind != .null else { return .empty }
    guard value.kind == .string else {
        throw DecodeFault(.malformed, "`\(name)` is not a string: \(excerpt(value.start, value.end))")
    }
    return value.text
}
