import Glibc

/// The bytes of one request, as they arrived. It grows with what has arrived, never with what a length field claims.
///
/// Confined to the broker's loop.
final class FrameBuffer {
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    /// Bytes that have arrived.
    private(set) var count = 0

    /// An empty buffer, with room for `capacity` bytes.
    init(capacity: Int) {
        self.capacity = max(capacity, 64)
        base = .allocate(byteCount: self.capacity, alignment: 16)
    }

    /// A whole frame.
    convenience init(_ bytes: [UInt8]) {
        self.init(capacity: bytes.count)
        bytes.withUnsafeBytes { append($0) }
    }

    deinit { base.deallocate() }

    /// What has arrived; valid while the buffer lives and is not appended to.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Appends bytes.
    func append(_ more: UnsafeRawBufferPointer) {
        guard let source = more.baseAddress else { return }
        makeRoom(more.count)
        (base + count).copyMemory(from: source, byteCount: more.count)
        count += more.count
    }

    /// Lets `fill` write at most `limit` bytes behind what has arrived; it returns how many it wrote (negative: none).
    func appendDirectly(limit: Int, _ fill: (UnsafeMutableRawPointer, Int) -> Int) -> Int {
        // The room offered is what has arrived already, so a false length never costs more than twice the bytes sent.
        makeRoom(min(limit, max(count, 64 << 10)))
        let written = fill(base + count, min(limit, capacity - count))
        if written > 0 { count += written }
        return written
    }

    private func makeRoom(_ more: Int) {
        guard capacity - count < more else { return }
        capacity = max(capacity * 2, count + more)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = larger
    }
}

/// A part of a frame, kept without a copy.
struct FrameSlice {
    let frame: FrameBuffer
    let range: Range<Int>

    /// The bytes; valid while the slice lives.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: frame.bytes[range]) }
}
