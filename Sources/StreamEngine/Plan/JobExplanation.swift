/// A job's plan as a tree of lines, every default included: what `explain` prints.
public struct ExplanationNode: Sendable {
    /// What the line is about: `source metrics`, `windows`.
    public let label: String
    public let text: String
    public var children: [ExplanationNode]

    /// A line with lines below.
    public init(_ label: String, _ text: String = "", _ children: [ExplanationNode] = []) {
        self.label = label
        self.text = text
        self.children = children
    }
}

/// Puts a compiled job into words.
public struct JobExplanation {
    private let job: CompiledJob
    private let registries: Registries
    /// How people read bytes and rates: given by who prints.
    let bytesText: (Int64) -> String
    private let rateText: (Double) -> String
    private let countText: (Int) -> String

    /// An explanation of a job over the registries it was compiled with.
    public init(
        _ job: CompiledJob, registries: Registries, bytesText: @escaping (Int64) -> String,
        rateText: @escaping (Double) -> String, countText: @escaping (Int) -> String
    ) {
        self.countText = countText
        self.job = job
        self.registries = registries
        self.bytesText = bytesText
        self.rateText = rateText
    }

    /// The whole tree; its root is the job.
    public func tree() -> ExplanationNode {
        let definition = job.definition
        var root = ExplanationNode(definition.name)
        for source in definition.sources {
            var node = ExplanationNode("source \(source.name)", text(of: source))
            node.children = zip(definition.queries, job.queries)
                .filter { query, _ in query.from == source.name }
                .map { query, plan in explain(query, plan, source) }
            root.children.append(node)
        }
        root.children += settings(definition)
        return root
    }

    // MARK: Sources

    private func text(of source: SourceDefinition) -> String {
        var parts: [String] = []
        switch source.topics {
        case .topics(let topics): parts.append("kafka topics [\(topics.joined(separator: ", "))]")
        case .pattern(let pattern): parts.append("kafka topics like \(pattern)")
        }
        switch source.startingOffsets {
        case .earliest: parts[0] += " from earliest"
        case .latest: parts[0] += " from latest"
        case .time(let ms): parts[0] += " from \(EventTime.rfc3339(ms))"
        case .offsets(let offsets): parts[0] += " from \(offsets.count) given offsets, else earliest"
        }
        parts.append(source.format)
        if !source.partitionedBy.isEmpty {
            parts.append("partitioned by \(source.partitionedBy.joined(separator: ", "))")
        }
        let watermark = source.watermark
        parts.append("watermark: max event time - \(DurationText.spaced(watermark.delayMs)) per partition")
        parts.append(watermark.idleTimeoutMs.map { "idle after \(DurationText.spaced($0))" } ?? "never idle")
        parts.append(
            watermark.maxFutureSkewMs.map { "bad if over \(DurationText.spaced($0)) in the future" }
                ?? "any future time")
        if source.isBroadcast { parts.append("broadcast: read whole by every member, as context") }
        return parts.joined(separator: ", ")
    }

    // MARK: Queries

    private func explain(
        _ query: QueryDefinition, _ plan: QueryPlan, _ source: SourceDefinition
    ) -> ExplanationNode {
        var lines: [ExplanationNode] = []
        if !query.columns.isEmpty { lines.append(ExplanationNode("columns", listed(query.columns))) }
        if let condition = query.where { lines.append(ExplanationNode("where", condition.description)) }
        lines.append(ExplanationNode("windows", windows(plan)))
        lines.append(ExplanationNode("group by", grouping(query, plan, source)))
        let calls = query.aggregates.map { "\($0.name) = \($0.call)" }
        lines.append(ExplanationNode("compute", calls.joined(separator: ", ")))
        if !query.derive.isEmpty { lines.append(ExplanationNode("derive", listed(query.derive))) }
        if let having = query.having { lines.append(ExplanationNode("having", having.description)) }
        lines.append(ExplanationNode("state", state(plan)))
        lines.append(ExplanationNode("rows", rows(plan)))
        lines.append(ExplanationNode("sinks", sinks(query)))
        lines += zip(query.anomalies, plan.anomalies).map { detector($0, $1, plan) }
        lines += plan.impacts.map { impact($0, plan) }
        let late = query.late.map { describe($0) } ?? "counted only"
        lines.append(ExplanationNode("late", late))
        return ExplanationNode(
            "query \(query.name)",
            query.select?.description ?? (plan.sourceKind == .samples ? "every series" : "every event"), lines)
    }

    private func listed(_ columns: [NamedExpression]) -> String {
        columns.map { "\($0.name) = \($0.expression)" }.joined(separator: ", ")
    }

    private func windows(_ plan: QueryPlan) -> String {
        let window = plan.window
        let size = DurationText.spaced(window.sizeMs)
        let pane = DurationText.spaced(window.paneMs)
        var text: String
        if window.isTumbling {
            text = "\(size), one pane each"
        } else {
            text = "\(size) every \(DurationText.spaced(window.slideMs)) = \(window.panesPerWindow) panes of \(pane)"
        }
        if window.offsetMs != 0 { text += ", offset \(DurationText.spaced(window.offsetMs))" }
        if plan.neverCloses { return text + "; no window is ever final (complete mode): state only grows" }
        let wait = plan.delayMs + plan.latenessMs
        text += "; a window is final \(DurationText.spaced(wait)) after its end"
        if plan.latenessMs > 0 { text += " (delay + \(DurationText.spaced(plan.latenessMs)) allowed lateness)" }
        let cost = QueryCost(plan)
        text += "; up to \(cost.openPanes) \(cost.openPanes == 1 ? "pane" : "panes") open"
        // Sliding windows are put together from panes merged ahead.
        if cost.mergedPanes > 0 { text += ", \(cost.mergedPanes) more merged" }
        return text
    }

