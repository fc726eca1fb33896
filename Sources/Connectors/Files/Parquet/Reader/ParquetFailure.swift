/// A file that is not Parquet, is damaged, or uses what this program does not read: what was found, in which file and where.
public struct ParquetFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public let path: String
    /// Bytes from the start of the file; nil where the place does not matter.
    public let offset: Int64?
    public let detail: String
    /// Whether the file may well be whole, but is not one of ours: the arguments are wrong, not the disk.
    public let isForeign: Bool

    init(_ path: String, at offset: Int64? = nil, _ detail: String, isForeign: Bool = false) {
        self.path = path
        self.offset = offset
        self.detail = detail
        self.isForeign = isForeign
    }

    public var description: String { "\(path)\(offset.map { " at byte \($0)" } ?? ""): \(detail)" }
}

/// What is wrong within a page; who reads the file adds where.
struct PageFailure: Error {
    let detail: String

    init(_ detail: String) { self.detail = detail }
}
