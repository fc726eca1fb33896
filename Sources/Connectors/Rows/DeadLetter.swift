import StreamEngine

/// A bad record as the dead letters write it (JOBS.md "A dead letter").
public struct DeadLetter: Sendable {
    /// Raw bytes beyond this are cut off and the row is marked `rawTruncated`: in base64 it then takes 64 KiB, which any
    /// topic and any line limit of ours holds. Files hand over less of a line only where it is longer than this.
    public static let rawBytesMax = 48 * 1024

    public let partition: PartitionID
    public let record: BadRecord

    /// A record that could not be used, and the partition it came in.
    public init(partition: PartitionID, record: BadRecord) {
        self.partition = partition
        self.record = record
    }

    /// The row as a JSON object; `timestamp` is the Kafka record's own, `rawTruncated` stands only where bytes were cut.
    public var json: [UInt8] {
        var out = JSONObject()
        out.add("topic", text: partition.topic.utf8)
        out.add("partition", integer: Int64(partition.partition))
        out.add("offset", integer: record.offset)
        out.add("line", integer: Int64(record.line))
        out.add("reason", text: record.reason.rawValue.utf8)
        out.add("detail", text: record.detail.utf8)
        let isCut = record.raw.count > Self.rawBytesMax
        out.add("raw", text: Base64.encode(record.raw.prefix(Self.rawBytesMax)))
        if isCut { out.add("rawTruncated", boolean: true) }
        out.add("timestamp", timeMs: record.recordTimestampMs)
        return out.closed
    }
}

/// Base64 (RFC 4648, section 4).
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The text of some bytes, padded with `=`.
    static func encode(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count + 2) / 3 * 4)
        var held: UInt32 = 0
        var count = 0
        func digit(_ shift: UInt32) -> UInt8 { alphabet[Int((held >> shift) & 63)] }
        for byte in bytes {
            held = held << 8 | UInt32(byte)
            count += 1
            if count == 3 {
                out.append(contentsOf: [digit(18), digit(12), digit(6), digit(0)])
                held = 0
                count = 0
            }
        }
        let padding = UInt8(ascii: "=")
        if count == 1 {
            held <<= 16
            out.append(contentsOf: [digit(18), digit(12), padding, padding])
        } else if count == 2 {
            held <<= 8
            out.append(contentsOf: [digit(18), digit(12), digit(6), padding])
        }
        return out
    }
}
