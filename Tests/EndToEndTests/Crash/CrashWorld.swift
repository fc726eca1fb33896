import Connectors
import Glibc
import Platform
import StreamEngine
import TestSupport
import Testing

/// A broker process, a job in a directory of its own whose processes come and go, and input fed little by little.
final class CrashWorld {
    let job: CrashJob
    let scratch: Scratch
    private let workload: CrashWorkload
    private let data: Scratch
    private let producer: KafkaProducer
    private let port: UInt16
    private let topics: String
    private let brokerOptions: [String]
    private var broker: RunningProgram
    private var next = 0
    private let clock = SystemClock()
    /// Members that ended by SIGKILL.
    private(set) var kills = 0
    /// Members that ever started.
    private var starts: Set<String> = []
    /// What every start said, for a test that fails.
    private var logs: [(name: String, program: RunningProgram)] = []

    var brokers: String { "127.0.0.1:\(port)" }

    init(_ job: CrashJob, _ workload: CrashWorkload, brokerOptions: [String] = []) throws {
        self.job = job
        self.workload = workload
        scratch = try Scratch()
        data = try Scratch()
        topics =
            (["\(CrashWorkload.topic):\(workload.messages.count)", "changes:1"]
            + job.topics.map { "\($0.name):\($0.partitions)" })
            .joined(separator: ",")
        let options = ["--topics", topics, "--config", "group.min.session.timeout.ms=200"] + brokerOptions
        self.brokerOptions = options
        let directory = data
        (broker, port) = try withOwnPort { (try Self.startBroker($0, options, directory), $0) }
        producer = try KafkaProducer(KafkaConnection(brokers: "127.0.0.1:\(port)")) { _ in }
        for event in workload.events {
            try Array(event.utf8).withUnsafeBytes { try producer.send(topic: "changes", value: $0, partition: 0) }
        }
        try producer.flush(timeoutMs: Int(hungAfterMs))
    }

    deinit {
        producer.close()
        broker.signal(SIGKILL)
        _ = try? broker.result()
    }

    private static func startBroker(
        _ port: UInt16, _ options: [String], _ data: Scratch
    ) throws -> RunningProgram {
        let arguments = ["broker", "--listen", "127.0.0.1:\(port)", "--data", data.file("data"), "--no-auto-create"]
        let program = try BuiltProgram.start(BuiltProgram.path, arguments + options, in: data)
        try waitUntil("the broker listens", state: { (try? program.errors()) ?? "" }) {
            if let code = try program.code() {
                throw NotReached(description: "the broker ended with \(code): \(try program.errors())")
            }
            return try program.output().hasPrefix("listening on 127.0.0.1:\(port)\n")
        }
        return program
    }

    /// Kills the broker and starts it again on its data.
    func restartBroker() throws {
        broker.signal(SIGKILL)
        _ = try broker.result()
        broker = try Self.startBroker(port, brokerOptions, data)
    }

    /// Sends each partition's next messages.
    func feed(_ count: Int) throws {
        let end = min(next + count, (workload.messages.first ?? []).count)
        for index in next..<end {
            for (partition, messages) in workload.messages.enumerated() {
                try Array(messages[index].utf8).withUnsafeBytes {
                    try producer.send(topic: CrashWorkload.topic, value: $0, partition: Int32(partition))
                }
            }
        }
        next = end
        try producer.flush(timeoutMs: Int(hungAfterMs))
    }

    /// Starts a member; static where it has an instance.
    func start(_ instance: String?, environment: [String] = [], arguments: [String] = []) throws -> RunningProgram {
        let name = instance ?? "dynamic"
        starts.insert(name)
        let file = try scratch.write(job.text(brokers: brokers, instance: instance), to: "job-\(name).yaml")
        let program = try BuiltProgram.start(
            BuiltProgram.path, ["run", file, "--summary", "json"] + arguments, environment: environment, in: scratch)
        logs.append(("\(logs.count) \(name) \(environment.joined(separator: " "))", program))
        return program
    }

    /// Feeds `messages` to each partition, a few at a time, until `isDone` or the time is over; gives whether it was done.
    /// The time is a pace: of what goes on meanwhile nothing is asked for.
    @discardableResult
    func feed(_ messages: Int, forMs: Int64, until isDone: () throws -> Bool = { false }) throws -> Bool {
        let last = next + messages
        let deadlineNs = clock.monotonicNs() + forMs * 1_000_000
        while clock.monotonicNs() < deadlineNs {
            if try isDone() { return true }
            if next < last { try feed(2) }
            // A pace, so that a member makes many epochs of it; no result hangs on it.
            clock.sleep(ms: 20)
        }
        return try isDone()
    }

    /// Feeds each partition a message whenever an epoch has been written, until `isDone`: as many epochs as it takes, however
    /// slow the members are.
    func feedByEpochs(_ what: String, until isDone: () throws -> Bool) throws {
        var before = try newestEpoch()
        try feed(1)
        try waitUntil(what, state: { self.words }) {
            if try isDone() { return true }
            let now = try newestEpoch()
            if now != before {
                before = now
                try feed(1)
            }
            return false
        }
    }

    /// Feeds by epochs until this member, the only one that runs, has written `count` of them.
    func feed(epochs count: Int) throws {
        let first = try newestEpoch()
        var seen: Set<Epoch> = []
        try feedByEpochs("\(count) epochs") {
            if let now = try newestEpoch(), now != first { seen.insert(now) }
            return seen.count >= count
        }
    }

    /// A file of state.
    struct Epoch: Hashable {
        let path: String
        let modifiedMs: Int64
    }

