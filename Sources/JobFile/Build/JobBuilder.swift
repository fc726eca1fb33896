import StreamEngine

/// Makes a `JobDefinition` of options that fit the job's schema. What is wrong is noted and left out, so that one run
/// finds everything.
struct JobBuilder {
    let root: CheckedOptions
    let registries: Registries
    var check: OptionCheck

    mutating func build() -> JobDefinition {
        var job = JobDefinition(name: root.text("name") ?? "job")
        if let group = root.text("group") { job.group = group }
        if let kafka = root.object("kafka") { job.kafka = connection(kafka) }
        job.sources = root.map("sources").compactMap { pair in
            guard case .object(let options) = pair.value else { return nil }
            return source(pair.key, options)
        }
        for (index, value) in root.list("queries").enumerated() {
            guard case .object(let options) = value else { continue }
            job.queries.append(query(options, index: index, sources: job.sources))
        }
        if root.value("sources") == .map([]) {
            check.error(
                "the job reads nothing: `sources` is empty", path: "sources", at: check.positions.keySpan("sources"),
                label: "such as metrics: {kafka: {topics: [metrics]}, format: prometheus}")
        }
        if root.value("queries") == .list([]) {
            check.error(
                "the job computes nothing: `queries` is empty", path: "queries",
                at: check.positions.keySpan("queries"))
        }
        if let trigger = root.object("trigger") { job.trigger = self.trigger(trigger) }
        if let checkpoint = root.object("checkpoint") { self.checkpoint(checkpoint, into: &job.checkpoint) }
        if let deadLetter = root.object("deadLetter") { job.deadLetter = self.deadLetter(deadLetter) }
        job.onBadRecord = word("onBadRecord") ?? job.onBadRecord
        job.onDataLoss = word("onDataLoss") ?? job.onDataLoss
        job.delivery = word("delivery") ?? job.delivery
        if let limits = root.object("limits") { self.limits(limits, into: &job.limits) }
        job.maxAheadMs = root.durationMs("maxAhead")
        return job
    }

    private func word<T: RawRepresentable>(_ key: String) -> T? where T.RawValue == String {
        root.text(key).flatMap(T.init(rawValue:))
    }

    func connection(_ options: CheckedOptions) -> KafkaConnection {
        KafkaConnection(
            brokers: Self.brokers(options), options: Self.settings(options, "options"),
            producerOptions: options.declares("producerOptions") ? Self.settings(options, "producerOptions") : [])
    }

    private static func brokers(_ options: CheckedOptions) -> String? {
        let list = options.texts("brokers")
        return list.isEmpty ? options.text("brokers") : list.joined(separator: ",")
    }

    private static func settings(_ options: CheckedOptions, _ key: String) -> [KafkaConnection.Setting] {
        options.map(key).compactMap { pair in
            if case .text(let value) = pair.value { KafkaConnection.Setting(pair.key, value) } else { nil }
        }
    }

    private mutating func trigger(_ options: CheckedOptions) -> TriggerDefinition {
        let chosen = ["interval", "once", "availableNow"].filter {
            options.written.contains($0) && options.boolean($0) != false
        }
        if chosen.count > 1 {
            check.error(
                "a trigger is one of interval, once, availableNow; found \(chosen.joined(separator: " and "))",
                path: options.path, at: check.positions.keySpan(options.path(chosen[1])))
        }
        switch chosen.first {
        case "once": return .once
        case "availableNow": return .availableNow
        default: return .interval(ms: options.durationMs("interval") ?? 1000)
        }
    }

    private func checkpoint(_ options: CheckedOptions, into checkpoint: inout CheckpointDefinition) {
        checkpoint.location = options.text("location") ?? checkpoint.location
        checkpoint.compression =
            options.text("compression").flatMap(CheckpointDefinition.Compression.init(rawValue:))
            ?? checkpoint.compression
        checkpoint.retainEpochs = options.integer("retainEpochs") ?? checkpoint.retainEpochs
        checkpoint.snapshotRatio = options.number("snapshotRatio") ?? checkpoint.snapshotRatio
    }

    private mutating func deadLetter(_ options: CheckedOptions) -> DeadLetterDefinition {
        var deadLetter = DeadLetterDefinition()
        deadLetter.rollBytes = options.bytes("rollSize") ?? deadLetter.rollBytes
        deadLetter.maxBytes = options.bytes("maxBytes") ?? deadLetter.maxBytes
        let kinds = registries.sinks.map(\.kind).filter { options.declares($0) && options.value($0) != nil }
        if kinds.count > 1 {
            check.error(
                "dead letters go to one sink; found \(kinds.joined(separator: " and "))", path: options.path,
                at: check.positions.keySpan(options.path(kinds[1])))
        }
        if let kind = kinds.first, let own = options.object(kind), own.isComplete {
            deadLetter.sink = SinkDefinition(kind: kind, options: own)
        }
        return deadLetter
    }

    private func limits(_ options: CheckedOptions, into limits: inout LimitsDefinition) {
        limits.maxSeries = options.integer("maxSeries") ?? limits.maxSeries
        limits.maxLabelsPerSeries = options.integer("maxLabelsPerSeries") ?? limits.maxLabelsPerSeries
        limits.maxLineBytes = options.bytes("maxLineBytes").map { Int($0) } ?? limits.maxLineBytes
        limits.maxMessageBytes = options.bytes("maxMessageBytes").map { Int($0) } ?? limits.maxMessageBytes
        limits.maxStateBytes = options.bytes("maxStateBytes")
        limits.keyTTLMs = options.durationMs("keyTTL") ?? limits.keyTTLMs
        limits.onLimit = options.text("onLimit").flatMap(LimitAction.init(rawValue:)) ?? limits.onLimit
    }
}