    private func grouping(_ query: QueryDefinition, _ plan: QueryPlan, _ source: SourceDefinition) -> String {
        let keys: String
        switch query.grouping {
        case .by(let names): keys = names.isEmpty ? "one global group" : names.joined(separator: ", ")
        case .without(let names): keys = "all labels without \(names.joined(separator: ", "))"
        }
        if let reason = plan.notPartitionLocal {
            return "\(keys)   (not partition-local: \(reason); one process reads all partitions)"
        }
        let by = source.partitionedBy.joined(separator: ", ")
        return "\(keys)   (partition-local: \(source.name) is partitioned by \(by))"
    }

    private func state(_ plan: QueryPlan) -> String {
        let cost = QueryCost(plan)
        let total = cost.bytes(groups: 1000)
        let size = total < 9e18 ? bytesText(Int64(total)) : "too much"
        var text =
            "\(cost.bytesPerGroupAndPane) B a group and pane + \(cost.bytesPerGroup) B a group → \(size) for 1,000 groups"
        if cost.bytesPerLoggedSample > 0 {
            text += "; \(cost.bytesPerLoggedSample) B a sample until its windows are final (per-series functions)"
        }
        return text + "; forgotten after \(DurationText.spaced(plan.keyTTLMs)) unseen"
    }

    private func rows(_ plan: QueryPlan) -> String {
        let every = DurationText.spaced(plan.window.slideMs)
        let perSecond = rateText(QueryCost(plan).rowsPerGroupAndSecond * 1000)
        switch plan.outputMode {
        case .append: return "append: one per group every \(every): \(perSecond)/s for 1,000 groups"
        case .update:
            return "update: one per changed window and group each trigger; \(perSecond)/s for 1,000 groups at least"
        case .complete: return "complete: every window and group, each trigger"
        }
    }

    private func sinks(_ query: QueryDefinition) -> String {
        query.sinks.isEmpty ? "none" : query.sinks.map { describe($0) }.joined(separator: " · ")
    }

    func describe(_ sink: SinkDefinition) -> String {
        guard let factory = registries.sink(sink.kind) else { return sink.kind }
        let text = factory.describe(sink.options)
        guard factory.needsKafka else { return text }
        let own = sink.options.declares("delivery") ? sink.options.text("delivery").flatMap(Delivery.init) : nil
        switch own ?? job.definition.delivery {
        case .atLeastOnce: return "\(text) (at least once)"
        case .exactlyOnce, .none: return text
        }
    }

    // MARK: The job

    private func settings(_ definition: JobDefinition) -> [ExplanationNode] {
        let checkpoint = definition.checkpoint
        let trigger =
            switch definition.trigger {
            case .interval(let ms): ms == 0 ? "as fast as possible" : "every \(DurationText.spaced(ms))"
            case .once: "once"
            case .availableNow: "what is there now"
            }
        var nodes = [ExplanationNode("kafka", kafka(definition))]
        nodes.append(
            ExplanationNode(
                "delivery",
                deliveryText(definition.delivery)
                    + "; bad records: \(definition.onBadRecord.rawValue); data loss: \(definition.onDataLoss.rawValue)")
        )
        if definition.onBadRecord == .deadLetter {
            let deadLetter = definition.deadLetter
            let place = deadLetter.sink.map { describe($0) } ?? "jsonl \(checkpoint.location)/dead-letter"
            nodes.append(
                ExplanationNode(
                    "dead letters",
                    "\(place), files of \(bytesText(deadLetter.rollBytes)), \(bytesText(deadLetter.maxBytes)) in all"))
        }
        let limits = definition.limits
        nodes.append(
            ExplanationNode(
                "limits",
                "\(countText(limits.maxSeries)) series a partition, \(limits.maxLabelsPerSeries) labels, lines of "
                    + "\(bytesText(Int64(limits.maxLineBytes))), messages of \(bytesText(Int64(limits.maxMessageBytes))), "
                    + "state \(limits.maxStateBytes.map { bytesText($0) } ?? "unlimited"), "
                    + "keys for \(DurationText.spaced(limits.keyTTLMs)), beyond: \(limits.onLimit.rawValue)"))
        nodes.append(
            ExplanationNode(
                "max ahead",
                "\(DurationText.spaced(definition.effectiveMaxAheadMs)) of event time before a partition waits for the slowest"
            ))
        nodes.append(
            ExplanationNode(
                "trigger",
                definition.delivery == .none
                    ? "\(trigger); no checkpoint"
                    : "\(trigger); checkpoint \(checkpoint.location) (\(checkpoint.compression.rawValue), "
                        + "\(checkpoint.retainEpochs) epochs, snapshots at \(checkpoint.snapshotRatio) x)"))
        return nodes
    }

    private func deliveryText(_ delivery: Delivery) -> String {
        switch delivery {
        case .exactlyOnce: "exactlyOnce: one Kafka transaction an epoch"
        case .atLeastOnce: "atLeastOnce: offsets are committed after the output; a crash between writes an epoch twice"
        case .none: "none: no group, nothing is committed, state in memory"
        }
    }

    private func kafka(_ definition: JobDefinition) -> String {
        var text = definition.kafka.brokers ?? "no brokers: replay only"
        text += ", group \(definition.group)"
        for (name, settings) in [("", definition.kafka.options), ("producer ", definition.kafka.producerOptions)] {
            for setting in settings { text += ", \(name)\(setting.name)=\(setting.shownValue)" }
        }
        return text
    }
}
