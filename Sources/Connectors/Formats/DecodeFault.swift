import Glibc
import StreamEngine

/// A position in the bytes of a record; always used together with the end it must not pass.
typealias BytePointer = UnsafePointer<UInt8>

/// Why a line or element is bad, before its place is known.
struct DecodeFault: Error, Equatable {
    let reason: BadRecordReason
    let detail: String

    init(_ reason: BadRecordReason, _ detail: String) {
        self.reason = reason
        self.detail = detail
    }
}

/// Up to 40 bytes of input for a message, invalid UTF-8 repaired.
func excerpt(_ start: BytePointer, _ end: BytePointer) -> String {
    let length = max(0, end - start)
    let text = String(decoding: UnsafeBufferPointer(start: start, count: min(length, 40)), as: UTF8.self)
    return length > 40 ? "`\(text)…`" : "`\(text)`"
}

/// What every line or element of one record is checked against, and where its faults go.
struct RecordContext {
    let record: RawRecord
    let latestTimestampMs: Int64
    let limits: DecodeLimits

    /// The event time of a sample: its own or its record's, within the range and not too far ahead.
    func eventTime(_ own: Int64?) throws(DecodeFault) -> Int64 {
        guard let timestampMs = own ?? record.timestampMs else {
            throw DecodeFault(.missingTimestamp, "no timestamp, and a line of a file has no other")
        }
        guard limits.timestampRangeMs.contains(timestampMs) else {
            throw DecodeFault(.timestampOutOfRange, "timestamp \(timestampMs) ms: its windows would leave Int64")
        }
        guard timestampMs <= latestTimestampMs else {
            throw DecodeFault(
                .futureTimestamp,
                "timestamp \(timestampMs) ms is later than \(latestTimestampMs) ms, the latest allowed")
        }
        return timestampMs
    }

    /// Whether `eventTime` would take this time: the hot path's form, one comparison a bound.
    @inline(__always)
    func accepts(_ timestampMs: Int64) -> Bool {
        timestampMs <= latestTimestampMs && timestampMs >= limits.timestampRangeMs.lowerBound
            && timestampMs <= limits.timestampRangeMs.upperBound
    }

    /// Puts a line or element among the bad ones. `place` counts from 1 within the record (or chunk of lines).
    @inline(never)
    func reject(_ fault: DecodeFault, place: Int, _ start: BytePointer, _ end: BytePointer, in batch: SampleBatch) {
        let isFile = record.linesAreRecords
        batch.reject(
            BadRecord(
                offset: isFile ? record.offset + Int64(place) - 1 : record.offset,
                line: isFile ? Int(record.offset) + place : place,
                reason: fault.reason, detail: fault.detail,
                raw: Array(UnsafeBufferPointer(start: start, count: max(0, end - start))),
                recordTimestampMs: record.timestampMs))
    }

    /// Opens the record's run; false when the message is too large to be read at all (it is then among the bad).
    func begin(in batch: SampleBatch) -> Bool {
        batch.beginRun(offset: record.offset, linesAreRecords: record.linesAreRecords)
        guard !record.linesAreRecords else { return true }
        batch.records += 1
        guard record.bytes.count > limits.maxMessageBytes, let base = record.bytes.baseAddress else { return true }
        reject(
            DecodeFault(
                .messageTooLarge, "\(record.bytes.count) bytes, limits.maxMessageBytes is \(limits.maxMessageBytes)"),
            place: 1, base, base + record.bytes.count, in: batch)
        return false
    }
}

/// The address of the next LF, or `end`.
@inline(__always)
func lineFeed(_ start: BytePointer, _ end: BytePointer) -> BytePointer {
    guard start < end, let found = memchr(start, 0x0A, end - start) else { return end }
    return BytePointer(found.assumingMemoryBound(to: UInt8.self))
}

/// Moves past blanks (space, tab).
@inline(__always)
func skipBlanks(_ at: inout BytePointer, _ end: BytePointer) {
    while at < end, at.pointee == 0x20 || at.pointee == 0x09 { at += 1 }
}
