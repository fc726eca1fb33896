import Glibc
import Platform
import Synchronization

@testable import EmbeddedBroker

/// A clock only the test moves.
final class ManualClock: Platform.Clock {
    private let time = Mutex<Int64>(1_700_000_000_000)

    func wallMs() -> Int64 { time.withLock { $0 } }
    func monotonicNs() -> Int64 { time.withLock { $0 * 1_000_000 } }
    func advance(ms: Int64) { time.withLock { $0 += ms } }
    func sleep(ms: Int) { advance(ms: Int64(ms)) }
}

/// A folder that is removed with its owner.
final class TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/broker-test-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp/broker-test"
    }

    deinit { try? LogStorage.directory(path).removeAll() }
}

/// A cluster without sockets: requests go through the real bytes, time stands still unless moved.
final class TestCluster {
    private(set) var cluster: Cluster
    /// What the broker has said of its disk.
    private(set) var complaints: [String] = []
    let clock = ManualClock()
    let configuration: BrokerConfiguration

    init(_ folder: TemporaryFolder? = nil, _ change: (inout BrokerConfiguration) -> Void = { _ in }) throws {
        var configuration = BrokerConfiguration()
        configuration.dataDirectory = folder?.path
        configuration.seed = 1
        change(&configuration)
        self.configuration = configuration
        cluster = try Cluster(configuration, clock: clock)
        listen()
    }

    private func listen() { cluster.gate.say = { [unowned self] in complaints.append($0) } }

    /// As after a crash or a stop: a new cluster on the same data.
    func reopen() throws {
        cluster = try Cluster(configuration, clock: clock)
        listen()
    }

    /// Moves time and runs what is due, a millisecond at a time near the start so that timers chain.
    func advance(ms: Int64) {
        clock.advance(ms: ms)
        cluster.runTimers()
    }

    /// An answer that may come later.
    final class Pending<Request: BrokerRequest> {
        fileprivate(set) var response: Request.Response?
        fileprivate(set) var isDisconnected = false
        fileprivate(set) var isEnded = false
    }

    /// Sends a request in a version; the answer is there now or comes later.
    func send<R: BrokerRequest>(_ request: R, version: Int16? = nil, client: String = "test") -> Pending<R> {
        let version = version ?? R.api.versions.upperBound
        let pending = Pending<R>()
        cluster.receive(FrameBuffer(Self.bytes(request, version, client)), clientHost: "127.0.0.1") { outcome in
            pending.isEnded = true
            switch outcome {
            case .respond(let output):
                pending.response = Self.decode(R.self, Self.flatten(output.framed()), version)
            case .nothing: break
            case .disconnect: pending.isDisconnected = true
            }
        }
        return pending
    }

    /// Sends a request that is answered at once; nil when it is not.
    func ask<R: BrokerRequest>(_ request: R, version: Int16? = nil, client: String = "test") -> R.Response? {
        send(request, version: version, client: client).response
    }

    /// A request's frame without its length.
    static func bytes<R: BrokerRequest>(_ request: R, _ version: Int16, _ client: String) -> [UInt8] {
        var output = WireOutput()
        output.append(bigEndian: R.api.key)
        output.append(bigEndian: version)
        output.append(bigEndian: Int32(7))
        output.append(bigEndian: Int16(client.utf8.count))
        output.append(client.utf8)
        let flexible = version >= R.api.flexibleSince
        if flexible { output.append(UInt8(0)) }
        return flatten(encode(request, version, flexible: flexible, into: output).finished())
    }

    /// The bytes of a structure and the tagged fields behind it.
    static func encode<T: WireStruct>(
        _ value: T, _ version: Int16, flexible: Bool, into output: WireOutput = WireOutput()
    ) -> WireOutput {
        var c = WireCodec(writing: version, flexible: flexible, into: output)
        var value = value
        do {
            try value.code(&c)
            try c.tags()
        } catch {
            preconditionFailure("writing failed: \(error)")
        }
        return c.output
    }

    static func flatten(_ pieces: [WireOutput.Piece]) -> [UInt8] {
        pieces.flatMap { piece in
            switch piece {
            case .bytes(let bytes): bytes
            case .region(let region): region.file.read(at: region.position, count: region.length)
            }
        }
    }

    private static func decode<R: BrokerRequest>(_ type: R.Type, _ bytes: [UInt8], _ version: Int16) -> R.Response? {
        let headerBytes = R.api.responseHeaderIsFlexible(version) ? 9 : 8
        var c = WireCodec(
            reading: FrameBuffer(bytes), at: headerBytes, version: version,
            flexible: version >= R.api.flexibleSince)
        var response = R.Response()
        do {
            try response.code(&c)
            try c.tags()
        } catch {
            return nil
        }
        return c.remaining == 0 ? response : nil
    }
}

extension TestCluster {
    /// Makes a topic.
    @discardableResult
    func create(_ name: String, partitions: Int32 = 1, config: [String: String] = [:]) -> ErrorCode {
        let topic = CreateTopicsRequest.NewTopic(
            name: name, partitions: partitions, replicationFactor: 1,
            config: config.sorted { $0.key < $1.key }.map { ConfigValue(name: $0.key, value: $0.value) })
        return ask(CreateTopicsRequest(topics: [topic]))?.topics.first?.error ?? .unknownServerError
    }

    /// Appends a batch.
    @discardableResult
    func produce(
        _ batch: TestBatch, to topic: String = "t", partition: Int32 = 0, transactionalId: String? = nil,
        version: Int16? = nil
    ) -> (error: ErrorCode, offset: Int64) {
        let bytes = batch.bytes
        let frame = FrameBuffer(bytes)
        let data = ProduceRequest.PartitionData(
            index: partition, records: Records(slice: FrameSlice(frame: frame, range: 0..<bytes.count)))
        let request = ProduceRequest(
            transactionalId: transactionalId, topics: [.init(name: topic, partitions: [data])])
        let result = ask(request, version: version)?.topics.first?.partitions.first
        return (result?.error ?? .unknownServerError, result?.baseOffset ?? -1)
    }

    /// The values a reader sees of a partition, filtered as clients filter for `read_committed`.
    func read(_ topic: String = "t", partition: Int32 = 0, committed: Bool = false, from: Int64 = 0) -> [String] {
        var values: [String] = []
        var offset = from
        while true {
            let asked = FetchRequest.PartitionRequest(index: partition, fetchOffset: offset, maxBytes: 300)
            let request = FetchRequest(
                maxWaitMs: 0, minBytes: 1, isolationLevel: committed ? 1 : 0,
                topics: [.init(name: topic, partitions: [asked])])
            guard let result = ask(request, version: 12)?.topics.first?.partitions.first, result.error == .none,
                let slice = result.records.slice, !slice.range.isEmpty
            else { return values }
            var aborted = result.aborted ?? []
            var abortedNow: Set<Int64> = []
            let start = offset
            for batch in TestBatch.parse(Array(slice.bytes)) {
                while let first = aborted.first, first.firstOffset <= batch.header.baseOffset {
                    abortedNow.insert(first.producerId)
                    aborted.removeFirst()
                }
                if batch.header.isControl {
                    if batch.isAbort { abortedNow.remove(batch.header.producerId) }
                } else if !committed || !batch.header.isTransactional || !abortedNow.contains(batch.header.producerId) {
                    for (index, value) in batch.values.enumerated()
                    where batch.header.baseOffset + Int64(index) >= offset { values.append(value) }
                }
                offset = batch.header.nextOffset
            }
            guard offset > start else { return values }
        }
    }
}
