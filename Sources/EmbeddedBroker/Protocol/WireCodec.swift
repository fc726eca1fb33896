/// A frame that breaks the protocol. The connection it came on is closed, as Kafka does.
struct WireError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A structure of Kafka's protocol: one declaration of its fields serves for reading and for writing.
protocol WireStruct {
    init()
    /// Reads or writes every field, in the order and for the versions of Kafka's message definitions.
    mutating func code(_ c: inout WireCodec) throws(WireError)
}

/// A 128-bit topic id.
struct Uuid: Hashable, Sendable {
    var high: UInt64 = 0
    var low: UInt64 = 0
    static let zero = Uuid()
}

/// The records of a partition: bytes of a request, or regions of log files to answer with.
struct Records {
    /// What a request carried; nil: null.
    var slice: FrameSlice?
    /// What a response carries.
    var regions: [FileRegion] = []
}

/// Reads or writes the fields of one message in one version (Kafka protocol guide, "Protocol Primitive Types").
///
/// Flexible versions use compact lengths, and every structure ends in tagged fields: unknown ones are skipped, none are
/// written. Every read checks what is left; a count never makes it allocate more than the bytes that are there allow.
struct WireCodec {
    /// The version of the message.
    let version: Int16
    /// Whether this version has compact lengths and tagged fields.
    let flexible: Bool
    /// Whether fields are filled from the frame; else they are appended to `output`.
    let isReading: Bool
    /// What has been written.
    private(set) var output = WireOutput()
    private let frame: FrameBuffer
    private var at: Int
    /// Array elements this message may still have; bounds what small elements can make us allocate.
    private var elementsLeft: Int

    /// Reads `frame` from byte `at`.
    init(reading frame: FrameBuffer, at: Int = 0, version: Int16, flexible: Bool, elements: Int = 1_000_000) {
        elementsLeft = elements
        self.version = version
        self.flexible = flexible
        self.frame = frame
        self.at = at
        isReading = true
    }

    /// Writes.
    init(writing version: Int16, flexible: Bool, into output: WireOutput = WireOutput()) {
        self.version = version
        self.flexible = flexible
        self.output = output
        frame = FrameBuffer(capacity: 0)
        at = 0
        elementsLeft = 0
        isReading = false
    }

    /// Bytes not read yet.
    var remaining: Int { frame.count - at }
    /// The next byte to read.
    var position: Int { at }

    private func applies(_ since: Int16, _ until: Int16) -> Bool { version >= since && version <= until }

    // MARK: Primitives

