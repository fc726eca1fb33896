import StreamEngine

/// The values of one page that are not null, in order, as one encoding holds them. An encoding that cannot hold values of
/// a type says so; each is one small file.
protocol PageValues: AnyObject {
    var encoding: ParquetEncoding { get }
    /// The next `count` values of an integer, timestamp or boolean column.
    func integers(_ count: Int) throws(PageFailure) -> [Int64]
    /// The next `count` values of a floating-point column.
    func doubles(_ count: Int) throws(PageFailure) -> [Double]
    /// The next `count` values of a text column.
    func texts(_ count: Int) throws(PageFailure) -> TextColumn
}

extension PageValues {
    func integers(_ count: Int) throws(PageFailure) -> [Int64] {
        throw PageFailure("whole numbers in encoding \(encoding)")
    }
    func doubles(_ count: Int) throws(PageFailure) -> [Double] { throw PageFailure("doubles in encoding \(encoding)") }
    func texts(_ count: Int) throws(PageFailure) -> TextColumn { throw PageFailure("text in encoding \(encoding)") }
}

/// Bytes of text that one batch may unfold to: prefixes shared in a page take no room there.
let batchTextBytesMax = 256 << 20
