import Glibc
import Platform
import TestSupport
import Testing

@testable import EmbeddedBroker

/// A blocking client socket.
private final class Socket {
    private let descriptor: Int32

    init?(port: UInt16) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        // It only ends a test that hangs.
        var limit = timeval(tv_sec: 180, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let status = withUnsafeBytes(of: &address) { bytes in
            bytes.baseAddress.map {
                connect(descriptor, $0.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
            }
        }
        guard status == 0 else { return nil }
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) { _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

    /// Exactly `count` bytes; nil when the broker closes first, or nothing comes.
    func receive(_ count: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            var part = [UInt8](repeating: 0, count: count - bytes.count)
            let received = recv(descriptor, &part, part.count, 0)
            guard received > 0 else { return nil }
            bytes += part[..<received]
        }
        return bytes
    }

    /// Whether the broker closes it without another byte; false where it keeps silent.
    var isClosed: Bool {
        var byte: UInt8 = 0
        let received = recv(descriptor, &byte, 1, 0)
        return received == 0 || received < 0 && errno == ECONNRESET
    }

    /// Asks for the versions; whether an answer came.
    func pings() -> Bool {
        let frame = TestCluster.bytes(ApiVersionsRequest(), 0, "ping")
        send([0, 0, 0, UInt8(frame.count)] + frame)
        return receive(4) != nil
    }
}

@Suite struct BrokerServerTests {
    private func broker(_ change: (inout BrokerConfiguration) -> Void = { _ in }) throws -> (EmbeddedBroker, UInt16) {
        var configuration = BrokerConfiguration()
        configuration.topics = [.init("t", partitions: 2)]
        change(&configuration)
        return try withOwnPort { port in
            configuration.port = port
            let broker = EmbeddedBroker(configuration)
            return (broker, try broker.start())
        }
    }

    @Test func startsAnswersStops() throws {
        let (broker, port) = try broker()
        #expect(try #require(Socket(port: port)).pings())
        broker.stop()
        #expect(broker.waitUntilEnded() == .stopped)
        #expect(Socket(port: port) == nil)
        #expect(try broker.start() == port, "the port stays the same")
        broker.stop()
    }

    @Test func hostileFramesCloseOneConnectionOnly() throws {
        let (broker, port) = try broker()
        defer { broker.stop() }
        let honest = try #require(Socket(port: port))
        for bytes in [
            [0x7f, 0xff, 0xff, 0xff, 1, 2, 3], [0xff, 0xff, 0xff, 0xff], [0, 0, 0, 0], [0, 0, 0, 4, 1, 2, 3, 4],
            Array("GET / HTTP/1.1\r\n\r\n".utf8), [0, 0, 0, 8, 0, 99, 0, 0, 0, 0, 0, 1],
        ] as [[UInt8]] {
            let hostile = try #require(Socket(port: port))
            hostile.send(bytes)
            #expect(hostile.isClosed, "\(bytes)")
        }
        #expect(honest.pings())
    }

    @Test func framesInPiecesAndTogether() throws {
        let (broker, port) = try broker()
        defer { broker.stop() }
        let socket = try #require(Socket(port: port))
        let frame = TestCluster.bytes(ApiVersionsRequest(), 0, "pieces")
        let whole = [0, 0, 0, UInt8(frame.count)] + frame
        for byte in whole { socket.send([byte]) }
        socket.send(Array(repeating: whole, count: 50).flatMap { $0 })
        for _ in 0...50 {
            let size = try #require(socket.receive(4)).reduce(0) { $0 << 8 | Int($1) }
            #expect(socket.receive(size) != nil)
        }
    }

    /// Each client's fetch waits for what the one before it produces: one record sets off all of them, one after the
    /// other and not one inside the other.
    @Test func aChainOfClientsIsNoRecursion() throws {
        let length = 250
        let (broker, port) = try broker { $0.topics = [.init("chain", partitions: length + 1)] }
        defer { broker.stop() }
        func framed(_ frame: [UInt8]) -> [UInt8] {
            withUnsafeBytes(of: UInt32(frame.count).bigEndian, Array.init) + frame
        }
        func produce(_ partition: Int) -> [UInt8] {
            let batch = TestBatch("x").bytes
            let data = ProduceRequest.PartitionData(
                index: Int32(partition),
                records: Records(slice: FrameSlice(frame: FrameBuffer(batch), range: 0..<batch.count)))
            return framed(
                TestCluster.bytes(ProduceRequest(topics: [.init(name: "chain", partitions: [data])]), 9, "chain"))
        }
        var clients: [Socket] = []
        for place in 0..<length {
            let client = try #require(Socket(port: port))
            let asked = FetchRequest.PartitionRequest(index: Int32(place), fetchOffset: 0, maxBytes: 1000)
            let fetch = FetchRequest(
                maxWaitMs: 60_000, minBytes: 1, topics: [.init(name: "chain", partitions: [asked])])
            client.send(framed(TestCluster.bytes(fetch, 12, "chain")) + produce(place + 1))
            clients.append(client)
        }
        let first = try #require(Socket(port: port))
        #expect(first.pings())
        first.send(produce(0))
        for client in clients + [first] {
            let size = try #require(client.receive(4)).reduce(0) { $0 << 8 | Int($1) }
            #expect(client.receive(size) != nil)
        }
        #expect(first.pings())
    }

    @Test func faultsStrikeAndAreCounted() throws {
        let (broker, port) = try broker()
        defer { broker.stop() }
        try broker.faults.add(.drop, api: "ApiVersions", skip: 1)
        let socket = try #require(Socket(port: port))
        #expect(socket.pings())
        let frame = TestCluster.bytes(ApiVersionsRequest(), 0, "dropped")
        let other = try #require(Socket(port: port))
        other.send([0, 0, 0, UInt8(frame.count)] + frame)
        #expect(other.isClosed)
        #expect(broker.faults.hits == 1)
        #expect(try #require(Socket(port: port)).pings())
    }

    @Test func crashIsNoStop() throws {
        let folder = TemporaryFolder()
        let (broker, port) = try broker { $0.dataDirectory = folder.path }
        #expect(throws: BrokerError.self) {
            var second = BrokerConfiguration()
            second.dataDirectory = folder.path
            try EmbeddedBroker(second).start()
        }
        let socket = try #require(Socket(port: port))
        #expect(socket.pings())
        broker.crash()
        #expect(broker.waitUntilEnded() == .crashed)
        #expect(try broker.start() == port)
        #expect(try #require(Socket(port: port)).pings())
        broker.stop()
    }

    @Test(arguments: [
        "error Produce NOT_LEADER_OR_FOLLOWER 3", "error * 6", "drop Fetch", "delay Produce 100 2", "lose EndTxn",
        "crash", "crash Produce", "freeze t 0", "thaw t 0", "disk-full", "disk-full 3",
        "disconnect", "clear", "status",
    ])
    func faultCommands(_ text: String) throws { _ = try FaultCommand(text) }

    @Test(arguments: [
        ("explode", "no fault `explode`"),
        ("error Produce", "`error Produce` is not of the form `error API CODE [TIMES]`"),
        ("drop Nothing", "no API `Nothing`"), ("drop Fetch x", "`x` is no number of times"),
        ("error Fetch NO_SUCH", "no error code `NO_SUCH`"), ("freeze t x", "`x` is no partition"),
        ("disk-full x", "`x` is no number of times"),
    ])
    func badFaultCommands(_ text: String, _ message: String) {
        #expect { try FaultCommand(text) } throws: { "\($0)".hasPrefix(message) }
    }
}
