import StreamEngine

/// The values of a column chunk's dictionary page.
enum PageDictionary {
    case integers([Int64])
    case doubles([Double])
    case texts([ByteString])

    /// Reads a dictionary page, whose values are PLAIN.
    init(_ bytes: PageBytes, count: Int, type: ParquetPhysicalType) throws(PageFailure) {
        let least: Int
        switch type {
        case .int64, .double: least = 8
        case .int32, .float, .byteArray: least = 4
        case .boolean, .int96, .fixedLenByteArray: throw PageFailure("a dictionary of values of type \(type)")
        }
        // Before anything is made for them.
        guard count <= bytes.count / least else {
            throw PageFailure("a dictionary of \(count) values in \(bytes.count) bytes")
        }
        let plain = PlainValues(bytes, type: type)
        switch type {
        case .float, .double: self = .doubles(try plain.doubles(count))
        case .byteArray: self = .texts(try plain.texts(count).dictionary)
        case .int32, .int64, .boolean, .int96, .fixedLenByteArray: self = .integers(try plain.integers(count))
        }
    }
}

/// RLE_DICTIONARY (and PLAIN_DICTIONARY, its old name): a byte for the width, then codes in runs.
final class DictionaryValues: PageValues {
    let encoding = ParquetEncoding.rleDictionary
    private let dictionary: PageDictionary
    private var codes: RunValues

    init(_ bytes: PageBytes, _ dictionary: PageDictionary) throws(PageFailure) {
        var bytes = bytes
        // A page of nulls only may have no bytes at all.
        let width = bytes.count == 0 ? 0 : Int(try bytes.byte())
        codes = try RunValues(bytes, width: width)
        self.dictionary = dictionary
    }

    private func code(below bound: Int) throws(PageFailure) -> Int {
        let code = try codes.next()
        guard code < bound else { throw PageFailure("code \(code) of a dictionary of \(bound) values") }
        return Int(code)
    }

    func integers(_ count: Int) throws(PageFailure) -> [Int64] {
        guard case .integers(let known) = dictionary else { throw PageFailure("a dictionary of another type") }
        var values: [Int64] = []
        values.reserveCapacity(count)
        for _ in 0..<count { values.append(known[try code(below: known.count)]) }
        return values
    }

    func doubles(_ count: Int) throws(PageFailure) -> [Double] {
        guard case .doubles(let known) = dictionary else { throw PageFailure("a dictionary of another type") }
        var values: [Double] = []
        values.reserveCapacity(count)
        for _ in 0..<count { values.append(known[try code(below: known.count)]) }
        return values
    }

    func texts(_ count: Int) throws(PageFailure) -> TextColumn {
        guard case .texts(let known) = dictionary else { throw PageFailure("a dictionary of another type") }
        var column = TextColumn(dictionary: known, codes: [])
        column.codes.reserveCapacity(count)
        for _ in 0..<count { column.codes.append(Int32(try code(below: known.count))) }
        return column
    }
}
