/// How the job of today differs from the one that left a checkpoint, query by query (SEMANTICS §5).
///
/// State survives what does not change its meaning: queries, sinks and detectors that come and go, what is computed behind
/// the windows, how long a silence is waited for. It does not survive another key, window or aggregate, nor anything else
/// that decides which samples are in a window.
public struct JobDifference: Sendable {
    /// One thing that changed.
    public struct Item: Sendable, Equatable, CustomStringConvertible {
        /// `query cpu`, `source metrics`, `query cpu, anomaly high`.
        public let subject: String
        /// `window 5m → 10m`.
        public let change: String
        /// Whether the state can be used all the same.
        public let isCompatible: Bool

        /// `query cpu: window 5m → 10m`.
        public var description: String { "\(subject): \(change)" }
    }

    public private(set) var items: [Item] = []
    /// Queries that the checkpoint knows nothing of: they start empty at the committed offsets, so that their first windows
    /// are incomplete.
    public private(set) var newQueries: [String] = []
    /// Queries whose state is of no use any more.
    public private(set) var removedQueries: [String] = []

    /// What keeps the state from being used.
    public var incompatible: [Item] { items.filter { !$0.isCompatible } }

    /// Compares what the checkpoint was made by with the job of today.
    public init(checkpoint: JobIdentity, present: JobIdentity) {
        pair(checkpoint.sources, present.sources, subject: "source") { difference, subject, old, new in
            difference.compareSource(subject, old, new)
        }
        let (removed, added) = pair(checkpoint.queries, present.queries, subject: "query") {
            difference, subject, old, new in difference.compareQuery(subject, old, new)
        }
        removedQueries = removed
        newQueries = added
    }

    /// The refusal of a job that does not fit its checkpoint, with every difference and the ways on; nil where it fits.
    public func refusal(job: String, directory: String) -> CheckpointError? {
        guard !incompatible.isEmpty else { return nil }
        let list = incompatible.map { "\n  \($0)" }.joined()
        return CheckpointError(
            .mismatch,
            "job \(job) was changed, and its checkpoint \(directory) cannot be gone on from:\(list)\n"
                + "ways on: `--new-checkpoint` starts afresh and keeps the old one aside; another `checkpoint.location` "
                + "leaves it where it is; the job as it was goes on from it")
    }

    // MARK: Comparing

    /// Pairs things of the same name; gives the names that went and that came.
    @discardableResult
    private mutating func pair(
        _ old: [JSONTree], _ new: [JSONTree], subject: String,
        _ compare: (inout JobDifference, String, JSONTree, JSONTree) -> Void
    ) -> (removed: [String], added: [String]) {
        func name(_ tree: JSONTree) -> String { tree["name"]?.string ?? "" }
        var removed: [String] = []
        for before in old {
            if let after = new.first(where: { name($0) == name(before) }) {
                compare(&self, "\(subject) \(name(before))", before, after)
            } else {
                removed.append(name(before))
                add("\(subject) \(name(before))", "removed", isCompatible: true)
            }
        }
        let added = new.map(name).filter { wanted in !old.contains { name($0) == wanted } }
        for one in added { add("\(subject) \(one)", "added", isCompatible: true) }
        return (removed, added)
    }

    private mutating func add(_ subject: String, _ change: String, isCompatible: Bool) {
        items.append(Item(subject: subject, change: change, isCompatible: isCompatible))
    }

    /// Notes a member that differs.
    private mutating func compare(
        _ subject: String, _ old: JSONTree, _ new: JSONTree, _ key: String, _ label: String, isCompatible: Bool = false,
        _ show: (JSONTree?) -> String = JobDifference.plain
    ) {
        guard old[key] != new[key] else { return }
        add(subject, "\(label) \(show(old[key])) → \(show(new[key]))", isCompatible: isCompatible)
    }

    private mutating func compareSource(_ subject: String, _ old: JSONTree, _ new: JSONTree) {
        let oldTopics = old["topics"]?.elements.compactMap(\.string)
        let newTopics = new["topics"]?.elements.compactMap(\.string)
        if let oldTopics, let newTopics {
            // A new topic's partitions begin as any new partition does; what an old one holds would be missing in windows.
            let added = newTopics.filter { !oldTopics.contains($0) }
            let removed = oldTopics.filter { !newTopics.contains($0) }
            if !added.isEmpty { add(subject, "topics added: \(added.joined(separator: ", "))", isCompatible: true) }
            if !removed.isEmpty {
                add(subject, "topics removed: \(removed.joined(separator: ", "))", isCompatible: false)
            }
        } else if old["topics"] != new["topics"] || old["pattern"] != new["pattern"] {
            func topics(_ tree: JSONTree) -> String {
                tree["pattern"]?.string.map { "matching \($0)" } ?? Self.plain(tree["topics"])
            }
            add(subject, "topics \(topics(old)) → \(topics(new))", isCompatible: false)
        }
        compare(subject, old, new, "format", "format")
        compare(subject, old, new, "partitionedBy", "partitionedBy")
        compare(subject, old, new, "delayMs", "watermark delay", Self.duration)
        compare(subject, old, new, "broadcast", "broadcast")
        compare(subject, old, new, "idleTimeoutMs", "idleTimeout", isCompatible: true, Self.duration)
        compare(subject, old, new, "maxFutureSkewMs", "maxFutureSkew", isCompatible: true, Self.duration)
    }

