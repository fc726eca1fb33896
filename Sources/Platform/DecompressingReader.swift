/// Why a file could not be read to its end.
public enum ReadFailure: Error, Sendable, Equatable, CustomStringConvertible {
    case file(IOFailure)
    /// The file ends inside a frame: it was cut short at `offset` (its length).
    case truncated(path: String, compression: Compression, offset: Int64)
    /// The bytes around `offset` of the compressed file do not decompress.
    case damaged(path: String, compression: Compression, offset: Int64, detail: String)
    /// The name promises a compression that the first bytes are not of.
    case notCompressed(path: String, compression: Compression)

    /// The file concerned.
    public var path: String {
        switch self {
        case .file(let failure): failure.path
        case .truncated(let path, _, _), .damaged(let path, _, _, _), .notCompressed(let path, _): path
        }
    }

    public var description: String {
        switch self {
        case .file(let failure): failure.description
        case .truncated(let path, .none, let offset):
            "\(path) became shorter while it was read: it ends at byte \(offset); do not write to input files"
        case .truncated(let path, let compression, let offset):
            "\(path) is truncated: its \(compression.rawValue) data ends in the middle of a frame at byte \(offset); "
                + "copy the file again from where it is whole"
        case .damaged(let path, let compression, let offset, let detail):
            "\(path) is damaged: its \(compression.rawValue) data cannot be decompressed at byte \(offset) (\(detail)); "
                + "copy the file again from where it is whole"
        case .notCompressed(let path, let compression):
            "\(path) is damaged at byte 0: its first bytes are not those of \(compression.rawValue) data, which its name "
                + "promises; rename it, or copy it again from where it is whole"
        }
    }
}

/// Reads a plain, gzip, zstd or lz4 file as one stream of decompressed bytes, in bounded memory.
///
/// The compression is what the name's end promises, checked against the first bytes; a file without such an ending is
/// taken for what its first bytes say. Archives may have any number of frames. A file of no bytes is an empty plain
/// file, but a truncated archive.
public final class DecompressingReader {
    public let path: String
    public let compression: Compression
    /// Bytes in the file, compressed, when it was opened.
    public let totalBytes: Int64
    /// Compressed bytes taken so far.
    public private(set) var consumedBytes: Int64
    /// Decompressed bytes handed out so far.
    public private(set) var producedBytes: Int64
    /// A place from which reading can start anew: of a compressed file, the last frame begun; of a plain one, here.
    public private(set) var restartPoint: RestartPoint

    private let file: any File
    private let decompressor: (any Decompressor)?
    private let input: UnsafeMutableRawBufferPointer
    private var inputStart = 0
    private var inputEnd = 0
    private var fileEnded = false
    private var isBetweenFrames = true

    /// A place in a file at which a frame begins.
    public struct RestartPoint: Sendable, Equatable {
        /// Bytes of the file before it.
        public let compressedOffset: Int64
        /// Decompressed bytes before it.
        public let decompressedOffset: Int64

        /// A place; `decompressedOffset` bytes come out of the `compressedOffset` bytes before it.
        public init(compressedOffset: Int64, decompressedOffset: Int64) {
            self.compressedOffset = compressedOffset
            self.decompressedOffset = decompressedOffset
        }

        /// The start of the file.
        public static let start = RestartPoint(compressedOffset: 0, decompressedOffset: 0)
    }

    /// Opens a file, at its start or at a restart point that an earlier reader of it gave.
    public init(
        opening path: String, files: any FileSystem = PosixFileSystem(), at point: RestartPoint = .start,
        bufferBytes: Int = 128 * 1024
    ) throws(ReadFailure) {
        self.path = path
        let found: Compression?
        do throws(IOFailure) {
            file = try files.open(path, .read)
            totalBytes = try file.size()
            found = try Self.recognise(file)
            if point.compressedOffset > 0 { try file.seek(to: point.compressedOffset) }
        } catch {
            throw .file(error)
        }
        let promised = Compression(forName: path)
        if promised != .none, let found, found != promised, totalBytes >= 4 {
            throw .notCompressed(path: path, compression: promised)
        }
        compression = promised == .none ? found ?? .none : promised
        decompressor = compression.makeDecompressor()
        consumedBytes = point.compressedOffset
        producedBytes = point.decompressedOffset
        restartPoint = point
        input = .allocate(byteCount: decompressor == nil ? 0 : max(bufferBytes, 16), alignment: 16)
    }

    deinit { input.deallocate() }

    private static func recognise(_ file: any File) throws(IOFailure) -> Compression? {
        var head: UInt32 = 0
        let result = withUnsafeMutableBytes(of: &head) { buffer in
            Result { () throws(IOFailure) in
                let count = try file.read(into: buffer, at: 0)
                return Compression.recognise(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
        do throws(IOFailure) {
            return try result.get()
        } catch {
            // A pipe cannot be looked into beforehand: its name decides.
            if error.isNotSeekable { return nil }
            throw error
        }
    }

    /// Fills the buffer with decompressed bytes; fewer than it holds only at the end of the file, then 0.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(ReadFailure) -> Int {
        var filled = 0
        while filled < buffer.count {
            let count = try readSome(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    /// Passes over decompressed bytes; stops early at the end of the file.
    public func skip(_ count: Int64) throws(ReadFailure) {
        let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)
        defer { scratch.deallocate() }
        var left = count
        while left > 0 {
            let piece = UnsafeMutableRawBufferPointer(rebasing: scratch[..<Int(min(left, Int64(scratch.count)))])
            let read = try read(into: piece)
            if read == 0 { return }
            left -= Int64(read)
        }
    }

    private func readSome(into buffer: UnsafeMutableRawBufferPointer) throws(ReadFailure) -> Int {
        guard let decompressor else {
            let count = try readFile(into: buffer)
            consumedBytes += Int64(count)
            producedBytes += Int64(count)
            restartPoint = RestartPoint(compressedOffset: consumedBytes, decompressedOffset: producedBytes)
            return count
        }
        while true {
            if inputStart == inputEnd, !fileEnded {
                inputStart = 0
                inputEnd = try readFile(into: input)
                fileEnded = inputEnd == 0
            }
            if inputStart == inputEnd, fileEnded, isBetweenFrames {
                // No byte at all is no archive.
                if consumedBytes == 0 { throw .truncated(path: path, compression: compression, offset: 0) }
                return 0
            }
            if isBetweenFrames {
                restartPoint = RestartPoint(compressedOffset: consumedBytes, decompressedOffset: producedBytes)
            }
            let step: DecompressionStep
            do throws(DecompressionProblem) {
                step = try decompressor.step(
                    UnsafeRawBufferPointer(rebasing: input[inputStart..<inputEnd]), into: buffer)
            } catch {
                throw .damaged(path: path, compression: compression, offset: consumedBytes, detail: error.text)
            }
            inputStart += step.consumed
            consumedBytes += Int64(step.consumed)
            producedBytes += Int64(step.produced)
            isBetweenFrames = step.isFrameEnd
            if step.produced > 0 { return step.produced }
            if step.consumed == 0, fileEnded, !isBetweenFrames {
                throw .truncated(path: path, compression: compression, offset: consumedBytes)
            }
        }
    }

    private func readFile(into buffer: UnsafeMutableRawBufferPointer) throws(ReadFailure) -> Int {
        do throws(IOFailure) {
            return try file.read(into: buffer)
        } catch {
            throw .file(error)
        }
    }

    /// Closes the file. Reading is over.
    public func close() throws(ReadFailure) {
        do throws(IOFailure) {
            try file.close()
        } catch {
            throw .file(error)
        }
    }
}