    /// The newest file of state; nil before the first.
    func newestEpoch() throws -> Epoch? {
        let files = PosixFileSystem()
        let directory = scratch.file("checkpoint/epochs")
        guard try files.exists(directory) else { return nil }
        var newest: (epoch: Epoch, number: Int)?
        for incarnation in try files.list(directory) {
            for name in try files.list("\(directory)/\(incarnation)") {
                let path = "\(directory)/\(incarnation)/\(name)"
                // One that is gone by now is not the newest.
                guard let number = Int(name), let status = try files.status(path) else { continue }
                if (status.modifiedMs, number) > (newest?.epoch.modifiedMs ?? 0, newest?.number ?? -1) {
                    newest = (Epoch(path: path, modifiedMs: status.modifiedMs), number)
                }
            }
        }
        return newest?.epoch
    }

    /// Kills a member with SIGKILL. One that ended otherwise has failed.
    func kill(_ program: RunningProgram) throws {
        program.signal(SIGKILL)
        let result = try program.result()
        guard result.code == 128 + SIGKILL else {
            throw NotReached(description: "a member ended by itself, exit code \(result.code): \(result.errors)")
        }
        kills += 1
    }

    /// Waits until a member reads.
    func waitUntilReading(_ program: RunningProgram) throws {
        try waitUntil("a member has partitions", state: { self.words }) {
            if let code = try program.code() {
                throw NotReached(description: "a member ended with \(code): \(try program.errors())")
            }
            return try program.errors().contains("reading \(CrashWorkload.topic)/")
        }
    }

    /// Whether a process was stopped by SIGSTOP.
    func isStopped(_ program: RunningProgram) throws -> Bool {
        let text = String(
            decoding: try PosixFileSystem().readAll("/proc/\(program.pid)/stat", limit: 4096), as: UTF8.self)
        return text.split(separator: ")").last?.split(separator: " ").first == "T"
    }

    /// What the last starts said.
    var words: String {
        logs.suffix(4).map { "--- \($0.name)\n" + (((try? $0.program.errors()) ?? "").suffix(1500)) }
            .joined(separator: "\n")
    }

    /// Feeds the rest, lets the job read to its end, and gives its output and summary.
    func finish(_ instance: String?) throws -> (output: CrashOutput, summary: JSON) {
        try feed(workload.messages.reduce(0) { max($0, $1.count) })
        // What is there for a member is what the group gives it: others that were killed must be forgotten first.
        if starts.count > 1 { try waitForEmptyGroup() }
        let result = try start(instance, arguments: ["--available-now"]).result()
        guard result.code == 0 else {
            throw NotReached(description: "the last run ends with \(result.code): \(result.errors)\n\(words)")
        }
        guard let line = result.output.split(separator: "\n").last else {
            throw NotReached(description: "no summary: \(result.errors)")
        }
        return (try CrashOutput(job, brokers: brokers, directory: scratch.path), try JSON(line))
    }

    private func waitForEmptyGroup() throws {
        let group = try KafkaIdleGroup(
            LiveJob.definition(job.text(brokers: brokers, instance: nil), brokers: brokers), log: { _ in })
        try waitUntil("the group has forgotten its members", state: { self.words }) {
            try group.memberCount(timeoutMs: Int(hungAfterMs)) == 0
        }
    }

    /// As `finish`, and compares with an undisturbed run: what differs, in words, and what is wrong with the checkpoint.
    func finish(_ instance: String?, against expected: CrashExpectation) throws -> [String] {
        var (output, summary) = try finish(instance)
        // A transaction that a killed member left open ends after 10 s at the latest; until then readers stop before it.
        do {
            try waitUntil("the output of an undisturbed run", pauseMs: 500) {
                output = try CrashOutput(job, brokers: brokers, directory: scratch.path)
                return output == expected.output
            }
        } catch is NotReached {
            // What differs for good is told below.
        }
        var differences = output.differences(from: expected.output)
        for part in ["queries", "partitions"] {
            let found = CrashExpectation.ledger(summary[part])
            let wanted = CrashExpectation.ledger(expected.summary[part])
            if found != wanted { differences.append("\(part): \(found), expected \(wanted)") }
        }
        let verified = try BuiltProgram.run(["checkpoint", "verify", scratch.file("checkpoint")], in: scratch)
        if verified.code != 0 { differences.append("\(verified.output)\(verified.errors)") }
        return differences
    }
}

/// What an undisturbed run puts out.
struct CrashExpectation: Sendable {
    let output: CrashOutput
    let summary: JSON

    init(_ job: CrashJob, _ workload: CrashWorkload) throws {
        let world = try CrashWorld(job, workload)
        (output, summary) = try world.finish("a")
        let empty = output.counts.filter { $0.value == 0 }.keys.sorted()
        try #require(empty.isEmpty, "nothing came out at \(empty): \(output.counts)")
        // `run` and `replay` are one code path with two ways around it: their rows must be equal.
        let replay = try Replay(
            world.scratch.file("job-a.yaml"), inputs: try workload.write(in: world.scratch),
            options: ["--keep-open"], in: world.scratch)
        for path in job.rowFiles {
            let found = try CrashOutput.keyed(ManifestReader(directory: "\(replay.output)/\(path)"))
            let differences = CrashOutput.differences(path, found, expected: output.places[path] ?? [:])
            try #require(differences.isEmpty, "replay against run: \(differences)")
        }
    }

    /// The counts of a summary that restarts must not change.
    static func ledger(_ part: JSON?) -> [String: [String: Double]] {
        guard case .object(let members)? = part else { return [:] }
        let names = [
            "decoded", "filtered", "aggregated", "late", "partlyLate", "limitDrops", "records", "samples", "bad",
            "future",
            "staleMarkers",
        ]
        return members.mapValues { member in
            Dictionary(names.compactMap { name in member[name]?.number.map { (name, $0) } }) { first, _ in first }
        }
    }
}
