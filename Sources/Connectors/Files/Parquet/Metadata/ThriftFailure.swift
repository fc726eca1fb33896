/// Bytes that are no Thrift compact structure of the kind expected: what was found at which byte.
struct ThriftFailure: Error, Sendable, Equatable, CustomStringConvertible {
    let detail: String
    /// Bytes from the start of the structure's buffer.
    let offset: Int

    var description: String { "\(detail) at byte \(offset) of the metadata" }
}

/// The types of the Thrift compact protocol (thrift-compact-protocol.md, "Struct encoding").
enum ThriftType: UInt8, Sendable {
    case yes = 1, no, int8, int16, int32, int64, double, binary, list, set, map, structure, uuid
}
