import Glibc
import Platform

/// The broker's one thread: sockets, timers and messages from other threads, all around one `Cluster`.
final class EventLoop {
    private enum Token {
        static let listener: UInt64 = 0
        static let mailbox: UInt64 = 1
        static let admin: UInt64 = 2
        static let firstConnection: UInt64 = 3
    }

    let cluster: Cluster
    let maxRequestBytes: Int
    /// Where small reads land before they are put in frames.
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 16)
    private let listener: Listener
    private let admin: Listener?
    private let mailbox: Mailbox
    private var poller: Poller
    private var connections: [UInt64: Connection] = [:]
    private var adminSessions: [UInt64: AdminSession] = [:]
    private var resumed: [Connection] = []
    private var nextToken = Token.firstConnection
    private var isStopping = false

    init(cluster: Cluster, listener: Listener, admin: Listener?, mailbox: Mailbox) throws(BrokerError) {
        poller = try Poller()
        self.cluster = cluster
        self.listener = listener
        self.admin = admin
        self.mailbox = mailbox
        maxRequestBytes = cluster.configuration.maxRequestBytes
    }

    deinit { scratch.deallocate() }

    /// Runs until `stop`, or until the broker counts as killed.
    func run() {
        // sendfile to a closed socket would raise SIGPIPE; on this thread it is an error code instead.
        var pipe = sigset_t()
        sigemptyset(&pipe)
        sigaddset(&pipe, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &pipe, nil)
        poller.add(listener.descriptor, token: Token.listener)
        poller.add(mailbox.descriptor, token: Token.mailbox)
        if let admin { poller.add(admin.descriptor, token: Token.admin) }
        while !isStopping && !cluster.isCrashed {
            for event in poller.wait(timeoutMs: timeoutMs) { handle(event) }
            cluster.runTimers()
            while !resumed.isEmpty && !cluster.isCrashed {
                let waiting = resumed
                resumed = []
                for connection in waiting { connection.resume() }
            }
        }
        for connection in connections.values { connection.close() }
        for session in adminSessions.values { session.close() }
        if !cluster.isCrashed { cluster.close() }
    }

    /// Lets a connection go on when the event in hand is done.
    func resume(_ connection: Connection) { resumed.append(connection) }

    /// Ends `run` after the event in hand.
    func stop() { isStopping = true }

    private var timeoutMs: Int32 {
        guard let nextMs = cluster.timers.nextMs else { return -1 }
        return Int32(clamping: max(0, nextMs - cluster.monotonicMs))
    }

    private func handle(_ event: Poller.Event) {
        switch event.token {
        case Token.listener: accept()
        case Token.mailbox: mailbox.deliver(to: self)
        case Token.admin: acceptAdmin()
        default:
            if let connection = connections[event.token] {
                if event.isWritable { connection.writable() }
                if event.isHungUp && !connection.isReading { connection.close() }
                if event.isReadable && !connection.isClosed { connection.readable() }
            } else if let session = adminSessions[event.token] {
                session.readable()
            }
        }
    }

    private func accept() {
        while let (descriptor, host) = listener.accept() {
            let connection = Connection(descriptor: descriptor, token: nextToken, host: host, loop: self)
            nextToken += 1
            // Beyond the bound the connection is closed with its last reference, here.
            guard connections.count < cluster.configuration.maxConnections else { continue }
            connections[connection.token] = connection
            poller.add(descriptor, token: connection.token)
        }
    }

    private func acceptAdmin() {
        while let (descriptor, _) = admin?.accept() {
            let session = AdminSession(descriptor: descriptor, token: nextToken, loop: self)
            nextToken += 1
            guard adminSessions.count < 16 else { continue }
            adminSessions[session.token] = session
            poller.add(descriptor, token: session.token)
        }
    }

    /// Changes what is watched of a connection.
    func watch(_ connection: Connection, reads: Bool, writes: Bool) {
        poller.change(connection.descriptor, token: connection.token, reads: reads, writes: writes)
    }

    /// Lets a closed connection go.
    func forget(_ connection: Connection) { connections[connection.token] = nil }

    /// Lets a closed admin session go.
    func forget(_ session: AdminSession) { adminSessions[session.token] = nil }

    /// Closes every client's connection, as a fault.
    func dropConnections() { for connection in connections.values { connection.close() } }

    /// Connections open now.
    var connectionCount: Int { connections.count }
}
