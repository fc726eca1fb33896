/// An open file of the log, closed with its last user; so a deleted segment can still be sent.
final class LogFile {
    let descriptor: Int32
    /// For messages.
    var path: String

    /// Takes ownership of an open descriptor.
    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit { closeDescriptor(descriptor) }
}

/// Stored bytes to be sent straight from the file.
struct FileRegion {
    let file: LogFile
    let position: Int
    let length: Int
}

/// A response under way: encoded bytes and regions of log files between them.
struct WireOutput {
    /// One run of bytes to send.
    enum Piece {
        case bytes([UInt8])
        case region(FileRegion)

        var length: Int {
            switch self {
            case .bytes(let bytes): bytes.count
            case .region(let region): region.length
            }
        }
    }

    private(set) var pieces: [Piece] = []
    private var tail: [UInt8] = []

    /// Appends one byte.
    mutating func append(_ byte: UInt8) { tail.append(byte) }

    /// Appends bytes.
    mutating func append(_ bytes: some Sequence<UInt8>) { tail.append(contentsOf: bytes) }

    /// Appends an integer, big-endian.
    mutating func append<T: FixedWidthInteger>(bigEndian value: T) {
        withUnsafeBytes(of: value.bigEndian) { tail.append(contentsOf: $0) }
    }

    /// Appends a region of a file.
    mutating func append(_ region: FileRegion) {
        if !tail.isEmpty { pieces.append(.bytes(tail)) }
        tail = []
        pieces.append(.region(region))
    }

    /// All pieces, in order.
    consuming func finished() -> [Piece] {
        if !tail.isEmpty { pieces.append(.bytes(tail)) }
        return pieces
    }

    /// All pieces, in order, where the first four bytes were left for the length of the rest.
    consuming func framed() -> [Piece] {
        let length = UInt32(truncatingIfNeeded: self.length - 4)
        var pieces = finished()
        guard case .bytes(var first) = pieces.first, first.count >= 4 else { return pieces }
        for index in 0..<4 { first[index] = UInt8(truncatingIfNeeded: length >> UInt32(24 - 8 * index)) }
        pieces[0] = .bytes(first)
        return pieces
    }

    /// The number of bytes in all.
    var length: Int { pieces.reduce(tail.count) { $0 + $1.length } }
}
