import StreamEngine

/// The members of a Kubernetes `Event` that we use: `v1` (`involvedObject`, `message`, `source`, `count`) and
/// `events.k8s.io/v1` (`regarding`, `note`, `deprecated…`) (Kubernetes API reference, "Event v1 core" and
/// "Event v1 events.k8s.io").
struct KubernetesEvent {
    /// One occurrence of an event that its object counts: the object is written anew each time, and may be read twice.
    struct Repetition: Hashable {
        let uid: ByteString
        let count: Int64
        let timestampMs: Int64
    }

    private var kind: JSONValue?
    private var involvedObject: JSONValue?
    private var type: JSONValue?
    private var reason: JSONValue?
    private var message: JSONValue?
    private var source: JSONValue?
    private var reportingComponent: JSONValue?
    private var reportingInstance: JSONValue?
    private var metadata: JSONValue?
    private var series: JSONValue?
    private var count: JSONValue?
    private var lastTimestamp: JSONValue?
    private var eventTime: JSONValue?

    mutating func take(_ key: JSONValue, _ value: JSONValue) {
        if JSONScanner.matches(key, "kind") {
            kind = value
        } else if JSONScanner.matches(key, "involvedObject") || JSONScanner.matches(key, "regarding") {
            involvedObject = value
        } else if JSONScanner.matches(key, "type") {
            type = value
        } else if JSONScanner.matches(key, "reason") {
            reason = value
        } else if JSONScanner.matches(key, "message") || JSONScanner.matches(key, "note") {
            message = value
        } else if JSONScanner.matches(key, "source") || JSONScanner.matches(key, "deprecatedSource") {
            source = value
        } else if JSONScanner.matches(key, "reportingComponent") || JSONScanner.matches(key, "reportingController") {
            reportingComponent = value
        } else if JSONScanner.matches(key, "reportingInstance") {
            reportingInstance = value
        } else if JSONScanner.matches(key, "metadata") {
            metadata = value
        } else if JSONScanner.matches(key, "series") {
            series = value
        } else if JSONScanner.matches(key, "count") || JSONScanner.matches(key, "deprecatedCount") {
            count = value
        } else if JSONScanner.matches(key, "lastTimestamp") || JSONScanner.matches(key, "deprecatedLastTimestamp") {
            lastTimestamp = value
        } else if JSONScanner.matches(key, "eventTime") {
            eventTime = value
        }
    }

    /// Whether this is a Kubernetes event rather than one in our own form.
    var isEvent: Bool {
        if let involvedObject, involvedObject.kind == .object { return true }
        guard let kind, kind.kind == .string else { return false }
        return JSONScanner.matches(kind, "Event")
    }

    /// The event as a row.
    func row() throws(DecodeFault) -> EventRow {
        let object = try members(involvedObject, "involvedObject", ["kind", "name", "namespace"])
        let meta = try members(metadata, "metadata", ["uid", "namespace", "creationTimestamp"])
        let origin = try members(source, "source", ["host", "component"])
        let repeated = try members(series, "series", ["count", "lastObservedTime"])
        var row = EventRow()
        row.type = try eventText(object[0], "involvedObject.kind")
        guard !row.type.isEmpty else { throw DecodeFault(.badName, "an Event needs `involvedObject.kind`") }
        row.reason = try eventText(reason, "reason")
        row.message = try eventText(message, "message")
        row.severity = Self.severity(try eventText(type, "type"))
        let name = try eventText(object[1], "involvedObject.name")
        row.object = ByteString(bytes: row.type.bytes + [UInt8(ascii: "/")] + name.bytes)
        var namespace = try eventText(object[2], "involvedObject.namespace")
        if namespace.isEmpty { namespace = try eventText(meta[1], "metadata.namespace") }
        var node = try eventText(origin[0], "source.host")
        if node.isEmpty, row.type == "Node" { node = name }
        if node.isEmpty {
            // Only a kubelet's instance is the name of its node; a controller's is that of its pod.
            let component = try eventText(reportingComponent, "reportingComponent")
            if component == "kubelet" { node = try eventText(reportingInstance, "reportingInstance") }
        }
        row.labels = [
            Label("kind", row.type), Label("name", name), Label("namespace", namespace), Label("node", node),
        ]
        for candidate in [lastTimestamp, eventTime, repeated[1], meta[2]] where row.timestampMs == nil {
            // Go writes the zero time of some clients as an empty string.
            if let candidate, candidate.kind == .string, candidate.end - candidate.start == 2 { continue }
            row.timestampMs = try JSONTime.read(candidate)
        }
        let uid = try eventText(meta[0], "metadata.uid")
        if !uid.isEmpty, let timestampMs = row.timestampMs {
            var times = try Self.integer(count, "count")
            if times == nil { times = try Self.integer(repeated[0], "series.count") }
            row.repetition = Repetition(uid: uid, count: times ?? 1, timestampMs: timestampMs)
        }
        return row
    }

    /// `Normal` and `Warning` as our own severities; anything else in lower case.
    private static func severity(_ type: ByteString) -> ByteString {
        if type == "Normal" { return "info" }
        return ByteString(bytes: type.bytes.map { $0 &- UInt8(ascii: "A") < 26 ? $0 | 0x20 : $0 })
    }

    /// The named members of an object, in that order; all nil where there is no object.
    private func members(
        _ value: JSONValue?, _ name: StaticString, _ names: [StaticString]
    ) throws(DecodeFault) -> [JSONValue?] {
        var found = [JSONValue?](repeating: nil, count: names.count)
        guard let value, value.kind != .null else { return found }
        guard value.kind == .object else {
            throw DecodeFault(.malformed, "`\(name)` is not an object: \(excerpt(value.start, value.end))")
        }
        var p = value.start
        try JSONScanner.members(&p, value.end) { (key, member) throws(DecodeFault) in
            for (index, name) in names.enumerated() where JSONScanner.matches(key, name) { found[index] = member }
        }
        return found
    }

    private static func integer(_ value: JSONValue?, _ name: StaticString) throws(DecodeFault) -> Int64? {
        guard let value, value.kind != .null else { return nil }
        var p = value.start
        guard value.kind == .number, case .milliseconds(let number) = DecimalTime.scanInteger(&p, value.end),
            p == value.end
        else { throw DecodeFault(.malformed, "`\(name)` is not a whole number: \(excerpt(value.start, value.end))") }
        // 0 is what clients write who do not count.
        return number == 0 ? nil : number
    }
}
