import CRdkafka
import StreamEngine

/// Questions about offsets, answered by the broker. Every answer is certain or an error.
struct KafkaOffsets {
    let handle: OpaquePointer

    /// What the client's group has committed; a partition missing from the answer has nothing.
    ///
    /// Under read_committed an open transaction on a partition shows as a time-out with the offset "invalid"; that is
    /// an error here, not "nothing".
    func committed(_ partitions: [PartitionID], timeoutMs: Int) throws(SourceError) -> [PartitionID: CommittedOffset] {
        guard !partitions.isEmpty else { return [:] }
        let list = KafkaPartitionList(partitions)
        let code = list.lend { rd_kafka_committed(handle, $0, Int32(clamping: timeoutMs)) }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw KafkaErrors.error(code, "asking for the group's committed offsets")
        }
        var result: [PartitionID: CommittedOffset] = [:]
        for (id, entry) in zip(partitions, list.entries) {
            guard entry.error == RD_KAFKA_RESP_ERR_NO_ERROR else {
                throw KafkaErrors.error(entry.error, "asking for the committed offset of \(id)", partition: id)
            }
            if entry.offset >= 0 { result[id] = CommittedOffset(offset: entry.offset, metadata: entry.metadata) }
        }
        return result
    }

    /// First offset and the next one to be written (under read_committed: the last stable offset).
    func bounds(of id: PartitionID, timeoutMs: Int) throws(SourceError) -> (low: Int64, high: Int64) {
        var low: Int64 = 0
        var high: Int64 = 0
        let code = rd_kafka_query_watermark_offsets(
            handle, id.topic, id.partition, &low, &high, Int32(clamping: timeoutMs))
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw KafkaErrors.error(code, "asking for first and last offset of \(id)", partition: id)
        }
        return (low, high)
    }

    /// The same for many partitions, with two questions to each of their brokers rather than two for each partition.
    func bounds(
        of partitions: [PartitionID], timeoutMs: Int
    ) throws(SourceError) -> [PartitionID: (low: Int64, high: Int64)] {
        let lows = try edges(Self.earliest, partitions, timeoutMs: timeoutMs)
        let highs = try edges(Self.latest, partitions, timeoutMs: timeoutMs)
        var result: [PartitionID: (low: Int64, high: Int64)] = [:]
        for (place, id) in partitions.enumerated() { result[id] = (lows[place], max(lows[place], highs[place])) }
        return result
    }

    // Timestamps that the protocol reads as the ends of a log (ListOffsets).
    private static let earliest: Int64 = -2
    private static let latest: Int64 = -1

    /// One end of each partition's log, in their order.
    private func edges(_ edge: Int64, _ partitions: [PartitionID], timeoutMs: Int) throws(SourceError) -> [Int64] {
        guard !partitions.isEmpty else { return [] }
        let list = KafkaPartitionList(capacity: partitions.count)
        for id in partitions { list.add(id.topic, id.partition, offset: edge) }
        let code = list.lend { rd_kafka_offsets_for_times(handle, $0, Int32(clamping: timeoutMs)) }
        let what = "asking for first and last offset"
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaErrors.error(code, what) }
        var result: [Int64] = []
        for (id, entry) in zip(partitions, list.entries) {
            guard entry.error == RD_KAFKA_RESP_ERR_NO_ERROR else {
                throw KafkaErrors.error(entry.error, "\(what) of \(id)", partition: id)
            }
            guard entry.offset >= 0 else {
                throw SourceError(.timedOut, "\(what) of \(id): no answer", partition: id)
            }
            result.append(entry.offset)
        }
        return result
    }

    /// An offset that is not in the log, as an error with what is there where the broker says so.
    func loss(of id: PartitionID, at offset: Int64, detail: String? = nil) -> SourceError {
        do throws(SourceError) {
            let bounds = try bounds(of: id, timeoutMs: 2000)
            return Self.loss(of: id, at: offset, low: bounds.low, high: bounds.high)
        } catch {
            return SourceError(
                .dataLoss(wanted: offset, low: nil, high: nil),
                "\(id)@\(offset) is not in the log: its records were deleted, or the topic was made anew"
                    + (detail.map { " (\($0))" } ?? ""), partition: id)
        }
    }

    /// The same with what is there: from `low` up to but not including `high`.
    static func loss(of id: PartitionID, at offset: Int64, low: Int64, high: Int64) -> SourceError {
        let what =
            offset < low
            ? "records \(offset) to \(low - 1) are gone (retention, or the topic was made anew)"
            : "the log ends at \(high): the topic was made anew or truncated"
        return SourceError(
            .dataLoss(wanted: offset, low: low, high: high),
            "\(id)@\(offset) is not in the log, which holds \(low) to \(high): \(what)", partition: id)
    }

    /// The offset of the first record with this timestamp or a later one; a partition without one is missing from the
    /// answer.
    func offsets(
        at timestampMs: Int64, _ partitions: [PartitionID], timeoutMs: Int
    ) throws(SourceError) -> [PartitionID: Int64] {
        guard !partitions.isEmpty else { return [:] }
        let list = KafkaPartitionList(capacity: partitions.count)
        for id in partitions { list.add(id.topic, id.partition, offset: max(timestampMs, 0)) }
        let code = list.lend { rd_kafka_offsets_for_times(handle, $0, Int32(clamping: timeoutMs)) }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw KafkaErrors.error(code, "asking for offsets at \(EventTime.rfc3339(timestampMs))")
        }
        var result: [PartitionID: Int64] = [:]
        for (id, entry) in zip(partitions, list.entries) {
            guard entry.error == RD_KAFKA_RESP_ERR_NO_ERROR else {
                throw KafkaErrors.error(
                    entry.error, "asking for the offset of \(id) at \(EventTime.rfc3339(timestampMs))", partition: id)
            }
            if entry.offset >= 0 { result[id] = entry.offset }
        }
        return result
    }

    /// `startingOffsets` for one source's partitions.
    func resolve(
        _ start: StartingOffsets, _ partitions: [PartitionID], timeoutMs: Int
    ) throws(SourceError) -> [PartitionID: Int64] {
        var result: [PartitionID: Int64] = [:]
        switch start {
        case .earliest:
            for (id, low) in zip(partitions, try edges(Self.earliest, partitions, timeoutMs: timeoutMs)) {
                result[id] = low
            }
        case .latest:
            for (id, high) in zip(partitions, try edges(Self.latest, partitions, timeoutMs: timeoutMs)) {
                result[id] = high
            }
        case .time(let timestampMs):
            result = try offsets(at: timestampMs, partitions, timeoutMs: timeoutMs)
            for id in partitions where result[id] == nil {
                result[id] = try bounds(of: id, timeoutMs: timeoutMs).high
            }
        case .offsets(let named):
            for id in partitions {
                let bounds = try bounds(of: id, timeoutMs: timeoutMs)
                guard
                    let offset = named.first(where: { $0.topic == id.topic && $0.partition == id.partition })?.offset
                else {
                    result[id] = bounds.low
                    continue
                }
                guard (bounds.low...max(bounds.low, bounds.high)).contains(offset) else {
                    throw SourceError(
                        .configuration,
                        "startingOffsets wants \(id)@\(offset), but the partition holds \(bounds.low) to \(bounds.high)"
                            + "; use an offset in that range, earliest, latest or a time", partition: id)
                }
                result[id] = offset
            }
        }
        return result
    }

    /// Offsets as last heard of; asks nobody.
    func knownBounds(of id: PartitionID) -> (low: Int64, high: Int64)? {
        var low: Int64 = 0
        var high: Int64 = 0
        let code = rd_kafka_get_watermark_offsets(handle, id.topic, id.partition, &low, &high)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, high >= 0 else { return nil }
        return (max(low, 0), high)
    }

    /// Makes librdkafka fetch a started partition from another offset.
    func seek(_ id: PartitionID, to offset: Int64, timeoutMs: Int) throws(SourceError) {
        let list = KafkaPartitionList(capacity: 1)
        list.add(id.topic, id.partition, offset: offset)
        if let error = list.lend({ rd_kafka_seek_partitions(handle, $0, Int32(clamping: timeoutMs)) }) {
            defer { rd_kafka_error_destroy(error) }
            throw KafkaErrors.error(
                rd_kafka_error_code(error), "going to \(id)@\(offset)", partition: id,
                detail: String(cString: rd_kafka_error_string(error)))
        }
        for entry in list.entries where entry.error != RD_KAFKA_RESP_ERR_NO_ERROR {
            throw KafkaErrors.error(entry.error, "going to \(id)@\(offset)", partition: id)
        }
    }
}
