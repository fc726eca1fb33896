/// Runs of bytes in one run of memory: each takes its length (4 bytes) and itself, to the next multiple of four.
///
/// What is taken away leaves its bytes until the owner moves the rest together.
struct ByteRuns: ~Copyable {
    private var run = GrowingRun<UInt8>()
    private var wasted = 0
    private let most: Int

    /// Runs that take at most so many bytes; places of 32 bits tell 16 GiB apart.
    init(most: Int = 1 << 34) {
        // Limits stand in the code.
        precondition(most <= 1 << 34, "places of 32 bits tell 16 GiB apart")
        self.most = most
    }

    /// Bytes taken.
    var byteCount: Int { run.byteCount }
    /// Whether half of the bytes are of no use.
    var isWasteful: Bool { wasted > 1 << 16 && wasted > run.count / 2 }

    /// Adds a run; gives where it stands, counted in four bytes, at most `most` / 4 - 1; nil when there is no room for it.
    mutating func add(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt32? {
        guard bytes.count <= Int(UInt32.max), run.count + ByteRuns.size(bytes.count) <= most else { return nil }
        let place = UInt32(truncatingIfNeeded: run.count / 4)
        let start = UnsafeMutableRawPointer(run.extend(by: ByteRuns.size(bytes.count)))
        start.storeBytes(of: UInt32(truncatingIfNeeded: bytes.count), as: UInt32.self)
        if let from = bytes.baseAddress { (start + 4).copyMemory(from: from, byteCount: bytes.count) }
        return place
    }

    /// The run at a place.
    func bytes(_ place: UInt32) -> UnsafeBufferPointer<UInt8> {
        let start = UnsafeRawPointer(run.base) + Int(place) * 4
        return UnsafeBufferPointer(
            start: (start + 4).assumingMemoryBound(to: UInt8.self), count: Int(start.load(as: UInt32.self)))
    }

    /// A run is of no use any more.
    mutating func drop(_ place: UInt32) { wasted += ByteRuns.size(bytes(place).count) }

    private static func size(_ count: Int) -> Int { (count + 7) & ~3 }
}
