import CRdkafka
import StreamEngine
import Synchronization

/// Whether a client reaches its brokers, as its readers see it on other threads.
final class KafkaReachability: Sendable {
    private let flag = Atomic(true)
    var isReachable: Bool {
        get { flag.load(ordering: .relaxed) }
        set { flag.store(newValue, ordering: .relaxed) }
    }
}

/// Reads one partition out of a librdkafka queue of its own, without copying: the bytes handed over lie in the fetched
/// response. What is not read stays in that queue, which librdkafka fills up to `queued.max.messages.kbytes`: nothing
/// is ever paused, so the faults of 2.0.2 around pausing (skipped and repeated offsets) have nothing to act on.
///
/// A record below the next offset is dropped and counted, never handed over twice. A record without a value (a
/// tombstone) is handed over as an empty one: it is a record, and what an empty record means is its format's matter.
/// Keys and headers are not looked at.
public final class KafkaPartitionReader: PartitionReader {
    public let id: PartitionID
    /// The next offset to read; records in between that a reader of committed transactions does not see are skipped.
    public private(set) var nextOffset: Int64
    /// Reading ends before this offset; nil: never.
    public let endOffset: Int64?
    /// Records dropped because they were below `nextOffset`.
    public private(set) var repeatedRecords = 0
    /// Records without a value.
    public private(set) var tombstones = 0

    /// The offset at which reading began.
    public let firstOffset: Int64?
    /// The same as a number.
    private let startOffset: Int64

    let queue: OpaquePointer
    /// Whether its owner has told librdkafka to fetch into `queue`.
    var isFetching = false
    private let offsets: KafkaOffsets
    private let reachability: KafkaReachability
    private let waker: KafkaFetchWaker
    /// Taken since the queue was last empty, or the fetching last woken.
    private var burstBytes = 0
    private var burstRecords = 0
    private var atEnd = false
    private var isClosed = false
    /// Messages taken out of the queue, of which those from `next` on are not handed over yet.
    private var taken = [UnsafeMutablePointer<rd_kafka_message_t>?](repeating: nil, count: takenAtOnce)
    private var takenCount = 0
    private var next = 0
    /// Bytes of a message, as the last ones were.
    private var meanBytes = 64 << 10

    /// Messages taken at most at once.
    private static let takenAtOnce = 512

    /// Takes ownership of `queue`.
    init(
        id: PartitionID, queue: OpaquePointer, nextOffset: Int64, endOffset: Int64?, offsets: KafkaOffsets,
        reachability: KafkaReachability, waker: KafkaFetchWaker
    ) {
        self.offsets = offsets
        self.id = id
        self.queue = queue
        self.nextOffset = nextOffset
        firstOffset = nextOffset
        startOffset = nextOffset
        self.endOffset = endOffset
        self.reachability = reachability
        self.waker = waker
    }

    deinit { close() }

    public func read(maxBytes: Int, _ body: (RawRecord) throws -> Void) throws -> ReadOutcome {
        try read(maxBytes: maxBytes, body) { _ in }
    }

