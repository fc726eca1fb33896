import Glibc
import Platform

/// The broker cannot do what it was asked.
public struct BrokerError: Error, CustomStringConvertible, Equatable {
    /// What happened and what to do.
    public let description: String

    /// An error in words.
    public init(_ description: String) { self.description = description }
}

/// A Kafka broker in this process, for development, demonstrations and tests. Not for production: one node, no
/// replicas, no authentication, nothing is synced to the disk (it survives `kill -9`, not a power cut).
///
///     let broker = EmbeddedBroker(configuration)
///     let port = try broker.start()
///     …
///     broker.stop()
public final class EmbeddedBroker: Sendable {
    /// How a running broker ended.
    public enum Ending: Sendable {
        case stopped
        /// By a fault, as by `kill -9`.
        case crashed
    }

    private struct State {
        var mailbox: Mailbox?
        var thread: Thread?
        var port: UInt16 = 0
        var adminPort: UInt16?
        var ending: Ending?
    }

    /// What it was made with.
    public let configuration: BrokerConfiguration
    private let state = Monitor(State())

    /// A broker that is not running yet.
    public init(_ configuration: BrokerConfiguration = BrokerConfiguration()) { self.configuration = configuration }

    /// Faults on demand.
    public var faults: BrokerFaults { BrokerFaults(self) }

    /// The port it listens on, also after it has stopped; 0 before the first start.
    public var port: UInt16 { state.withLock { $0.port } }

    /// The port of fault commands, if there is one.
    public var adminPort: UInt16? { state.withLock { $0.adminPort } }

    /// Recovers the data and serves it; returns the port. A stopped or crashed broker can be started again and gets the
    /// port it had. `adminPort`: also take fault commands on that port of the same host (0 picks one).
    @discardableResult
    public func start(adminPort: UInt16? = nil) throws(BrokerError) -> UInt16 {
        let before = state.withLock { ($0.mailbox == nil, $0.port) }
        guard before.0 else { throw BrokerError("the broker runs already") }
        let mailbox = try Mailbox()
        let lock = try lockData()
        let started = Monitor<Result<(UInt16, UInt16?), BrokerError>?>(nil)
        let configuration = configuration
        let port = before.1 == 0 ? configuration.port : before.1
        let state = state
        state.withLock {
            $0.mailbox = mailbox
            $0.ending = nil
        }
        func giveUp() {
            state.withLock { $0.mailbox = nil }
            if lock >= 0 { close(lock) }
        }
        let serve: @Sendable () -> Void = {
            let loop: EventLoop
            do throws(BrokerError) {
                loop = try Self.makeLoop(configuration, port: port, adminPort: adminPort, mailbox, started)
            } catch {
                return started.withLock { $0 = .failure(error) }
            }
            loop.run()
            let ending = loop.cluster.isCrashed ? Ending.crashed : .stopped
            state.withLock {
                $0.ending = ending
                $0.mailbox = nil
            }
            if lock >= 0 { close(lock) }
        }
        let thread: Thread
        do throws(ThreadFailure) {
            thread = try Thread(name: "broker", serve)
        } catch {
            giveUp()
            throw BrokerError(error.description)
        }
        let result = started.wait { $0 }
        switch result {
        case .success(let ports):
            state.withLock {
                $0.thread = thread
                $0.port = ports.0
                $0.adminPort = ports.1
            }
            return ports.0
        case .failure(let error):
            thread.join()
            giveUp()
            throw error
        case nil: throw BrokerError("the broker's thread has not answered")
        }
    }

    /// Opens the data, listens, and says so; on the broker's thread, which owns it all.
    private static func makeLoop(
        _ configuration: BrokerConfiguration, port: UInt16, adminPort: UInt16?, _ mailbox: Mailbox,
        _ started: Monitor<Result<(UInt16, UInt16?), BrokerError>?>
    ) throws(BrokerError) -> EventLoop {
        let cluster: Cluster
        do throws(StorageError) {
            cluster = try Cluster(configuration, clock: SystemClock())
        } catch {
            throw BrokerError(error.description)
        }
        let listener = try Listener(host: configuration.host, port: port)
        let admin: Listener?
        if let adminPort { admin = try Listener(host: configuration.host, port: adminPort) } else { admin = nil }
        let isWildcard = ["0.0.0.0", "::", ""].contains(configuration.host)
        let host = configuration.advertisedHost ?? (isWildcard ? "localhost" : configuration.host)
        cluster.advertised = (host, Int32(listener.port))
        for topic in configuration.topics where cluster.topics[topic.name] == nil {
            do throws(BatchRefusal) {
                _ = try cluster.createTopic(
                    topic.name, partitions: Int32(clamping: topic.partitions), config: topic.config)
            } catch {
                throw BrokerError("topic \(topic.name): \(error.message)")
            }
        }
        let loop = try EventLoop(cluster: cluster, listener: listener, admin: admin, mailbox: mailbox)
        started.withLock { $0 = .success((listener.port, admin?.port)) }
        return loop
    }

    /// One broker at a time in a data folder. -1: in memory.
    private func lockData() throws(BrokerError) -> Int32 {
        guard let path = configuration.dataDirectory else { return -1 }
        do throws(StorageError) {
            try LogStorage.makeFolder(path)
        } catch {
            throw BrokerError(error.description)
        }
        let descriptor = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw BrokerError(StorageError(.open, "\(path)/lock").description) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let isHeld = errno == EWOULDBLOCK
            let error = StorageError(.lock, "\(path)/lock")
            close(descriptor)
            throw BrokerError(
                isHeld ? "another broker uses \(path); give this one a --data of its own" : error.description)
        }
        return descriptor
    }

    /// Runs `body` on the broker's thread and waits for it; nil when the broker does not run.
    @discardableResult
    func perform<R: Sendable>(_ body: @escaping @Sendable (EventLoop) -> R) -> R? {
        guard let mailbox = state.withLock({ $0.mailbox }) else { return nil }
        let state = state
        let answer = Monitor<R?>(nil)
        mailbox.post { loop in
            let result = body(loop)
            answer.withLock { $0 = result }
        }
        while true {
            if let result = answer.wait(untilNs: SystemClock().monotonicNs() + 50_000_000, { $0 }) { return result }
            if state.withLock({ $0.mailbox !== mailbox }) { return answer.withLock { $0 } }
        }
    }

    /// Stops, leaving the data such that the next start is fast.
    public func stop() {
        state.withLock { $0.mailbox }?.post { $0.stop() }
        join()
    }

    /// Stops as by `kill -9`: nothing more is written or answered.
    public func crash() {
        state.withLock { $0.mailbox }?.post { $0.cluster.gate.shut() }
        join()
    }

    /// Waits until the broker has ended, by `stop` or a fault.
    public func waitUntilEnded() -> Ending { state.wait { $0.ending } ?? .stopped }

    private func join() {
        let thread = state.withLock { state in
            defer { state.thread = nil }
            return state.thread
        }
        thread?.join()
    }
}
