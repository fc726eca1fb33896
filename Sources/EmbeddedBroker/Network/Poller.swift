import CLinux
import Glibc

/// epoll(7): which of many descriptors can be read or written, without asking each.
struct Poller: ~Copyable {
    /// What happened to the descriptor registered under `token`.
    struct Event {
        let token: UInt64
        let isReadable: Bool
        let isWritable: Bool
        /// Both directions are gone; told again and again until the descriptor is closed.
        let isHungUp: Bool
    }

    private let descriptor: Int32
    private var buffer = [epoll_event](repeating: epoll_event(), count: 256)

    init() throws(BrokerError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw BrokerError("cannot watch sockets: \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    private func control(_ operation: Int32, _ target: Int32, _ token: UInt64, reads: Bool, writes: Bool) {
        var event = epoll_event()
        event.events = (reads ? EPOLLIN.rawValue : 0) | (writes ? EPOLLOUT.rawValue : 0)
        event.data.u64 = token
        epoll_ctl(descriptor, operation, target, &event)
    }

    /// Watches a descriptor.
    func add(_ target: Int32, token: UInt64) { control(EPOLL_CTL_ADD, target, token, reads: true, writes: false) }

    /// Changes what is watched.
    func change(_ target: Int32, token: UInt64, reads: Bool, writes: Bool) {
        control(EPOLL_CTL_MOD, target, token, reads: reads, writes: writes)
    }

    /// Waits until something happens or `timeoutMs` has passed (-1: no limit).
    mutating func wait(timeoutMs: Int32) -> [Event] {
        let count = epoll_wait(descriptor, &buffer, Int32(buffer.count), timeoutMs)
        guard count > 0 else { return [] }
        return buffer.prefix(Int(count)).map { event in
            let isHungUp = event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
            return Event(
                token: event.data.u64, isReadable: isHungUp || event.events & EPOLLIN.rawValue != 0,
                isWritable: event.events & EPOLLOUT.rawValue != 0, isHungUp: isHungUp)
        }
    }
}