    public func read(
        maxBytes: Int, _ body: (RawRecord) throws -> Void, last: (RawRecord) -> Void
    ) throws -> ReadOutcome {
        var left = maxBytes
        // The newest message that was handed over stays until there is a newer one.
        var held: UnsafeMutablePointer<rd_kafka_message_t>?
        defer {
            if let held {
                last(Self.record(held))
                rd_kafka_message_destroy(held)
            }
        }
        while left > 0 {
            if let endOffset, nextOffset >= endOffset { return .endOfInput }
            guard let message = try nextMessage(left) else {
                burstBytes = 0
                burstRecords = 0
                break
            }
            guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
                try takeError(message)
                continue
            }
            let offset = message.pointee.offset
            guard offset >= nextOffset else {
                repeatedRecords += 1
                rd_kafka_message_destroy(message)
                continue
            }
            if let endOffset, offset >= endOffset {
                rd_kafka_message_destroy(message)
                nextOffset = endOffset
                return .endOfInput
            }
            do {
                if message.pointee.payload == nil { tombstones += 1 }
                try body(Self.record(message))
            } catch {
                // Not taken: it comes again.
                next -= 1
                throw error
            }
            left -= message.pointee.len + 1
            noteTaken(message.pointee.len + message.pointee.key_len)
            nextOffset = offset + 1
            atEnd = false
            if let held { rd_kafka_message_destroy(held) }
            held = message
        }
        if let endOffset, nextOffset >= endOffset { return .endOfInput }
        if left <= 0 { return .more }
        return atEnd && reachability.isReachable ? .caughtUp : .nothingYet
    }

    /// The next message: of those taken before, or out of the queue, about as many at once as `bytes` can hold, which costs
    /// a third of taking them one by one. Nothing here is ever paused, which is where batches of librdkafka before 2.1.0 lose
    /// messages; what a seek leaves behind is dropped by `moved`.
    @inline(__always)
    private func nextMessage(_ bytes: Int) throws -> UnsafeMutablePointer<rd_kafka_message_t>? {
        if next == takenCount { try takeMessages(bytes) }
        guard next < takenCount else { return nil }
        defer { next += 1 }
        return taken[next]
    }

    private func takeMessages(_ bytes: Int) throws {
        next = 0
        takenCount = 0
        guard !isClosed else { return }
        let wanted = min(max(bytes / meanBytes, 1), Self.takenAtOnce)
        let count = taken.withUnsafeMutableBufferPointer {
            rd_kafka_consume_batch_queue(queue, 0, $0.baseAddress, wanted)
        }
        guard count >= 0 else {
            throw KafkaErrors.error(rd_kafka_last_error(), "reading \(id)@\(nextOffset)", partition: id)
        }
        takenCount = count
        guard count > 0 else { return }
        var sum = 0
        for place in 0..<count { sum += taken[place]?.pointee.len ?? 0 }
        meanBytes = sum / count + 1
    }

    @inline(__always)
    private func noteTaken(_ bytes: Int) {
        burstBytes += bytes
        burstRecords += 1
        guard burstBytes >= waker.burstBytes || burstRecords >= waker.burstRecords else { return }
        burstBytes = 0
        burstRecords = 0
        waker.wake(id)
    }

    @inline(__always)
    private static func record(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> RawRecord {
        var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let timestampMs = rd_kafka_message_timestamp(message, &type)
        let payload = message.pointee.payload.map { UnsafePointer($0.assumingMemoryBound(to: UInt8.self)) }
        return RawRecord(
            bytes: UnsafeBufferPointer(start: payload, count: payload == nil ? 0 : message.pointee.len),
            offset: message.pointee.offset,
            timestampMs: type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? nil : timestampMs,
            timestampIsLogAppend: type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME, linesAreRecords: false)
    }

    private func takeError(_ message: UnsafeMutablePointer<rd_kafka_message_t>) throws {
        defer { rd_kafka_message_destroy(message) }
        let code = message.pointee.err
        let detail = rd_kafka_message_errstr(message).map { String(cString: $0) }
        switch code {
        case RD_KAFKA_RESP_ERR__PARTITION_EOF:
            // The end offset counts control records and aborted transactions, which no message shows.
            atEnd = true
            if message.pointee.offset > nextOffset { nextOffset = message.pointee.offset }
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
            throw offsets.loss(of: id, at: nextOffset, detail: detail)
        default:
            let error = KafkaErrors.error(code, "reading \(id)@\(nextOffset)", partition: id, detail: detail)
            // librdkafka goes on by itself after these, and the brokers' state is told by the source's events.
            guard !error.isRetriable else { return }
            throw error
        }
    }

    /// Goes on at another offset, once the client was told to fetch from there.
    func moved(to offset: Int64) {
        dropPending()
        nextOffset = offset
        atEnd = false
    }

    private func dropPending() {
        for place in next..<takenCount { if let message = taken[place] { rd_kafka_message_destroy(message) } }
        next = 0
        takenCount = 0
    }

    /// Offsets take the place of bytes, which are not counted in Kafka; nil without an end.
    public var progress: (consumed: Int64, total: Int64)? {
        guard let endOffset, endOffset > startOffset else { return endOffset.map { _ in (0, 0) } }
        return (min(nextOffset, endOffset) - startOffset, endOffset - startOffset)
    }

    /// Nothing to give back: what is prefetched is bounded.
    public func hibernate() {}

    public func close() {
        guard !isClosed else { return }
        isClosed = true
        dropPending()
        KafkaWakeup.ignore(queue)
        rd_kafka_queue_destroy(queue)
    }
}
