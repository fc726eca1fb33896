import StreamEngine

/// The cells of one column that wait to become a column chunk: values without the nulls, and which rows have one.
///
/// 8 bytes a value, 1 a boolean, 4 a text and each different text once, and 1 a row where there are nulls.
struct ParquetColumnBuffer {
    let type: ColumnType
    private(set) var rowCount = 0
    /// nil while every row has a value.
    private(set) var valid: [Bool]?
    private(set) var nullCount = 0

    // Of these one is used, by `type`.
    private(set) var integers: [Int64] = []
    private(set) var doubles: [Double] = []
    private(set) var booleans: [Bool] = []
    /// Indices into `texts`.
    private(set) var codes: [UInt32] = []

    /// The different texts, in the order in which they came.
    private(set) var texts: [ByteString] = []
    private(set) var textBytes = 0
    private var codeOfText: [ByteString: UInt32] = [:]
    /// The dictionary of the batch before, and the codes here of those of its texts that are known. Kept, it cannot change.
    private var theirTexts: [ByteString] = []
    private var theirCodes: [UInt32] = []

    /// A buffer with room for `room` cells: growing to it moves no cell.
    init(type: ColumnType, room: Int = 0) {
        self.type = type
        if room > 0 { reserve(rows: room) }
    }

    /// Makes room for `count` cells.
    mutating func reserve(rows count: Int) {
        switch type {
        case .timestamp, .int64: integers.reserveCapacity(count)
        case .double: doubles.reserveCapacity(count)
        case .boolean: booleans.reserveCapacity(count)
        case .text: codes.reserveCapacity(count)
        }
    }

    /// Forgets all cells and keeps the room they had.
    mutating func removeAll() {
        rowCount = 0
        valid = nil
        nullCount = 0
        integers.removeAll(keepingCapacity: true)
        doubles.removeAll(keepingCapacity: true)
        booleans.removeAll(keepingCapacity: true)
        codes.removeAll(keepingCapacity: true)
        texts = []
        textBytes = 0
        codeOfText = [:]
        theirTexts = []
        theirCodes = []
    }

    /// Values without nulls.
    var valueCount: Int { rowCount - nullCount }

    /// About what the cells take in memory, and uncompressed in a file.
    var byteCount: Int {
        switch type {
        case .timestamp, .int64, .double: valueCount * 8
        case .boolean: valueCount
        case .text: codes.count * 4 + textBytes
        }
    }

    /// Appends all cells of a batch's column.
    mutating func append(_ column: ColumnData, rowCount count: Int) {
        if case .texts(let column) = column.values {
            return append(
                dictionary: column.dictionary, count: count, isNull: { column.codes[$0] < 0 },
                code: { Int(column.codes[$0]) })
        }
        let cellsValid = column.valid.flatMap { $0[..<count].contains(false) ? $0 : nil }
        if let cellsValid { noteRows(count) { !cellsValid[$0] } } else { noteRows(count) }
        switch column.values {
        case .timestamps(let values), .integers(let values): Self.append(values, cellsValid, count, to: &integers)
        case .doubles(let values): Self.append(values, cellsValid, count, to: &doubles)
        case .booleans(let values): Self.append(values, cellsValid, count, to: &booleans)
        case .texts: break
        }
    }

    private static func append<T>(_ values: [T], _ valid: [Bool]?, _ count: Int, to storage: inout [T]) {
        // A `RowBatch` of the engine's own making: as many cells in each column as it has rows.
        precondition(values.count >= count, "a column is shorter than its batch")
        if let valid {
            for row in 0..<count where valid[row] { storage.append(values[row]) }
        } else {
            storage.append(contentsOf: values[..<count])
        }
    }

    private mutating func append(
        dictionary: [ByteString], count: Int, isNull: (Int) -> Bool, code: (Int) -> Int
    ) {
        var isAnyNull = false
        for row in 0..<count where isNull(row) {
            isAnyNull = true
            break
        }
        if isAnyNull { noteRows(count, isNull: isNull) } else { noteRows(count) }
        // A dictionary may hold far more than these rows use, and the same text twice. The parts of a window share one.
        if dictionary.isEmpty || !isSame(dictionary, theirTexts) {
            theirTexts = dictionary
            theirCodes = Array(repeating: .max, count: dictionary.count)
        }
        // No reserveCapacity: it would make the array exactly as large, so that each batch moves all of it.
        for row in 0..<count where !isAnyNull || !isNull(row) {
            let theirs = code(row)
            if theirCodes[theirs] == .max { theirCodes[theirs] = intern(dictionary[theirs]) }
            codes.append(theirCodes[theirs])
        }
    }

    /// Whether two arrays are one in memory.
    private func isSame(_ a: [ByteString], _ b: [ByteString]) -> Bool {
        a.count == b.count
            && a.withUnsafeBufferPointer { a in b.withUnsafeBufferPointer { a.baseAddress == $0.baseAddress } }
    }

    private mutating func intern(_ text: ByteString) -> UInt32 {
        if let code = codeOfText[text] { return code }
        let code = UInt32(texts.count)
        codeOfText[text] = code
        texts.append(text)
        textBytes += text.count + 4
        return code
    }

    private mutating func noteRows(_ count: Int) {
        valid?.append(contentsOf: repeatElement(true, count: count))
        rowCount += count
    }

    private mutating func noteRows(_ count: Int, isNull: (Int) -> Bool) {
        // Taken out while it grows: a second reference would copy all of it.
        var all = valid.take() ?? Array(repeating: true, count: rowCount)
        for row in 0..<count {
            let isNull = isNull(row)
            all.append(!isNull)
            if isNull { nullCount += 1 }
        }
        valid = all
        rowCount += count
    }

    /// Appends the cells of another buffer of the same type.
    mutating func append(_ other: ParquetColumnBuffer) {
        // Both are of one sink's schema.
        precondition(type == other.type, "columns of one table hold one kind of cell")
        if let theirs = other.valid { noteRows(other.rowCount) { !theirs[$0] } } else { noteRows(other.rowCount) }
        integers += other.integers
        doubles += other.doubles
        booleans += other.booleans
        if !other.codes.isEmpty {
            let mine = other.texts.map { intern($0) }
            codes.append(contentsOf: other.codes.lazy.map { mine[Int($0)] })
        }
    }
}
