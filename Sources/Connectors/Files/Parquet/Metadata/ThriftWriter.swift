/// Writes the Thrift compact protocol.
struct ThriftWriter {
    private(set) var bytes: [UInt8] = []
    /// The number of the field before, in the structure being written.
    private var last: Int16 = 0

    /// A structure: its fields in the order of their numbers, then a stop.
    mutating func structure(_ body: (inout ThriftWriter) -> Void) {
        let outer = last
        last = 0
        body(&self)
        bytes.append(0)
        last = outer
    }

    private mutating func head(_ id: Int16, _ type: ThriftType) {
        // Ids stand in the code, none comes from data.
        precondition(id > last, "fields are written in order")
        let delta = id - last
        if delta <= 15 {
            bytes.append(UInt8(delta) << 4 | type.rawValue)
        } else {
            bytes.append(type.rawValue)
            zigzag(Int64(id))
        }
        last = id
    }

    private mutating func varint(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }

    private mutating func zigzag(_ value: Int64) { varint(UInt64(bitPattern: (value << 1) ^ (value >> 63))) }

    // Fields; those without a value are left out.

    mutating func field(_ id: Int16, bool: Bool?) {
        if let bool { head(id, bool ? .yes : .no) }
    }

    mutating func field(_ id: Int16, int8: Int8?) {
        guard let int8 else { return }
        head(id, .int8)
        bytes.append(UInt8(bitPattern: int8))
    }

    mutating func field(_ id: Int16, int16: Int16?) {
        guard let int16 else { return }
        head(id, .int16)
        zigzag(Int64(int16))
    }

    mutating func field(_ id: Int16, int32: Int32?) {
        guard let int32 else { return }
        head(id, .int32)
        zigzag(Int64(int32))
    }

    mutating func field(_ id: Int16, int64: Int64?) {
        guard let int64 else { return }
        head(id, .int64)
        zigzag(int64)
    }

    mutating func field(_ id: Int16, binary: [UInt8]?) {
        guard let binary else { return }
        head(id, .binary)
        element(binary: binary)
    }

    mutating func field(_ id: Int16, text: String?) {
        if let text { field(id, binary: Array(text.utf8)) }
    }

    mutating func field(_ id: Int16, structure body: (inout ThriftWriter) -> Void) {
        head(id, .structure)
        structure(body)
    }

    /// A list of `type` (for booleans `.yes`).
    mutating func field<C: Collection>(
        _ id: Int16, list: C, of type: ThriftType, _ element: (inout ThriftWriter, C.Element) -> Void
    ) {
        head(id, .list)
        if list.count < 15 {
            bytes.append(UInt8(list.count) << 4 | type.rawValue)
        } else {
            bytes.append(0xf0 | type.rawValue)
            varint(UInt64(list.count))
        }
        for value in list { element(&self, value) }
    }

    // Elements of lists come without a head of their own.

    mutating func element(int32: Int32) { zigzag(Int64(int32)) }

    mutating func element(int64: Int64) { zigzag(int64) }

    mutating func element(bool: Bool) { bytes.append(bool ? 1 : 2) }

    mutating func element(binary: [UInt8]) {
        varint(UInt64(binary.count))
        bytes.append(contentsOf: binary)
    }
}
