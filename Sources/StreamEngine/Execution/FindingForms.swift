/// The forms in which sinks take what was found in a query's rows: a detector's flags, the impacts of events.
public enum FindingForm: Sendable {
    /// A JSON document each.
    case document
    /// A line for people each.
    case line
    /// Rows of one fixed schema.
    case table
}

/// How findings of one kind are written in each form; the first argument is the job's name.
public struct FindingForms<Finding> {
    /// The JSON bytes, and the key in Kafka.
    public var document: (String, Finding) -> (document: [UInt8], key: [UInt8])
    /// The line, without its end.
    public var line: (Finding) -> String
    /// Rows, all of one schema.
    public var table: (String, [Finding]) -> RowBatch

    /// Forms of a kind of findings.
    public init(
        document: @escaping (String, Finding) -> (document: [UInt8], key: [UInt8]), line: @escaping (Finding) -> String,
        table: @escaping (String, [Finding]) -> RowBatch
    ) {
        self.document = document
        self.line = line
        self.table = table
    }

    /// Documents only, for sinks that take nothing else.
    public init(document: @escaping (String, Finding) -> (document: [UInt8], key: [UInt8])) {
        self.init(
            document: document, line: { String(decoding: document("", $0).document, as: UTF8.self) },
            table: { _, _ in RowBatch(schema: RowSchema(columns: []), rowCount: 0, columns: []) })
    }

    /// Writes findings to each sink in the form it takes.
    func write(_ findings: [Finding], to sinks: [any Sink], job: String, _ info: EmissionInfo) throws(SinkError) {
        var documents: DocumentBatch?
        var lines: DocumentBatch?
        for sink in sinks {
            switch sink.findingForm {
            case .document:
                let batch = documents ?? makeDocuments(findings, job)
                documents = batch
                try sink.write(batch, info)
            case .line:
                let batch = lines ?? DocumentBatch(documents: findings.map { Array(line($0).utf8) })
                lines = batch
                try sink.write(batch, info)
            case .table: try sink.write(table(job, findings), info)
            }
        }
    }

    private func makeDocuments(_ findings: [Finding], _ job: String) -> DocumentBatch {
        let encoded = findings.map { document(job, $0) }
        return DocumentBatch(documents: encoded.map(\.document), keys: encoded.map(\.key))
    }
}
