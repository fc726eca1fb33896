import CRdkafka
import Platform
import StreamEngine

/// Wakes librdkafka's fetching when a full prefetch queue has room again.
///
/// Until 2.2.0 librdkafka looks at a queue that was full only when something else happens on that broker's connection,
/// at the latest after a second: a reader that drains 32 MiB faster then starves for the rest of it. A request to the
/// broker wakes it; asking for the partition's bounds is a small one that any reader may make. It is made on a
/// thread of its own, because librdkafka has it only in a form that waits for the answer.
final class KafkaFetchWaker: Sendable {
    private struct State {
        var wanted: Set<PartitionID> = []
        var isStopping = false
    }

    /// A queue may have been full when so many bytes or records came out of it in one go.
    let burstBytes: Int
    let burstRecords: Int
    private let monitor = Monitor(State())
    private let thread: Thread

    /// `stop` is to be called before the client goes.
    init(_ client: KafkaClient) throws(SourceError) {
        burstBytes = max(client.prefetchBytes / 2, 1)
        burstRecords = max(client.prefetchRecords / 2, 1)
        let monitor = monitor
        // A pointer is not Sendable; its bits are, and librdkafka's calls may come from any thread.
        let bits = UInt(bitPattern: client.handle)
        do throws(ThreadFailure) {
            thread = try Thread(name: "kafka-wake") {
                guard let handle = OpaquePointer(bitPattern: bits) else { return }
                KafkaFetchWaker.serve(handle, monitor)
            }
        } catch {
            throw SourceError(.fatal, error.description)
        }
    }

    /// This partition's queue has room. Does not wait.
    func wake(_ id: PartitionID) { monitor.withLock { _ = $0.wanted.insert(id) } }

    /// Ends the thread and waits for it.
    func stop() {
        monitor.withLock { $0.isStopping = true }
        thread.join()
    }

    private static func serve(_ handle: OpaquePointer, _ monitor: Monitor<State>) {
        while true {
            let next: PartitionID?? = monitor.wait {
                if $0.isStopping { return .some(nil) }
                return $0.wanted.popFirst().map { .some($0) }
            }
            guard let next, let id = next else { return }
            var low: Int64 = 0
            var high: Int64 = 0
            // The answer is of no interest: the request has woken the broker's thread.
            _ = rd_kafka_query_watermark_offsets(handle, id.topic, id.partition, &low, &high, 500)
        }
    }
}
