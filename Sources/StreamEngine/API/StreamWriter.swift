/// When a trigger of the Swift API fires.
public enum StreamTrigger: Sendable {
    /// Every so often; zero: as fast as possible.
    case interval(Duration)
    /// One micro-batch, then the end.
    case once
    /// What is there at the start, then the end.
    case availableNow
}

/// Where a stream's rows go, and how the job around them runs. Several sinks may follow each other.
public struct StreamWriter: Sendable {
    private let stream: AggregatedStream
    private var name: String?
    private var mode = OutputMode.append
    private var trigger = TriggerDefinition.interval(ms: 1000)
    private var checkpoint: String?
    private var delivery = Delivery.exactlyOnce
    private var sinks: [(kind: String, options: OptionNode)] = []
    private var late: (kind: String, options: OptionNode)?
    private var change: @Sendable (inout JobDefinition) -> Void = { _ in }

    init(_ stream: AggregatedStream) { self.stream = stream }

    /// Names the query, and the job where it is the only one. Default: the checkpoint directory's name.
    public func queryName(_ name: String) -> StreamWriter { with { $0.name = name } }

    /// Which rows a trigger emits; `append` unless said.
    public func outputMode(_ mode: OutputMode) -> StreamWriter { with { $0.mode = mode } }

    /// When a micro-batch is taken; every second unless said.
    public func trigger(_ trigger: StreamTrigger) -> StreamWriter {
        with {
            switch trigger {
            case .interval(let interval): $0.trigger = .interval(ms: interval.wholeMs)
            case .once: $0.trigger = .once
            case .availableNow: $0.trigger = .availableNow
            }
        }
    }

    /// Where state is kept.
    public func checkpoint(_ location: String) -> StreamWriter { with { $0.checkpoint = location } }

    /// What is promised for the output; `exactlyOnce` unless said.
    public func delivery(_ delivery: Delivery) -> StreamWriter { with { $0.delivery = delivery } }

    /// Anything else of the job: limits, dead letters, the group.
    public func configure(_ change: @escaping @Sendable (inout JobDefinition) -> Void) -> StreamWriter {
        let earlier = self.change
        return with {
            $0.change = { job in
                earlier(&job)
                change(&job)
            }
        }
    }

    /// Rows to a Kafka topic; `options` are the sink's others, as in a job file.
    public func kafka(topic: String, format: String? = nil, options: [String: String] = [:]) -> StreamWriter {
        var all = options
        all["topic"] = topic
        all["format"] = format ?? all["format"]
        return sink("kafka", all)
    }

    /// Rows to JSON lines.
    public func jsonl(path: String, options: [String: String] = [:]) -> StreamWriter {
        var all = options
        all["path"] = path
        return sink("jsonl", all)
    }

    /// Rows to the terminal.
    public func console(rows: Int? = nil) -> StreamWriter {
        sink("console", rows.map { ["rows": "\($0)"] } ?? [:])
    }

    /// Rows to any registered sink, its options as in a job file.
    public func sink(_ kind: String, _ options: [String: String]) -> StreamWriter {
        with { $0.sinks.append((kind, Self.node(options))) }
    }

    /// Late samples to a registered sink; counted only unless said.
    public func late(_ kind: String, _ options: [String: String]) -> StreamWriter {
        with { $0.late = (kind, Self.node(options)) }
    }

    /// The job: the same that a job file of this meaning gives. Throws everything that is wrong with it.
    public func definition() throws(JobDefinitionError) -> JobDefinition {
        let draft = draft(name: name ?? defaultName)
        return try JobDefinitionError.check(draft.definition, draft.findings, stream.engine.registries)
    }

    /// Checks the job and starts it.
    public func start() throws -> any RunningJob {
        try stream.engine.runner.start(try definition(), registries: stream.engine.registries)
    }

    // MARK: Putting it together

    func draft(name job: String) -> (definition: JobDefinition, findings: [Diagnostic]) {
        var findings = stream.findings
        var query = stream.query
        query.name = name ?? defaultName
        query.outputMode = mode
        for (index, sink) in sinks.enumerated() {
            query.sinks += check(sink.kind, sink.options, path: "queries.\(query.name).sinks.\(index)", &findings)
        }
        if let late {
            query.late = check(late.kind, late.options, path: "queries.\(query.name).late", &findings).first
        }
        var definition = JobDefinition(name: job, sources: [stream.source], queries: [query])
        definition.kafka = stream.kafka
        definition.trigger = trigger
        definition.delivery = delivery
        if let checkpoint { definition.checkpoint.location = checkpoint }
        change(&definition)
        return (definition, findings)
    }

    private var defaultName: String {
        let last = checkpoint?.split(separator: "/").last.map(String.init) ?? ""
        return OptionType.fits(last, .name) ? last : "stream"
    }

    private func check(
        _ kind: String, _ options: OptionNode, path: String, _ findings: inout [Diagnostic]
    ) -> [SinkDefinition] {
        guard let factory = stream.engine.registries.sink(kind) else {
            let kinds = stream.engine.registries.sinks.map(\.kind)
            findings.append(
                Diagnostic("unknown sink `\(kind)`; there is \(kinds.joined(separator: ", "))", path: path))
            return []
        }
        var check = OptionCheck()
        let checked = factory.schema.check(options, path: "\(path).\(kind)", into: &check)
        findings += check.diagnostics
        return checked.isComplete ? [SinkDefinition(kind: kind, options: checked)] : []
    }

    private func with(_ change: (inout StreamWriter) -> Void) -> StreamWriter {
        var next = self
        change(&next)
        return next
    }

    private static func node(_ options: [String: String]) -> OptionNode {
        OptionNode(
            .map(
                options.sorted { $0.key < $1.key }.map {
                    OptionEntry($0.key, OptionNode(.scalar(OptionScalar($0.value))))
                }))
    }
}
