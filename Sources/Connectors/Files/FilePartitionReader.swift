import Glibc
import Platform
import StreamEngine

/// Reads one file, plain or compressed, as a partition whose records are lines.
///
/// Hands over chunks of whole lines out of one buffer of at most `chunkBytes` + the longest line; the last line needs no
/// line end. The buffer starts small and grows with use, so that many files opened for a first look cost little.
///
/// **Long lines.** A line longer than `longLineBytes` (twice `maxLineBytes`, 64 KiB at least) is not kept whole: its
/// first `longLineBytes` bytes and an LF are handed over, the rest is passed over. So the decoder counts one line and
/// reports one `lineTooLong`, line numbers stay right, and no line costs more memory than that. Shorter ones always come
/// whole.
public final class FilePartitionReader: PartitionReader {
    public let id: PartitionID
    /// The file.
    public let path: String

    private let files: any FileSystem
    private let chunkBytesMax: Int
    private let longLineBytes: Int
    /// Only what can be opened again and read from the same place can be given up for a while; pipes cannot.
    private let isRegular: Bool

    private var reader: DecompressingReader?
    private var isOver = false
    /// Bytes at hand: `buffer[0..<filled]`, always from the start of a line (or of what is passed over).
    private var buffer = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var filled = 0
    private var chunkBytes: Int
    /// Inside a line too long to keep: what comes up to the next LF is passed over.
    private var isSkippingLine = false
    /// The number of the first line at hand, from 0.
    private(set) var nextLine: Int64 = 0
    /// Decompressed bytes before `buffer[0]`.
    private var position: Int64 = 0
    /// The latest place known to lie at or before `position` from which the file can be read again.
    private var restartPoint = DecompressingReader.RestartPoint.start
    private var consumedBytes: Int64 = 0
    private let totalBytes: Int64

    private static let firstChunkBytes = 64 * 1024

    /// A reader of `path`, opened at the first read. `maxLineBytes` is the job's limit.
    public init(
        id: PartitionID, path: String, status: FileStatus, files: any FileSystem = PosixFileSystem(),
        maxLineBytes: Int = 64 * 1024, chunkBytes: Int = 256 * 1024
    ) {
        self.id = id
        self.path = path
        self.files = files
        chunkBytesMax = max(chunkBytes, 1)
        self.chunkBytes = min(Self.firstChunkBytes, chunkBytesMax)
        longLineBytes = max(2 * min(maxLineBytes, 1 << 40), 64 * 1024) + 2
        isRegular = status.kind == .file
        totalBytes = status.size
    }

    deinit { buffer.deallocate() }

    public var progress: (consumed: Int64, total: Int64)? {
        isRegular ? (min(consumedBytes, totalBytes), totalBytes) : nil
    }

    public func read(maxBytes: Int, _ body: (RawRecord) throws -> Void) throws -> ReadOutcome {
        let start = position
        while true {
            let outcome = try readChunk(maxBytes: maxBytes - Int(position - start), body)
            guard case .more = outcome, maxBytes > chunkBytesMax, position - start < Int64(maxBytes) else {
                return outcome
            }
        }
    }

    /// Hands over a chunk of lines, or the last ones, or finds the end.
    private func readChunk(maxBytes: Int, _ body: (RawRecord) throws -> Void) throws -> ReadOutcome {
        while !isOver {
            let reader = try open()
            if !isSkippingLine, filled > 0, try handOver(isLast: false, body) { return .more }
            let isEnd = try fill(from: reader, wanted: max(min(maxBytes, chunkBytes), 1))
            chunkBytes = min(chunkBytes * 2, chunkBytesMax)
            if isSkippingLine { skipLine() }
            if isEnd {
                try checkWhole(reader)
                finish()
                if filled > 0 {
                    _ = try handOver(isLast: true, body)
                    return .more
                }
            } else if !isSkippingLine, try handOver(isLast: false, body) {
                return .more
            }
        }
        close()
        return .endOfInput
    }

