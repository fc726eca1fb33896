/// A file that is not Parquet, is damaged, or uses what this program does not read: what was found, in which file and where.
public struct ParquetFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public let path: String
    /// Bytes from the start of the file; nil where the place does not matter.
    public let offset: Int64?
    public let detail: String

    init(_ path: String, at offset: Int64? = nil, _ detail: String) {
        self.path = path
        self.offset = offset
        self.detail = detail
    }

    public var description: String { "\(path)\(offset.map { " at byte \($0)" } ?? ""): \(detail)" }
}

/// What is wrong within a page; who reads the file adds where.
struct PageFailure: Error {
    let detail: String

    init(_ detail: String) { self.detail = detail }
}
