/// Reads the Thrift compact protocol, in which Parquet keeps its metadata.
///
/// Made for hostile bytes: every read is whole or throws, nesting is bounded by `depthMax`, a list or map that claims more
/// elements than there are bytes is refused before anything is made for it, and no length is trusted.
struct ThriftReader {
    private let bytes: UnsafeRawBufferPointer
    /// Bytes read so far.
    private(set) var offset: Int
    private var depth = 0

    /// Structures within structures that are followed; Parquet's own go nine deep.
    static let depthMax = 32

    /// A field's head: its number and the type of what follows.
    struct Field {
        let id: Int16
        let type: ThriftType
    }

    private init(_ bytes: UnsafeRawBufferPointer, from offset: Int) {
        self.bytes = bytes
        self.offset = offset
    }

    /// Reads one value that begins at `offset` of `bytes`; returns it and the bytes it took.
    static func read<R>(
        _ bytes: UnsafeRawBufferPointer, from offset: Int = 0,
        _ body: (inout ThriftReader) throws(ThriftFailure) -> R
    ) throws(ThriftFailure) -> (value: R, byteCount: Int) {
        guard offset >= 0, offset <= bytes.count else {
            throw ThriftFailure(detail: "a start outside the buffer", offset: offset)
        }
        var reader = ThriftReader(bytes, from: offset)
        let value = try body(&reader)
        return (value, reader.offset - offset)
    }

    /// A failure at the present place.
    func failure(_ detail: String) -> ThriftFailure { ThriftFailure(detail: detail, offset: offset) }

    private var remaining: Int { bytes.count - offset }

    private mutating func byte() throws(ThriftFailure) -> UInt8 {
        guard offset < bytes.count else { throw failure("the end") }
        defer { offset += 1 }
        return bytes[offset]
    }

