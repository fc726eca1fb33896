/// How a file is compressed.
public enum Compression: String, Sendable, CaseIterable {
    case none, gzip, zstd, lz4

    /// What a compressed file's name ends with; empty for `none`.
    public var fileExtension: String {
        switch self {
        case .none: ""
        case .gzip: ".gz"
        case .zstd: ".zst"
        case .lz4: ".lz4"
        }
    }

    /// What a file's name promises.
    public init(forName path: String) {
        self = Self.allCases.first { $0 != .none && path.hasSuffix($0.fileExtension) } ?? .none
    }

    /// What a file's first bytes say; nil where they are too few to tell, or begin a skippable frame (which zstd and
    /// lz4 share).
    static func recognise(_ head: UnsafeRawBufferPointer) -> Compression? {
        if head.count >= 2, head[0] == 0x1f, head[1] == 0x8b { return .gzip }
        guard head.count >= 4 else { return nil }
        switch UInt32(littleEndian: head.loadUnaligned(as: UInt32.self)) {
        case 0xFD2F_B528: return .zstd
        case 0x184D_2204: return .lz4
        case 0x184D_2A50...0x184D_2A5F: return nil
        default: return Compression.none
        }
    }

    /// A decompressor of this format; nil for `none`.
    func makeDecompressor() -> (any Decompressor)? {
        switch self {
        case .none: nil
        case .gzip: GzipDecompressor()
        case .zstd: ZstdDecompressor()
        case .lz4: Lz4Decompressor()
        }
    }
}

/// A step of decompression.
struct DecompressionStep {
    /// Bytes taken from the input.
    var consumed: Int
    /// Bytes written to the output.
    var produced: Int
    /// Whether a frame (gzip: member) ended here and all its bytes are out.
    var isFrameEnd: Bool
}

/// What a decompressor found wrong with its input, in words.
struct DecompressionProblem: Error {
    let text: String
}

/// Decompresses a sequence of frames (gzip: members), one after another without end.
protocol Decompressor: AnyObject {
    /// Takes some input and writes some output. Progress is made unless the input is empty or the output full.
    func step(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(DecompressionProblem) -> DecompressionStep
}

/// A compressor failed (out of memory, or more bytes than its format takes).
public struct CompressionFailure: Error, Sendable, CustomStringConvertible {
    public let description: String

    /// A failure in words.
    public init(_ description: String) { self.description = description }
}

extension Compression {
    /// One whole frame (gzip: member) of `bytes`; the bytes themselves for `none`. Frames one after another are a file
    /// of this format, so a file can be cut after each.
    public func frame(_ bytes: [UInt8]) throws(CompressionFailure) -> [UInt8] {
        switch self {
        case .none: bytes
        case .gzip: try Self.gzipMember(bytes)
        case .zstd: try Self.zstdFrame(bytes)
        case .lz4: try Self.lz4Frame(bytes)
        }
    }
}
