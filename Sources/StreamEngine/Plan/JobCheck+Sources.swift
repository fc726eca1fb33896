extension JobCheck {
    mutating func checkSource(_ source: SourceDefinition) {
        let path = "sources.\(source.name)"
        if !OptionType.fits(source.name, .identifier) {
            error("`\(source.name)` is no name for a source", atKey: path, label: "letters, digits, `-` and `_`")
        }
        if registries.format(source.format) == nil, !source.format.isEmpty || positions.isEmpty {
            let names = registries.formats.map(\.name)
            error(
                "unknown format `\(source.format)`", at: "\(path).format", label: Self.didYouMean(source.format, names),
                notes: Self.list("formats", names))
        }
        checkTopics(source, path: "\(path).kafka")
        checkSettings(source.kafka, path: "\(path).kafka")
        if let brokers = source.kafka.brokers, brokers != job.kafka.brokers, !source.isBroadcast {
            error(
                "a source's own `brokers` need `broadcast: true`", at: "\(path).kafka.brokers",
                label: "sources, transactional sinks and the group live on the job's cluster")
        }
        for (index, label) in source.partitionedBy.enumerated()
        where source.partitionedBy[..<index].contains(label) {
            error("`\(label)` is there twice", at: "\(path).partitionedBy.\(index)")
        }
        let watermark = source.watermark
        let durations = [
            ("delay", watermark.delayMs), ("idleTimeout", watermark.idleTimeoutMs ?? 1),
            ("maxFutureSkew", watermark.maxFutureSkewMs ?? 1),
        ]
        for (key, ms) in durations where ms < 0 || ms > DurationText.maxMs || (key != "delay" && ms == 0) {
            error("`\(key)` is out of range: \(ms) ms", at: "\(path).watermark.\(key)")
        }
    }

    private mutating func checkTopics(_ source: SourceDefinition, path: String) {
        switch source.topics {
        case .pattern(let pattern):
            do throws(Re2Pattern.SyntaxError) {
                _ = try Re2Pattern(ByteString(pattern))
            } catch {
                self.error("`pattern` does not compile: \(error)", at: "\(path).pattern")
            }
            if !pattern.hasPrefix("^") {
                warn(
                    "`pattern` without `^` also finds topics that hold it inside their name", at: "\(path).pattern",
                    label: "write \"^\(pattern)\"")
            }
        case .topics(let topics):
            if topics.isEmpty, positions.isEmpty { error("source `\(source.name)` reads no topic", at: path) }
            for (index, topic) in topics.enumerated() where topics[..<index].contains(topic) {
                error("topic `\(topic)` is there twice", at: "\(path).topics.\(index)")
            }
            guard case .offsets(let offsets) = source.startingOffsets, !topics.isEmpty else { return }
            var seen: Set<String> = []
            for offset in offsets where !topics.contains(offset.topic) && seen.insert(offset.topic).inserted {
                error(
                    "`startingOffsets` names topic `\(offset.topic)`, which the source does not read",
                    atKey: "\(path).startingOffsets.\(offset.topic)", label: Self.didYouMean(offset.topic, topics),
                    notes: Self.list("topics", topics))
            }
        }
    }

    mutating func checkUnusedSources() {
        // With a name that is wrong nothing can be said about who is read.
        guard !job.queries.isEmpty, job.queries.allSatisfy({ job.source($0.from) != nil }) else { return }
        let used = Set(job.queries.map(\.from))
        for source in job.sources where !source.isBroadcast && !used.contains(source.name) {
            diagnostics.append(
                Diagnostic(
                    .warning, "no query reads source `\(source.name)`", path: "sources.\(source.name)",
                    span: positions.keySpan("sources.\(source.name)")))
        }
    }
}
