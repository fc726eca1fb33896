import CLinux
import Glibc
import Platform

/// Work for the broker's loop from other threads, with an eventfd(2) that wakes it.
final class Mailbox: Sendable {
    /// A piece of work.
    typealias Message = @Sendable (EventLoop) -> Void

    let descriptor: Int32
    private let messages = Monitor<[Message]>([])

    init() throws(BrokerError) {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        guard descriptor >= 0 else { throw BrokerError("cannot make an eventfd: \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    /// Hands over a piece of work; it runs on the loop, in order, unless the loop ends first.
    func post(_ message: @escaping Message) {
        messages.withLock { $0.append(message) }
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    /// Runs what has been handed over.
    func deliver(to loop: EventLoop) {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
        let taken = messages.withLock { messages in
            defer { messages = [] }
            return messages
        }
        for message in taken { message(loop) }
    }
}