    private mutating func read<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) throws(WireError) -> T {
        guard remaining >= MemoryLayout<T>.size else {
            throw WireError("\(MemoryLayout<T>.size) bytes wanted at byte \(at), \(remaining) left")
        }
        let value = frame.bytes.loadUnaligned(fromByteOffset: at, as: T.self)
        at += MemoryLayout<T>.size
        return T(bigEndian: value)
    }

    private mutating func readVarint() throws(WireError) -> UInt32 {
        var value: UInt32 = 0
        for shift in stride(from: UInt32(0), through: 28, by: 7) {
            let byte = try read(UInt8.self)
            guard shift < 28 || byte <= 0x0f else { break }
            value |= UInt32(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        throw WireError("a varint of more than 32 bits before byte \(at)")
    }

    private mutating func writeVarint(_ value: Int) {
        var value = UInt32(truncatingIfNeeded: value)
        while value >= 0x80 {
            output.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        output.append(UInt8(value))
    }

    /// Length of a string (16 bits when not compact) or of bytes and arrays (32 bits); nil: null.
    private mutating func readLength(short: Bool) throws(WireError) -> Int? {
        let length: Int
        if flexible {
            length = Int(try readVarint()) - 1
        } else {
            length = short ? Int(try read(Int16.self)) : Int(try read(Int32.self))
        }
        guard length >= 0 else {
            guard length == -1 else { throw WireError("length \(length) before byte \(at)") }
            return nil
        }
        guard length <= remaining else {
            throw WireError("length \(length) before byte \(at), \(remaining) bytes left")
        }
        // As Kafka does: a longer string could not be told again in a version with 16-bit lengths.
        guard !short || length <= Int(Int16.max) else {
            throw WireError("a string of \(length) bytes before byte \(at)")
        }
        return length
    }

    private mutating func writeLength(_ length: Int?, short: Bool) {
        if flexible {
            writeVarint((length ?? -1) + 1)
        } else if short {
            output.append(bigEndian: Int16(truncatingIfNeeded: length ?? -1))
        } else {
            output.append(bigEndian: Int32(truncatingIfNeeded: length ?? -1))
        }
    }

    /// Tagged fields (KIP-482): all skipped, none written.
    mutating func tags() throws(WireError) {
        guard flexible else { return }
        guard isReading else { return writeVarint(0) }
        for _ in 0..<(try readVarint()) {
            _ = try readVarint()
            let size = Int(try readVarint())
            guard size <= remaining else { throw WireError("tagged field of \(size) bytes, \(remaining) left") }
            at += size
        }
    }

    // MARK: Fields

    /// An integer.
    mutating func field<T: FixedWidthInteger & BitwiseCopyable>(
        _ value: inout T, since: Int16 = 0, until: Int16 = .max
    ) throws(WireError) {
        guard applies(since, until) else { return }
        if isReading { value = try read(T.self) } else { output.append(bigEndian: value) }
    }

    /// A boolean; any byte but 0 is true.
    mutating func field(_ value: inout Bool, since: Int16 = 0, until: Int16 = .max) throws(WireError) {
        guard applies(since, until) else { return }
        if isReading { value = try read(UInt8.self) != 0 } else { output.append(value ? 1 : 0) }
    }

    /// An error code; one we do not know reads as `unknownServerError`.
    mutating func field(_ value: inout ErrorCode, since: Int16 = 0, until: Int16 = .max) throws(WireError) {
        guard applies(since, until) else { return }
        if isReading {
            value = ErrorCode(rawValue: try read(Int16.self)) ?? .unknownServerError
        } else {
            output.append(bigEndian: value.rawValue)
        }
    }

    /// A topic id.
    mutating func field(_ value: inout Uuid, since: Int16 = 0, until: Int16 = .max) throws(WireError) {
        try field(&value.high, since: since, until: until)
        try field(&value.low, since: since, until: until)
    }

    /// A string that may be null from version `nullable` on; below it, nil is written as empty.
    mutating func field(
        _ value: inout String?, since: Int16 = 0, until: Int16 = .max, nullable: Int16 = 0
    ) throws(WireError) {
        guard applies(since, until) else { return }
        if isReading {
            guard let length = try readLength(short: true) else {
                guard version >= nullable else { throw WireError("null before byte \(at)") }
                value = nil
                return
            }
            value = String(decoding: frame.bytes[at..<at + length], as: UTF8.self)
            at += length
        } else {
            let text = value ?? (version >= nullable ? nil : "")
            writeLength(text?.utf8.count, short: true)
            if let text { output.append(text.utf8) }
        }
    }

    /// A string.
    mutating func field(_ value: inout String, since: Int16 = 0, until: Int16 = .max) throws(WireError) {
        guard applies(since, until) else { return }
        var text: String? = value
        try field(&text, nullable: .max)
        if let text { value = text }
    }

    /// Bytes; null reads as empty.
    mutating func bytes(_ value: inout [UInt8], since: Int16 = 0, until: Int16 = .max) throws(WireError) {
        guard applies(since, until) else { return }
        if isReading {
            let length = try readLength(short: false) ?? 0
            value = Array(frame.bytes[at..<at + length])
            at += length
        } else {
            writeLength(value.count, short: false)
            output.append(value)
        }
    }

    /// Records: a slice of the frame when reading; the slice or the file regions when writing.
    mutating func records(_ value: inout Records) throws(WireError) {
        if isReading {
            value.slice = try readLength(short: false).map { FrameSlice(frame: frame, range: at..<at + $0) }
            at += value.slice?.range.count ?? 0
        } else if let slice = value.slice {
            writeLength(slice.range.count, short: false)
            output.append(slice.bytes)
        } else {
            writeLength(value.regions.reduce(0) { $0 + $1.length }, short: false)
            for region in value.regions { output.append(region) }
        }
    }

    // MARK: Arrays

    /// An array that may be null, each element coded by `element`.
    private mutating func array<T>(
        _ value: inout [T]?, empty: T, _ element: (inout WireCodec, inout T) throws(WireError) -> Void
    ) throws(WireError) {
        if isReading {
            guard let count = try readLength(short: false) else {
                value = nil
                return
            }
            guard count <= elementsLeft else { throw WireError("too many array elements (\(count))") }
            elementsLeft -= count
            var elements: [T] = []
            for _ in 0..<count {
                var next = empty
                try element(&self, &next)
                elements.append(next)
            }
            value = elements
        } else {
            writeLength(value?.count, short: false)
            guard let elements = value else { return }
            for var next in elements { try element(&self, &next) }
        }
    }

    /// An array of structures that may be null.
    mutating func field<T: WireStruct>(
        _ value: inout [T]?, since: Int16 = 0, until: Int16 = .max
    ) throws(WireError) {
        guard applies(since, until) else { return }
        try array(&value, empty: T()) { (c, element) throws(WireError) in
            try element.code(&c)
            try c.tags()
        }
    }

    /// An array of structures; null reads as empty.
    mutating func field<T: WireStruct>(
        _ value: inout [T], since: Int16 = 0, until: Int16 = .max
    ) throws(WireError) {
        var elements: [T]? = value
        try field(&elements, since: since, until: until)
        value = elements ?? []
    }

    /// An array of integers; null reads as empty.
    mutating func field<T: FixedWidthInteger & BitwiseCopyable>(
        _ value: inout [T], since: Int16 = 0, until: Int16 = .max
    ) throws(WireError) {
        guard applies(since, until) else { return }
        var elements: [T]? = value
        try array(&elements, empty: T(0)) { (c, element) throws(WireError) in try c.field(&element) }
        value = elements ?? []
    }

    /// An array of strings that may be null.
    mutating func field(_ value: inout [String]?, since: Int16 = 0, until: Int16 = .max) throws(WireError) {
        guard applies(since, until) else { return }
        try array(&value, empty: "") { (c, element) throws(WireError) in try c.field(&element) }
    }

    /// An array of strings; null reads as empty.
    mutating func field(_ value: inout [String], since: Int16 = 0, until: Int16 = .max) throws(WireError) {
        var elements: [String]? = value
        try field(&elements, since: since, until: until)
        value = elements ?? []
    }
}
