import CRdkafka
import Glibc
import StreamEngine

/// Lets one thread sleep until any of several librdkafka queues has something: librdkafka writes to an eventfd when a
/// queue that was served last finds new work.
final class KafkaWakeup {
    private let descriptor: Int32

    init() throws(SourceError) {
        // EFD_CLOEXEC and EFD_NONBLOCK have these values (eventfd(2)).
        descriptor = eventfd(0, Int32(O_CLOEXEC) | Int32(O_NONBLOCK))
        guard descriptor >= 0 else {
            let reason = String(cString: strerror(errno))
            throw SourceError(
                .fatal, "the system refused a file descriptor: \(reason); raise the limit on them (`ulimit -n`)")
        }
    }

    deinit { Glibc.close(descriptor) }

    /// From now on this queue wakes the sleeper.
    func watch(_ queue: OpaquePointer) {
        var one: UInt64 = 1
        rd_kafka_queue_io_event_enable(queue, descriptor, &one, MemoryLayout<UInt64>.size)
    }

    /// Ends `watch`; to be called before the queue is given up.
    static func ignore(_ queue: OpaquePointer) { rd_kafka_queue_io_event_enable(queue, -1, nil, 0) }

    /// Sleeps until a queue has something or the time has come (monotonic clock). May wake for nothing.
    func wait(untilNs deadlineNs: Int64) {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let nowNs = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        let leftMs = deadlineNs <= nowNs ? 0 : min((deadlineNs - nowNs + 999_999) / 1_000_000, 60_000)
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard Glibc.poll(&entry, 1, Int32(leftMs)) > 0 else { return }
        var count: UInt64 = 0
        // Only resets the counter; that it cannot be read means it is zero already.
        _ = Glibc.read(descriptor, &count, MemoryLayout<UInt64>.size)
    }
}