    private mutating func compareQuery(_ subject: String, _ old: JSONTree, _ new: JSONTree) {
        compare(subject, old, new, "from", "from")
        compare(subject, old, new, "select", "select")
        compare(subject, old, new, "columns", "columns", Self.columns)
        compare(subject, old, new, "where", "where")
        let window = ["sizeMs", "slideMs", "offsetMs"]
        if window.contains(where: { old[$0] != new[$0] }) {
            add(subject, "window \(Self.window(old)) → \(Self.window(new))", isCompatible: false)
        }
        if old["groupBy"] != new["groupBy"] || old["without"] != new["without"] {
            add(subject, "\(Self.grouping(old)) → \(Self.grouping(new))", isCompatible: false)
        }
        compareAggregates(subject, old["aggregates"]?.elements ?? [], new["aggregates"]?.elements ?? [])
        compare(subject, old, new, "allowedLatenessMs", "allowedLateness", Self.duration)
        compare(subject, old, new, "outputMode", "outputMode")
        // Computed behind the windows; only detectors remember what came of it.
        let isSeenByDetectors = ["anomalies", "impacts"].contains {
            !(old[$0]?.elements ?? []).isEmpty && !(new[$0]?.elements ?? []).isEmpty
        }
        compare(subject, old, new, "derive", "derive", isCompatible: !isSeenByDetectors, Self.columns)
        compare(subject, old, new, "having", "having", isCompatible: !isSeenByDetectors)
        if old["sinks"] != new["sinks"] { add(subject, "sinks changed", isCompatible: true) }
        if old["late"] != new["late"] { add(subject, "late sink changed", isCompatible: true) }
        pair(
            old["anomalies"]?.elements ?? [], new["anomalies"]?.elements ?? [], subject: "\(subject), anomaly"
        ) { difference, subject, old, new in difference.compareAnomaly(subject, old, new) }
        pair(
            old["impacts"]?.elements ?? [], new["impacts"]?.elements ?? [], subject: "\(subject), impact"
        ) { difference, subject, old, new in
            // What its means were of is of no use then: it begins anew.
            difference.compare(subject, old, new, "column", "column", isCompatible: true)
            difference.compare(subject, old, new, "events", "events", isCompatible: true, Self.options)
            if old["sinks"] != new["sinks"] { difference.add(subject, "sinks changed", isCompatible: true) }
        }
    }

    private mutating func compareAggregates(_ subject: String, _ old: [JSONTree], _ new: [JSONTree]) {
        guard old != new else { return }
        var isSaid = false
        for before in old {
            let name = before["name"]?.string ?? ""
            let after = new.first { $0["name"]?.string == name }
            guard before != after else { continue }
            isSaid = true
            let now = after.map { Self.plain($0["is"]) } ?? "none"
            add(subject, "aggregate \(name): \(Self.plain(before["is"])) → \(now)", isCompatible: false)
        }
        for after in new where !old.contains(where: { $0["name"] == after["name"] }) {
            isSaid = true
            add(
                subject, "aggregate \(Self.plain(after["name"])): none → \(Self.plain(after["is"]))",
                isCompatible: false)
        }
        if !isSaid { add(subject, "the order of its aggregates", isCompatible: false) }
    }

    private mutating func compareAnomaly(_ subject: String, _ old: JSONTree, _ new: JSONTree) {
        // It keeps its incidents and learns anew.
        compare(subject, old, new, "column", "column", isCompatible: true)
        compare(subject, old, new, "type", "detector", isCompatible: true)
        if old["type"] == new["type"] {
            compare(subject, old, new, "detector", "detector's options", isCompatible: true, Self.options)
        }
        compare(subject, old, new, "groupInto", "groupInto")
        let others = [
            "forMs", "keepFiringForMs", "cooldownMs", "missing", "severity", "labels", "annotations", "context", "emit",
            "sinks",
        ]
        let changed = others.filter { old[$0] != new[$0] }.map { $0.hasSuffix("Ms") ? String($0.dropLast(2)) : $0 }
        if !changed.isEmpty { add(subject, "\(changed.joined(separator: ", ")) changed", isCompatible: true) }
    }

    // MARK: Words

    private static func plain(_ value: JSONTree?) -> String {
        switch value {
        case nil, .null: "none"
        case .text(let text): text
        case .boolean(let flag): flag ? "true" : "false"
        case .integer(let number): "\(number)"
        case .array(let values): "[\(values.map(plain).joined(separator: ", "))]"
        case .object: value?.canonical ?? ""
        }
    }

    private static func duration(_ value: JSONTree?) -> String {
        if case .integer(let ms)? = value { return DurationText.compact(ms) }
        return "off"
    }

    private static func columns(_ value: JSONTree?) -> String {
        let columns = value?.elements ?? []
        return columns.isEmpty
            ? "none" : columns.map { "\(plain($0["name"])): \(plain($0["is"]))" }.joined(separator: ", ")
    }

    private static func options(_ value: JSONTree?) -> String {
        guard case .object(let members)? = value else { return "none" }
        return "{\(members.map { "\($0.name): \(plain($0.value))" }.joined(separator: ", "))}"
    }

    private static func window(_ query: JSONTree) -> String {
        var text = duration(query["sizeMs"])
        if query["slideMs"] != query["sizeMs"] { text += " every \(duration(query["slideMs"]))" }
        if let offset = query["offsetMs"], offset != .integer(0) { text += ", offset \(duration(offset))" }
        return text
    }

    private static func grouping(_ query: JSONTree) -> String {
        if let without = query["without"] { return "without \(plain(without))" }
        return "groupBy \(plain(query["groupBy"]))"
    }
}