    private mutating func varint() throws(ThriftFailure) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            guard shift < 63 || next <= 1 else { throw failure("a number of more than 64 bits") }
            value |= UInt64(next & 0x7f) << shift
            if next < 0x80 { return value }
            shift += 7
        }
    }

    private mutating func zigzag() throws(ThriftFailure) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// Calls `body` for each field; where it returns false the field is passed over.
    mutating func structure(
        _ body: (inout ThriftReader, Field) throws(ThriftFailure) -> Bool
    ) throws(ThriftFailure) {
        depth += 1
        guard depth <= Self.depthMax else { throw failure("structures nested deeper than \(Self.depthMax)") }
        var last: Int16 = 0
        while true {
            let head = try byte()
            if head == 0 { break }
            guard let type = ThriftType(rawValue: head & 15) else { throw failure("an unknown type \(head & 15)") }
            let delta = Int16(head >> 4)
            if delta == 0 {
                guard let id = Int16(exactly: try zigzag()) else { throw failure("a field number out of range") }
                last = id
            } else {
                let (id, overflow) = last.addingReportingOverflow(delta)
                guard !overflow else { throw failure("a field number out of range") }
                last = id
            }
            let field = Field(id: last, type: type)
            if try !body(&self, field) { try skip(type, inContainer: false) }
        }
        depth -= 1
    }

    /// Calls `body` for each field of a field that is a structure.
    mutating func structure(
        _ field: Field, _ body: (inout ThriftReader, Field) throws(ThriftFailure) -> Bool
    ) throws(ThriftFailure) {
        try expect(.structure, field)
        try structure(body)
    }

    private func expect(_ type: ThriftType, _ field: Field) throws(ThriftFailure) {
        guard field.type == type else { throw failure("field \(field.id) is of type \(field.type), not \(type)") }
    }

    mutating func bool(_ field: Field) throws(ThriftFailure) -> Bool {
        switch field.type {
        case .yes: return true
        case .no: return false
        default: throw failure("field \(field.id) is of type \(field.type), not a boolean")
        }
    }

    mutating func int8(_ field: Field) throws(ThriftFailure) -> Int8 {
        try expect(.int8, field)
        return Int8(bitPattern: try byte())
    }

    mutating func int16(_ field: Field) throws(ThriftFailure) -> Int16 {
        try expect(.int16, field)
        guard let value = Int16(exactly: try zigzag()) else { throw failure("field \(field.id) out of 16 bits") }
        return value
    }

    mutating func int32(_ field: Field) throws(ThriftFailure) -> Int32 {
        try expect(.int32, field)
        return try int32Element()
    }

    mutating func int64(_ field: Field) throws(ThriftFailure) -> Int64 {
        try expect(.int64, field)
        return try zigzag()
    }

    mutating func binary(_ field: Field) throws(ThriftFailure) -> [UInt8] {
        try expect(.binary, field)
        return try binaryElement()
    }

    mutating func text(_ field: Field) throws(ThriftFailure) -> String {
        String(decoding: try binary(field), as: UTF8.self)
    }

    /// An enumeration's value; one this program does not know is a failure that names it.
    mutating func word<E: RawRepresentable>(
        _ field: Field, _ what: String
    ) throws(ThriftFailure) -> E where E.RawValue == Int32 {
        try expect(.int32, field)
        return try wordElement(what)
    }

    // Elements of lists come without a head of their own.

    mutating func int32Element() throws(ThriftFailure) -> Int32 {
        guard let value = Int32(exactly: try zigzag()) else { throw failure("a number out of 32 bits") }
        return value
    }

    mutating func int64Element() throws(ThriftFailure) -> Int64 { try zigzag() }

    mutating func boolElement() throws(ThriftFailure) -> Bool { try byte() == 1 }

    mutating func textElement() throws(ThriftFailure) -> String { String(decoding: try binaryElement(), as: UTF8.self) }

    mutating func binaryElement() throws(ThriftFailure) -> [UInt8] {
        let count = try length()
        defer { offset += count }
        return Array(bytes[offset..<(offset + count)])
    }

    mutating func wordElement<E: RawRepresentable>(
        _ what: String
    ) throws(ThriftFailure) -> E where E.RawValue == Int32 {
        let raw = try int32Element()
        guard let value = E(rawValue: raw) else { throw failure("an unknown \(what) \(raw)") }
        return value
    }

    /// The elements of a list of `type` (for booleans `.yes`).
    mutating func list<R>(
        _ field: Field, of type: ThriftType, _ element: (inout ThriftReader) throws(ThriftFailure) -> R
    ) throws(ThriftFailure) -> [R] {
        try expect(.list, field)
        let (count, elementType) = try listHead()
        let isBool = type == .yes && elementType == .no
        guard elementType == type || isBool || count == 0 else {
            throw failure("a list of \(elementType), not of \(type)")
        }
        var elements: [R] = []
        // What an element costs here may be far more than its byte there: room is made as they come.
        elements.reserveCapacity(min(count, 256))
        for _ in 0..<count { elements.append(try element(&self)) }
        return elements
    }

    private mutating func listHead() throws(ThriftFailure) -> (count: Int, type: ThriftType) {
        let head = try byte()
        var count = Int(head >> 4)
        if count == 15 { count = try length() }
        guard count <= remaining else { throw failure("a list of \(count) elements in \(remaining) bytes") }
        // Some writers say 0 for the type of an empty list.
        guard let type = ThriftType(rawValue: head & 15) ?? (count == 0 ? .int8 : nil) else {
            throw failure("an unknown type \(head & 15)")
        }
        return (count, type)
    }

    private mutating func length() throws(ThriftFailure) -> Int {
        let value = try varint()
        guard value <= UInt64(remaining) else { throw failure("a length of \(value) with \(remaining) bytes left") }
        return Int(value)
    }

    /// Passes over a value. In lists and maps a boolean is a byte, as a field it is its head.
    private mutating func skip(_ type: ThriftType, inContainer: Bool) throws(ThriftFailure) {
        switch type {
        case .yes, .no: if inContainer { _ = try byte() }
        case .int8: _ = try byte()
        case .int16, .int32, .int64: _ = try varint()
        case .double: try pass(8)
        case .uuid: try pass(16)
        case .binary: try pass(try length())
        case .structure: try structure { _, _ throws(ThriftFailure) in false }
        case .list, .set:
            let (count, element) = try listHead()
            try nested { reader throws(ThriftFailure) in
                for _ in 0..<count { try reader.skip(element, inContainer: true) }
            }
        case .map:
            let count = try length()
            guard count > 0 else { return }
            let types = try byte()
            guard let key = ThriftType(rawValue: types >> 4), let value = ThriftType(rawValue: types & 15) else {
                throw failure("a map of unknown types")
            }
            try nested { reader throws(ThriftFailure) in
                for _ in 0..<count {
                    try reader.skip(key, inContainer: true)
                    try reader.skip(value, inContainer: true)
                }
            }
        }
    }

    private mutating func nested(
        _ body: (inout ThriftReader) throws(ThriftFailure) -> Void
    ) throws(ThriftFailure) {
        depth += 1
        guard depth <= Self.depthMax else { throw failure("values nested deeper than \(Self.depthMax)") }
        try body(&self)
        depth -= 1
    }

    private mutating func pass(_ count: Int) throws(ThriftFailure) {
        guard count <= remaining else { throw failure("\(count) bytes wanted, \(remaining) left") }
        offset += count
    }
}
