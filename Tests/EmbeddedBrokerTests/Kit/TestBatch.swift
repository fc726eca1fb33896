import Platform

@testable import EmbeddedBroker

/// A record batch made for a test.
struct TestBatch {
    var values: [String]
    var producerId: Int64 = -1
    var epoch: Int16 = -1
    var sequence: Int32 = -1
    var isTransactional = false
    var timestampsMs: [Int64] = []

    init(_ values: String...) { self.values = values }
    init(_ values: [String]) { self.values = values }

    /// A batch of a producer.
    static func of(
        _ values: [String], producer: (id: Int64, epoch: Int16), sequence: Int32, transactional: Bool = false
    ) -> TestBatch {
        var batch = TestBatch(values)
        batch.producerId = producer.id
        batch.epoch = producer.epoch
        batch.sequence = sequence
        batch.isTransactional = transactional
        return batch
    }

    private static func append<T: FixedWidthInteger>(_ value: T, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    private static func varint(_ value: Int64) -> [UInt8] {
        var zigzag = UInt64(bitPattern: (value << 1) ^ (value >> 63))
        var bytes: [UInt8] = []
        while zigzag >= 0x80 {
            bytes.append(UInt8(zigzag & 0x7f) | 0x80)
            zigzag >>= 7
        }
        return bytes + [UInt8(zigzag)]
    }

    /// The batch as a producer sends it.
    var bytes: [UInt8] {
        let times = timestampsMs.isEmpty ? values.map { _ in Int64(1000) } : timestampsMs
        var records: [UInt8] = []
        for (index, value) in values.enumerated() {
            var record: [UInt8] = [0]
            record += Self.varint(times[index] - times[0])
            record += Self.varint(Int64(index))
            record += Self.varint(-1)
            record += Self.varint(Int64(value.utf8.count)) + Array(value.utf8)
            record += Self.varint(0)
            records += Self.varint(Int64(record.count)) + record
        }
        var covered: [UInt8] = []
        Self.append(Int16(isTransactional ? 0x10 : 0), to: &covered)
        Self.append(Int32(values.count - 1), to: &covered)
        Self.append(times.first ?? 0, to: &covered)
        Self.append(times.max() ?? 0, to: &covered)
        Self.append(producerId, to: &covered)
        Self.append(epoch, to: &covered)
        Self.append(sequence, to: &covered)
        Self.append(Int32(values.count), to: &covered)
        covered += records
        var all: [UInt8] = []
        Self.append(Int64(0), to: &all)
        Self.append(Int32(covered.count + 9), to: &all)
        Self.append(Int32(-1), to: &all)
        Self.append(Int8(2), to: &all)
        Self.append(CRC32C.checksum(covered), to: &all)
        return all + covered
    }

    /// A stored batch taken apart.
    struct Parsed {
        var header: RecordBatchHeader
        var values: [String]
        var isAbort: Bool
    }

    /// The whole batches in stored bytes.
    static func parse(_ bytes: [UInt8]) -> [Parsed] {
        var parsed: [Parsed] = []
        var rest = bytes[...]
        while let header = Array(rest).withUnsafeBytes({ RecordBatchHeader.isWhole($0) }) {
            let batch = Array(rest.prefix(header.totalBytes))
            let isAbort = header.isControl && batch.withUnsafeBytes { ControlBatch.kind($0) } == .abort
            parsed.append(Parsed(header: header, values: header.isControl ? [] : values(batch), isAbort: isAbort))
            rest = rest.dropFirst(header.totalBytes)
        }
        return parsed
    }

    private static func values(_ batch: [UInt8]) -> [String] {
        var at = RecordBatchHeader.size
        func varint() -> Int {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while true {
                let byte = batch[at]
                at += 1
                value |= UInt64(byte & 0x7f) << shift
                if byte < 0x80 { return Int(Int64(bitPattern: (value >> 1) ^ (0 &- (value & 1)))) }
                shift += 7
            }
        }
        var values: [String] = []
        while at < batch.count {
            let end = varint() + at
            at += 1
            _ = (varint(), varint(), varint())
            let length = varint()
            values.append(String(decoding: batch[at..<at + length], as: UTF8.self))
            at = end
        }
        return values
    }
}
