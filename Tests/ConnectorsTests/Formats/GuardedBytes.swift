import Glibc
import Testing

/// Bytes with memory right behind them (or before them) that no one may touch: whoever reads too far ends the process.
enum GuardedBytes {
    /// Hands out a copy of bytes at the end of its pages, or at their beginning.
    static func with<Result>(
        _ bytes: [UInt8], atEnd: Bool = true, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) throws -> Result {
        let page = Int(getpagesize())
        let room = (bytes.count + page - 1) / page * page
        let map = mmap(nil, room + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        let all = try #require(map == MAP_FAILED ? nil : map)
        defer { munmap(all, room + 2 * page) }
        if room > 0 { try #require(mprotect(all + page, room, PROT_READ | PROT_WRITE) == 0) }
        let start = (all + page + (atEnd ? room - bytes.count : 0)).assumingMemoryBound(to: UInt8.self)
        start.initialize(from: bytes, count: bytes.count)
        return try body(UnsafeBufferPointer(start: start, count: bytes.count))
    }
}