    private func open() throws(ReadFailure) -> DecompressingReader {
        if let reader { return reader }
        let reader: DecompressingReader
        do throws(ReadFailure) {
            reader = try DecompressingReader(opening: path, files: files, at: restartPoint)
            try reader.skip(position - restartPoint.decompressedOffset)
            guard reader.producedBytes == position else {
                throw .truncated(path: path, compression: reader.compression, offset: reader.consumedBytes)
            }
        } catch {
            isOver = true
            throw error
        }
        self.reader = reader
        return reader
    }

    /// Reads on behind what is at hand; returns whether the file is at its end.
    private func fill(from reader: DecompressingReader, wanted: Int) throws(ReadFailure) -> Bool {
        if reader.compression == .none {
            restartPoint = .init(compressedOffset: position, decompressedOffset: position)
        } else if reader.restartPoint.decompressedOffset <= position {
            restartPoint = reader.restartPoint
        }
        if buffer.count < filled + wanted { grow(to: filled + wanted) }
        let room = UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<(filled + wanted)])
        do throws(ReadFailure) {
            let count = try reader.read(into: room)
            filled += count
            consumedBytes = reader.consumedBytes
            return count < wanted
        } catch {
            isOver = true
            throw error
        }
    }

    /// A plain file does not tell by itself that it was cut: its last line would be taken for whole.
    private func checkWhole(_ reader: DecompressingReader) throws(ReadFailure) {
        let end = position + Int64(filled)
        guard isRegular, reader.compression == .none, end < totalBytes else { return }
        isOver = true
        throw .truncated(path: path, compression: .none, offset: end)
    }

    private func grow(to count: Int) {
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
        buffer.deallocate()
        buffer = larger
    }

    /// Hands over the whole lines at hand (at the file's end, all bytes), or the start of a line too long to keep.
    /// Returns false where there is neither.
    private func handOver(isLast: Bool, _ body: (RawRecord) throws -> Void) throws -> Bool {
        var count = filled
        if !isLast {
            if let lastLineEnd = buffer[..<filled].lastIndex(of: 10) {
                count = lastLineEnd + 1
            } else if filled > longLineBytes {
                return try handOverStartOfLongLine(body)
            } else {
                return false
            }
        }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        let firstLine = nextLine
        nextLine += lines(in: bytes)
        try body(
            RawRecord(
                bytes: bytes.bindMemory(to: UInt8.self), offset: firstLine, timestampMs: nil, linesAreRecords: true))
        drop(count)
        return true
    }

    private func handOverStartOfLongLine(_ body: (RawRecord) throws -> Void) throws -> Bool {
        buffer[longLineBytes] = 10
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[...longLineBytes])
        try body(
            RawRecord(
                bytes: bytes.bindMemory(to: UInt8.self), offset: nextLine, timestampMs: nil, linesAreRecords: true))
        nextLine += 1
        isSkippingLine = true
        drop(filled)
        return true
    }

    /// Passes over the rest of a long line, as far as it is at hand.
    private func skipLine() {
        guard let base = buffer.baseAddress, filled > 0 else { return }
        guard let lineEnd = memchr(base, 10, filled) else { return drop(filled) }
        drop(base.distance(to: lineEnd) + 1)
        isSkippingLine = false
    }

    /// Takes bytes from the front of the buffer.
    private func drop(_ count: Int) {
        let rest = filled - count
        if rest > 0, let base = buffer.baseAddress { memmove(base, base + count, rest) }
        filled = rest
        position += Int64(count)
    }

    private func lines(in bytes: UnsafeRawBufferPointer) -> Int64 {
        guard let base = bytes.baseAddress else { return 0 }
        var count: Int64 = 0
        var at = 0
        while at < bytes.count, let lineEnd = memchr(base + at, 10, bytes.count - at) {
            count += 1
            at = base.distance(to: lineEnd) + 1
        }
        return at < bytes.count ? count + 1 : count
    }

    private func finish() {
        isOver = true
        // Every byte is in the buffer; a failing close of a file that was only read loses nothing.
        _ = try? reader?.close()
        reader = nil
    }

    public func hibernate() {
        guard isRegular, !isOver else { return }
        reader = nil
        buffer.deallocate()
        buffer = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        filled = 0
        chunkBytes = min(Self.firstChunkBytes, chunkBytesMax)
    }

    public func close() {
        isOver = true
        reader = nil
        buffer.deallocate()
        buffer = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        filled = 0
    }
}
