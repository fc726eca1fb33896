/// One thing wrong (or doubtful) with a job: what, where, and what to do.
public struct Diagnostic: Error, Sendable, Hashable {
    /// How bad it is.
    public enum Severity: String, Sendable {
        case error
        case warning
    }

    public var severity: Severity
    /// What is wrong, one line, without a full stop.
    public var message: String
    /// The key's place in the job, such as `queries.cpu.window.slide`; empty for the job as a whole.
    public var path: String
    /// Where in the file; nil for a job built in Swift.
    public var span: SourceSpan?
    /// Said beside the carets: what to do, or what was expected.
    public var label: String
    /// Lines below, such as a list of what exists.
    public var notes: [String]

    /// A finding.
    public init(
        _ severity: Severity, _ message: String, path: String = "", span: SourceSpan? = nil,
        label: String = "", notes: [String] = []
    ) {
        self.severity = severity
        self.message = message
        self.path = path
        self.span = span
        self.label = label
        self.notes = notes
    }

    /// An error.
    public init(
        _ message: String, path: String = "", span: SourceSpan? = nil, label: String = "", notes: [String] = []
    ) {
        self.init(.error, message, path: path, span: span, label: label, notes: notes)
    }

    /// One line, for logs and for jobs built in Swift.
    public var oneLine: String {
        let place = span?.place ?? path
        let head = place.isEmpty ? message : "\(place): \(message)"
        return label.isEmpty ? head : "\(head) (\(label))"
    }
}

/// Where each key of a job was written, by path, for checks that come after parsing.
public struct OptionPositions: Sendable {
    /// One key's places.
    public struct Place: Sendable {
        public var key: SourceSpan?
        public var value: SourceSpan?
        public var map: TextMap?
    }

    private var places: [String: Place] = [:]

    /// No places: a job built in Swift.
    public init() {}

    /// Whether no place is known at all.
    public var isEmpty: Bool { places.isEmpty }

    /// Notes where the key at `path` stands.
    public mutating func note(_ path: String, key: SourceSpan?, value: OptionNode) {
        places[path] = Place(key: key, value: value.span, map: value.scalar?.map)
    }

    /// The keys written right under `path`, in order of their bytes. O(keys).
    public func names(under path: String) -> [String] {
        places.keys.filter { $0.hasPrefix("\(path).") }.map { String($0.dropFirst(path.count + 1)) }.sorted()
    }

    /// The places of a key, nil when it was not written.
    public func place(_ path: String) -> Place? { places[path] }

    /// Where the value of `path` stands, or else the nearest key above it.
    public func span(_ path: String) -> SourceSpan? { nearest(path) { $0.value ?? $0.key } }

    /// Where the key of `path` stands, or else the nearest above it.
    public func keySpan(_ path: String) -> SourceSpan? { nearest(path) { $0.key ?? $0.value } }

    /// Where bytes of the text at `path` stand.
    public func span(_ path: String, offset: Int, length: Int) -> SourceSpan? {
        places[path]?.map?.span(offset: offset, length: length) ?? span(path)
    }

    private func nearest(_ path: String, _ pick: (Place) -> SourceSpan?) -> SourceSpan? {
        var path = Substring(path)
        while true {
            if let place = places[String(path)], let span = pick(place) { return span }
            guard let dot = path.lastIndex(of: ".") else { return places[""].flatMap(pick) }
            path = path[..<dot]
        }
    }
}
