import CRdkafka
import StreamEngine

/// Says why records were not delivered, and whether to try again: a reason that lasts (too large, topic gone, not
/// authorised) stops a job, anything else does not.
struct KafkaDeliveryFailures {
    let handle: OpaquePointer
    /// Within transactions a producer that was fenced or cannot go on is replaced: that is no lasting reason.
    let isTransactional: Bool

    /// The first of some records that failed together.
    struct First {
        let code: rd_kafka_resp_err_t
        let topic: String
        var records = 0
        var largestBytes = 0

        /// Whether it was swept away, for another's fault.
        var isPurged: Bool {
            code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT
        }

        init(code: rd_kafka_resp_err_t, topic: String) {
            self.code = code
            self.topic = topic
        }
    }

    /// Records that the brokers did not take. May ask them, at most `timeoutMs`, for what makes the message useful.
    func error(_ first: First, timeoutMs: Int) -> SinkError {
        let more = first.records > 1 ? " (and \(first.records - 1) more records)" : ""
        let error = cause(first, timeoutMs: timeoutMs)
        return SinkError(error.description + more, isRetriable: error.isRetriable)
    }

    private func cause(_ first: First, timeoutMs: Int) -> SinkError {
        switch first.code {
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE: return tooLarge(first, timeoutMs)
        case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
            RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
            // A topic that was deleted shows as a time-out first.
            guard let counts = try? KafkaTopics(handle: handle).partitionCounts(timeoutMs: timeoutMs),
                counts[first.topic] == nil
            else { return error(first.code, first.topic) }
            return SinkError(
                "topic \(first.topic) does not exist (any more), or may not be seen: create it, or take its sink out of"
                    + " the job")
        default: return error(first.code, first.topic)
        }
    }

    private func tooLarge(_ first: First, _ timeoutMs: Int) -> SinkError {
        let limit = try? KafkaTopics(handle: handle).setting(
            "max.message.bytes", of: first.topic, timeoutMs: timeoutMs)
        let known = limit.map { " (it is \($0))" } ?? ""
        return SinkError(
            "topic \(first.topic): a record of \(first.largestBytes) bytes is too large for the topic; raise its"
                + " `max.message.bytes`\(known), or where it takes single records of that size but not a batch of them"
                + " lower `batch.size` in `kafka.producerOptions`")
    }

    /// A record that was not even sent.
    func error(_ code: rd_kafka_resp_err_t, _ topic: String) -> SinkError {
        if code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION {
            return SinkError("topic \(topic): the partition does not exist")
        }
        let error = KafkaErrors.error(code, "writing to topic \(topic)")
        switch code {
        case RD_KAFKA_RESP_ERR__STATE, RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
            return SinkError(error.description, isRetriable: isTransactional)
        default: return self.error(error)
        }
    }

    /// A failure of the client.
    func error(_ error: SourceError) -> SinkError {
        switch error.kind {
        case .fenced, .fatal: SinkError(error.description, isRetriable: isTransactional)
        case .unreachable, .timedOut: SinkError(error.description, isRetriable: true)
        case .configuration, .notAuthorised, .unknownTopic, .dataLoss, .other: SinkError(error.description)
        }
    }

    /// A transaction that failed with no record to blame, in librdkafka's words: `Current transaction failed in state
    /// InTransaction: … (TOPIC_AUTHORIZATION_FAILED)`.
    func error(transaction reason: String) -> SinkError {
        let isRefused = reason.contains("AUTHORIZATION_FAILED")
        let way = isRefused ? "; check the ACLs of the job's topics, its group and its transactional id" : ""
        return SinkError("\(reason)\(way)", isRetriable: !isRefused)
    }
}
