import StreamEngine

extension JobBuilder {
    /// A source of what was written; where something is wrong, as much of it as there is.
    mutating func source(_ name: String, _ options: CheckedOptions) -> SourceDefinition {
        let kafka = options.object("kafka")
        var source = SourceDefinition(
            name: name, topics: kafka.map { topics($0) } ?? .topics([]), format: options.text("format") ?? "")
        if let kafka {
            source.kafka = connection(kafka)
            source.startingOffsets = startingOffsets(kafka)
        }
        source.partitionedBy = options.texts("partitionedBy")
        source.isBroadcast = options.boolean("broadcast") ?? false
        if let watermark = options.object("watermark") {
            source.watermark.delayMs = watermark.durationMs("delay") ?? source.watermark.delayMs
            source.watermark.idleTimeoutMs = watermark.durationMs("idleTimeout")
            source.watermark.maxFutureSkewMs = watermark.durationMs("maxFutureSkew")
        }
        return source
    }

    private mutating func topics(_ kafka: CheckedOptions) -> TopicSelection {
        let hasTopics = kafka.written.contains("topics")
        if let pattern = kafka.text("pattern") {
            if hasTopics {
                check.error(
                    "a source reads `topics` or a `pattern`, not both", path: kafka.path,
                    at: check.positions.keySpan(kafka.path("pattern")))
            }
            return .pattern(pattern)
        }
        let topics = kafka.texts("topics")
        if !hasTopics, !kafka.written.contains("pattern"), kafka.isComplete {
            check.error(
                "`kafka` needs `topics` or a `pattern`", path: kafka.path, at: check.positions.keySpan(kafka.path),
                label: "such as topics: [metrics]")
        } else if topics.isEmpty, kafka.list("topics").isEmpty, kafka.value("topics") != nil, kafka.isComplete {
            check.error(
                "`topics` is empty", path: kafka.path("topics"), at: check.positions.span(kafka.path("topics")))
        }
        return .topics(topics)
    }

    private mutating func startingOffsets(_ kafka: CheckedOptions) -> StartingOffsets {
        switch kafka.value("startingOffsets") {
        case .text("latest"): return .latest
        case .text("earliest"), .none: return .earliest
        case .text(let time): return EventTime.parseRFC3339(time).map { .time(ms: $0) } ?? .earliest
        case .map(let topics): return .offsets(offsets(topics, path: kafka.path("startingOffsets")))
        default: return .earliest
        }
    }

    private mutating func offsets(_ topics: [OptionPair], path: String) -> [StartingOffset] {
        var offsets: [StartingOffset] = []
        for topic in topics {
            guard case .map(let partitions) = topic.value else { continue }
            for pair in partitions {
                guard let partition = Int32(pair.key), partition >= 0 else {
                    check.error(
                        "`\(pair.key)` is no partition", path: path,
                        at: check.positions.keySpan("\(path).\(topic.key).\(pair.key)"),
                        label: "a whole number from 0")
                    continue
                }
                guard case .integer(let offset) = pair.value else { continue }
                offsets.append(StartingOffset(topic: topic.key, partition: partition, offset: offset))
            }
        }
        return offsets
    }
}
