import StreamEngine

/// One job that hears every detector of one job, or of several variants of it, over one read of the input: beside each
/// detector stand copies of it that tell every verdict and every alert, without sinks.
public struct VariantPlan: Sendable {
    /// A detector of a variant.
    public struct Detector: Sendable {
        public let query: String
        public let definition: AnomalyDefinition
    }

    /// What rows of a detector of `job` tell, and about which detector of which variant.
    public struct Route: Sendable, Equatable {
        /// What is told.
        public enum Content: Sendable {
            case verdicts, alerts
        }

        public let variant: Int
        public let detector: Int
        public let content: Content
    }

    /// Names a detector of `job`.
    public struct Name: Sendable, Hashable {
        public let query: String
        public let detector: String
    }

    /// What is to be run.
    public private(set) var job: JobDefinition
    /// The detectors of each variant, in the job's order.
    public private(set) var detectors: [[Detector]] = []
    public private(set) var routes: [Name: [Route]] = [:]
    /// Detectors of `job` that are copies: their rows go nowhere else.
    public private(set) var copies: Set<Name> = []

    /// Hears a job's detectors while it runs as it is.
    public init(hearing job: JobDefinition) {
        self.job = job
        detectors = [[]]
        for (index, query) in job.queries.enumerated() {
            for own in query.anomalies {
                let detector = detectors[0].count
                detectors[0].append(Detector(query: query.name, definition: own))
                for content in [Route.Content.verdicts, .alerts] {
                    let copy = Self.copy(of: own, telling: content)
                    let route = Route(variant: 0, detector: detector, content: content)
                    let tellsItself = own.emit == copy.emit && own.groupInto == copy.groupInto
                    add(tellsItself ? own : copy, to: index, route, isCopy: !tellsItself)
                }
            }
        }
    }

    /// Hears the detectors of variants of one job, which share their sources and write nothing. Queries that differ only in
    /// their detectors run once.
    public init(comparing variants: [JobDefinition]) {
        // `backtest` has one variant at least, the job as it stands.
        precondition(!variants.isEmpty, "there is something to compare")
        job = variants[0]
        job.queries = []
        job.onBadRecord = .skip
        for (number, variant) in variants.enumerated() {
            detectors.append([])
            for query in variant.queries where !query.anomalies.isEmpty {
                let index = place(of: query)
                for own in query.anomalies {
                    let detector = detectors[number].count
                    detectors[number].append(Detector(query: query.name, definition: own))
                    for content in [Route.Content.verdicts, .alerts] {
                        let route = Route(variant: number, detector: detector, content: content)
                        add(Self.copy(of: own, telling: content), to: index, route, isCopy: true)
                    }
                }
            }
        }
    }

    /// Where a query without its detectors and sinks stands in `job`; added where it is new.
    private mutating func place(of query: QueryDefinition) -> Int {
        var bare = query
        bare.anomalies = []
        bare.impacts = []
        bare.sinks = []
        bare.late = nil
        for (index, known) in job.queries.enumerated() {
            var other = known
            other.anomalies = []
            // A query that differs has a number behind its name.
            other.name = query.name
            if other == bare, known.name == query.name || known.name.hasPrefix("\(query.name)~") { return index }
        }
        let taken = job.queries.count { $0.name == query.name || $0.name.hasPrefix("\(query.name)~") }
        if taken > 0 { bare.name = "\(query.name)~\(taken + 1)" }
        job.queries.append(bare)
        return job.queries.count - 1
    }

    private static func copy(of own: AnomalyDefinition, telling content: Route.Content) -> AnomalyDefinition {
        var copy = own
        copy.sinks = []
        switch content {
        case .verdicts:
            copy.emit = .all
            // Every key for itself.
            copy.groupInto = []
        case .alerts: copy.emit = .transitions
        }
        return copy
    }

    /// Lets rows of a detector of `job` tell a route; a copy that is there already tells several.
    private mutating func add(_ definition: AnomalyDefinition, to query: Int, _ route: Route, isCopy: Bool) {
        guard isCopy else {
            routes[Name(query: job.queries[query].name, detector: definition.name), default: []].append(route)
            return
        }
        for known in job.queries[query].anomalies {
            let name = Name(query: job.queries[query].name, detector: known.name)
            var same = known
            same.name = definition.name
            guard copies.contains(name), same == definition else { continue }
            routes[name, default: []].append(route)
            return
        }
        var copy = definition
        // No name that a job file can give.
        copy.name = "\(definition.name)~\(job.queries[query].anomalies.count)"
        job.queries[query].anomalies.append(copy)
        let name = Name(query: job.queries[query].name, detector: copy.name)
        copies.insert(name)
        routes[name, default: []].append(route)
    }
}
