import Glibc
import StreamEngine

/// What a source of the job reads. A pattern is given to librdkafka, which takes POSIX extended regular expressions.
public struct KafkaSubscription: Sendable {
    /// The source's name in the job.
    public let source: String
    public let topics: TopicSelection
    public let startingOffsets: StartingOffsets

    /// A source's topics.
    public init(source: String, topics: TopicSelection, startingOffsets: StartingOffsets = .earliest) {
        self.source = source
        self.topics = topics
        self.startingOffsets = startingOffsets
    }

    /// What a source of a job reads.
    public init(_ definition: SourceDefinition) {
        self.init(
            source: definition.name, topics: definition.topics, startingOffsets: definition.startingOffsets)
    }
}

/// Says which source a topic belongs to. A topic of two sources is refused: one group reads it once.
struct KafkaTopicOwners {
    private let subscriptions: [KafkaSubscription]
    private let excluded: Set<String>

    /// `excluded`: topics the job writes; patterns never match them.
    init(_ subscriptions: [KafkaSubscription], excluding excluded: Set<String>) throws(SourceError) {
        for subscription in subscriptions {
            guard case .pattern(let pattern) = subscription.topics else { continue }
            guard pattern.hasPrefix("^") else {
                throw SourceError(
                    .configuration,
                    "source \(subscription.source): a topic pattern begins with ^, as in \"^\(pattern)\"")
            }
            if let problem = KafkaTopicOwners.matches(pattern, "").problem {
                throw SourceError(
                    .configuration, "source \(subscription.source): pattern \"\(pattern)\" cannot be used: \(problem)")
            }
        }
        self.subscriptions = subscriptions
        self.excluded = excluded
    }

    /// The subscription of a topic.
    func owner(of topic: String) throws(SourceError) -> KafkaSubscription {
        var found: KafkaSubscription?
        for subscription in subscriptions where covers(subscription, topic) {
            if let found {
                throw SourceError(
                    .configuration,
                    "topic \(topic) belongs to the sources \(found.source) and \(subscription.source): "
                        + "let one source read it, and both queries read that source")
            }
            found = subscription
        }
        guard let found else {
            throw SourceError(.other, "the broker assigned topic \(topic), which no source reads")
        }
        return found
    }

    /// Whether some source takes a topic.
    func isRead(_ topic: String) -> Bool { subscriptions.contains { covers($0, topic) } }

    /// Whether a subscription takes a topic.
    func covers(_ subscription: KafkaSubscription, _ topic: String) -> Bool {
        switch subscription.topics {
        case .topics(let names): names.contains(topic)
        case .pattern(let pattern):
            !excluded.contains(topic) && KafkaTopicOwners.matches(pattern, topic).matches
        }
    }

    // librdkafka itself matches with regcomp(REG_EXTENDED) where glibc has it.
    private static func matches(_ pattern: String, _ topic: String) -> (matches: Bool, problem: String?) {
        var expression = regex_t()
        let result = regcomp(&expression, pattern, REG_EXTENDED | REG_NOSUB)
        guard result == 0 else {
            var text = [CChar](repeating: 0, count: 256)
            regerror(result, &expression, &text, text.count)
            return (false, KafkaClient.string(text))
        }
        defer { regfree(&expression) }
        return (regexec(&expression, topic, 0, nil, 0) == 0, nil)
    }
}

extension KafkaTopicOwners {
    /// Each partition's first offset by the rule of its source.
    func startingOffsets(
        _ partitions: [PartitionID], _ offsets: KafkaOffsets, timeoutMs: Int
    ) throws(SourceError) -> [PartitionID: Int64] {
        var result: [PartitionID: Int64] = [:]
        for (_, ids) in Dictionary(grouping: partitions, by: \.topic) {
            guard let first = ids.first else { continue }
            let rule = try owner(of: first.topic).startingOffsets
            for (id, offset) in try offsets.resolve(rule, ids, timeoutMs: timeoutMs) { result[id] = offset }
        }
        return result
    }
}

extension KafkaSubscription {
    /// Whether it takes a topic, by name or by pattern.
    public func takes(_ topic: String) -> Bool {
        // A pattern that cannot be used takes nothing; who subscribes with it is told why.
        guard let owners = try? KafkaTopicOwners([self], excluding: []) else { return false }
        return owners.covers(self, topic)
    }
}
