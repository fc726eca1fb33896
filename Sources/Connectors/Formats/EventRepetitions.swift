import Platform
import StreamEngine

/// The repetitions of Kubernetes events read so far, so that each counts once.
///
/// About 130 bytes each. An event older than the newest one by `retentionMs` or more is never taken for a duplicate
/// and is forgotten, so memory holds a day of events. Checkpoints hold it too. When offsets go back (an epoch was aborted), what was read from there on is
/// forgotten, for it will be read again.
struct EventRepetitions {
    /// 24 hours of event time.
    static let retentionMs: Int64 = 86_400_000

    /// The offset at which each was read first.
    private var seen: [KubernetesEvent.Repetition: Int64] = [:]
    private var newestMs = Int64.min
    private var newestOffset = Int64.min
    private var pruneAt = 4096

    /// Notes that the record at an offset is read next.
    mutating func begin(_ offset: Int64) {
        if offset <= newestOffset { seen = seen.filter { $0.value < offset } }
        newestOffset = offset
    }

    /// Notes an occurrence; false when it was noted before.
    mutating func isNew(_ repetition: KubernetesEvent.Repetition, _ offset: Int64) -> Bool {
        newestMs = max(newestMs, repetition.timestampMs)
        let (horizonMs, overflow) = newestMs.subtractingReportingOverflow(Self.retentionMs)
        guard overflow || repetition.timestampMs > horizonMs else { return true }
        guard seen[repetition] == nil else { return false }
        seen[repetition] = offset
        if seen.count >= pruneAt {
            if !overflow { seen = seen.filter { $0.key.timestampMs > horizonMs } }
            pruneAt = max(4096, seen.count * 2)
        }
        return true
    }

    /// Writes what was read: newest time and offset (8 bytes each), then a count and for each its uid, count, time, offset.
    func encode(to writer: inout ByteWriter) {
        writer.write(newestMs)
        writer.write(newestOffset)
        writer.writeCount(seen.count)
        // In the order of their offsets, so that the same memory is the same bytes.
        for (repetition, offset) in seen.sorted(by: { ($0.value, $0.key.count) < ($1.value, $1.key.count) }) {
            writer.write(repetition.uid)
            writer.write(repetition.count)
            writer.write(repetition.timestampMs)
            writer.write(offset)
        }
    }

    /// Reads back what `encode` wrote.
    mutating func decode(from reader: inout ByteReader) throws(DecodingFailure) {
        newestMs = try reader.read()
        newestOffset = try reader.read()
        seen = [:]
        for _ in 0..<(try reader.readCount(bytesEach: 25)) {
            let repetition = KubernetesEvent.Repetition(
                uid: try reader.readByteString(), count: try reader.read(), timestampMs: try reader.read())
            seen[repetition] = try reader.read()
        }
        pruneAt = max(4096, seen.count * 2)
    }
}
