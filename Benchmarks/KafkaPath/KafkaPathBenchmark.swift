import Glibc
import Platform
import StreamEngine

// What the way through Kafka costs beside the work itself. Four processes take turns over the same bytes (text exposition
// of some 134 bytes a sample, lz4 batches, 4 partitions, an embedded broker on disk in a process of its own):
//
// - bare: librdkafka's consumer, counting bytes;
// - replay: the job over the bytes in memory, one thread;
// - live: the job as `run` does it, one data-plane thread: group, state on disk, rows to a topic, a transaction an epoch
//   (1 s). Its own threads are all but librdkafka's (`rdk:…`): coordinator and data plane, snapshots, wake-ups.
//
// A live run takes some seconds and several epochs, so that its start (group, connections, first pages of memory) weighs
// little; replay holds all bytes in memory (2.4 GB). Samples per CPU-second of the process's own threads, and of the
// whole process. `ratio` is live against the smaller of the other two, `ofBothInTurn` against doing one after the other.
// Three rounds in turn, medians. A process fails, and with it the benchmark, unless it has seen all samples and made the
// rows that they must give. Data lies under /tmp (3 GB) and is removed at the end, also where the benchmark is killed: by the
// broker, when its standard input ends.

/// Runs the processes: with scrapes of 250 samples a message, then with one sample a message.
func runKafkaPathBenchmark() throws {
    try PathRoles.play(Array(CommandLine.arguments.dropFirst(2)))
    var many = PathInput()
    many.samples = 18_000_000
    var single = PathInput()
    single.lines = 1
    single.samples = 6_000_000
    if let text = getenv("KAFKA_PATH_SAMPLES"), let samples = Int(String(cString: text)) {
        (many.samples, single.samples) = (samples, samples)
    }
    for input in [many, single] { try measure(input) }
}

private func measure(_ input: PathInput) throws {
    var bytes = 0
    input.forEachMessage { bytes += $1.count }
    print(
        "kafka-path: \(input.samples) samples in \(input.messages) messages, \(bytes / input.samples) B a sample, "
            + "\(input.series) series, \(input.partitions) partitions")
    var template = Array("/tmp/kafka-path-XXXXXX".utf8CString)
    guard let path = mkdtemp(&template) else { throw JobFailure("no directory: errno \(errno)") }
    let directory = String(cString: path)
    defer { _ = try? PosixFileSystem().removeTree(directory) }
    // The broker ends when its standard input does: with this process.
    let fifo = "\(directory)/end"
    guard mkfifo(fifo, 0o600) == 0 else { throw JobFailure("mkfifo: errno \(errno)") }
    // Closed when this process ends, however it ends.
    let end = open(fifo, O_RDWR | O_CLOEXEC)
    let broker = try Child("broker", [directory], input: fifo)
    guard let port = broker.readLine() else { throw JobFailure("the broker does not start") }
    let brokers = "127.0.0.1:\(port)"
    try Child("feed", [brokers] + input.arguments).wait()
    var rounds: [[PathFigures]] = []
    for _ in 0..<3 {
        rounds.append([
            try Child("bare", [brokers] + input.arguments).figures(),
            try Child("replay", input.arguments).figures(),
            try Child("live", [brokers, directory] + input.arguments).figures(),
        ])
    }
    func median(_ role: Int, _ value: (PathFigures) -> Double) -> Double { rounds.map { value($0[role]) }.sorted()[1] }
    let shape = "\(input.lines) samples a message"
    func row(_ name: String, _ value: (PathFigures) -> Double, asked: Double? = nil) {
        let rates = (0..<3).map { median($0) { Double($0.samples) / value($0) } / 1e6 }
        var figures = [
            (name: "bare", value: rates[0]), ("replay", rates[1]), ("live", rates[2]),
            ("ofBothInTurn", rates[2] * (1 / rates[0] + 1 / rates[1])), ("ratio", rates[2] / min(rates[0], rates[1])),
        ]
        if let asked { figures.append(("asked", asked)) }
        report("kafka-path", "\(name), \(shape), M samples/s", figures)
    }
    row("CPU of own threads", \.ownSeconds, asked: 0.8)
    row("CPU of the process", \.allSeconds)
    row("wall", \.wallSeconds)
    print("  peak RSS: live \(Int(median(2) { Double($0.peakRSSBytes) }) >> 20) MiB")
    // Ends the broker.
    close(end)
    try broker.wait()
}

/// This program as another process, in a role.
private struct Child {
    private let pipe: UnsafeMutablePointer<FILE>
    private let role: String

    init(_ role: String, _ arguments: [String], input: String? = nil) throws {
        self.role = role
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { throw JobFailure("this program does not find itself") }
        let program = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let command = "exec '\(program)' kafka-path \(role) " + arguments.map { "'\($0)'" }.joined(separator: " ")
        guard let pipe = popen(input.map { "\(command) < '\($0)'" } ?? command, "r") else {
            throw JobFailure("\(role) does not start: errno \(errno)")
        }
        self.pipe = pipe
    }

    func readLine() -> String? {
        var text = [CChar](repeating: 0, count: 512)
        guard fgets(&text, Int32(text.count), pipe) != nil else { return nil }
        return String(decoding: text.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func wait() throws {
        guard pclose(pipe) == 0 else { throw JobFailure("\(role) failed") }
    }

    func figures() throws -> PathFigures {
        let line = readLine() ?? "nothing"
        guard let figures = PathFigures(line: line) else {
            try wait()
            throw JobFailure("\(role) says:\(line)")
        }
        try wait()
        return figures
    }
}
