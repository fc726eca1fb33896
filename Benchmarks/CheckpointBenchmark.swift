import Glibc
import Platform
import StreamEngine

/// Writing state files: 20 partitions that hold 1,000,000 rows in all, 48 bytes a row (five aggregates and a key's index), of
/// which each epoch changes 1 %. The whole state once, then 20 epochs of changes, zstd, on two threads, into the directory
/// named by TMPDIR (else `/tmp`); then the state is read back. Encoding is left out: it is the engine's.
///
/// Two cores at a load of 30: whole 15.4 MiB in 155 ms; 1 % changed 175 KiB (1.1 %) in 6.8 ms (4.4 %); read in 159 ms.
func runCheckpointBenchmark() throws {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    let directory = "\(base)/checkpoint-benchmark-\(getpid())"
    let files = PosixFileSystem()
    defer { try? files.removeTree(directory) }
    try measure(directory)
}

private func measure(_ directory: String) throws {
    let partitions = (0..<20).map { PartitionID(source: "metrics", topic: "metrics", partition: $0) }
    var options = FileStateOptions()
    options.cleaningIntervalMs = 0
    let pool = WorkerPool(width: 2)
    defer { pool.stop() }
    let incarnation = EpochToken.randomIncarnation()
    let store = FileStateStore(directory: directory, incarnation: incarnation, options: options) {
        print("checkpoint: \($0)")
    }
    defer { store.close() }

    let rows = 50_000
    let wholes = partitions.map { block($0, rows: rows, isWhole: true, seed: 0) }
    let (wholeTime, wholeBytes) = try epoch(store, incarnation, 1, partitions, wholes, parent: nil, pool, directory)
    var times: [Double] = []
    var bytes: Int64 = 0
    var parent = EpochToken(incarnation: incarnation, number: 1)
    for number in 2...21 {
        let changes = partitions.map { block($0, rows: rows / 100, isWhole: false, seed: number) }
        let (time, count) = try epoch(store, incarnation, number, partitions, changes, parent: parent, pool, directory)
        times.append(time)
        bytes = count
        parent = EpochToken(incarnation: incarnation, number: number)
    }
    times.sort()
    let clock = SystemClock()
    let start = clock.monotonicNs()
    var read = 0
    // As another process would: it knows nothing of these files.
    let reader = FileStateStore(directory: directory, incarnation: "reader", options: options) {
        print("checkpoint: \($0)")
    }
    defer { reader.close() }
    for partition in partitions { read += try reader.load(partition, at: parent).reduce(0) { $0 + $1.rows } }
    let readTime = Double(clock.monotonicNs() - start) / 1e6
    let written = partitions.count * (rows + 20 * (rows / 100))
    guard read == written else { throw JobFailure("\(read) rows read of \(written) written") }
    func text(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
    print(
        "checkpoint: whole \(wholeBytes >> 10) KiB in \(text(wholeTime)) ms; 1 % changed \(bytes >> 10) KiB "
            + "(\(text(Double(bytes) * 100 / Double(wholeBytes))) %) in \(text(times[10])) ms "
            + "(\(text(times[10] * 100 / wholeTime)) %, median of 20, slowest \(text(times[19])) ms); "
            + "\(read) rows of 21 files read in \(text(readTime)) ms")
}

/// Packs on the pool and writes; milliseconds and the file's bytes.
private func epoch(
    _ store: FileStateStore, _ incarnation: String, _ number: Int, _ partitions: [PartitionID], _ blocks: [StateBlock],
    parent: EpochToken?, _ pool: WorkerPool, _ directory: String
) throws -> (ms: Double, bytes: Int64) {
    let clock = SystemClock()
    let token = EpochToken(incarnation: incarnation, number: number)
    let start = clock.monotonicNs()
    let packed = Monitor<[Int: StateBlock]>([:])
    pool.run(blocks.count) { index in
        let block = try? blocks[index].packed(.zstd)
        packed.withLock { $0[index] = block }
    }
    let sections = packed.withLock { packed in
        partitions.indices.map { index in
            PartitionSection(partition: partitions[index], parent: parent, blocks: packed[index].map { [$0] } ?? [])
        }
    }
    let record = EpochRecord(
        token: token, writtenMs: clock.wallMs(), slot: "0", isFromReplay: false,
        partitions: partitions.map {
            PartitionRecord(
                partition: $0, nextOffset: Int64(number), state: token, watermarkMs: nil, ledger: PartitionLedger())
        }, shared: [:], decisions: [])
    try store.write(record, sections: sections, shared: [])
    let time = Double(clock.monotonicNs() - start) / 1e6
    try store.decided(record)
    let path = "\(directory)/epochs/\(incarnation)/\(number)"
    return (time, try PosixFileSystem().status(path)?.size ?? 0)
}

/// Columns as state has them: an index, a count, sums of measured values.
private func block(_ partition: PartitionID, rows: Int, isWhole: Bool, seed: Int) -> StateBlock {
    var state = UInt64(bitPattern: Int64(partition.partition)) &+ UInt64(seed) &* 0x9E37_79B9_7F4A_7C15
    func random() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 16
    }
    var out = ByteWriter()
    for row in 0..<rows { out.write(UInt64(isWhole ? row : Int(random() % 50_000))) }
    for _ in 0..<rows { out.write(random() % 16) }
    for _ in 0..<(4 * rows) { out.write(Double(random() % 100_000) / 100) }
    return StateBlock(id: .windows(query: "cpu", partition), isWhole: isWhole, bytes: out.bytes, rows: rows)
}
