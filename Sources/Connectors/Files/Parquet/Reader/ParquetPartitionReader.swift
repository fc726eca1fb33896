import Platform
import StreamEngine

/// Reads result rows of ours as samples, file after file: what a query's rows are as `sample-json` (metric
/// `<query>_<column>`, time = `window_end`, labels = key columns), whatever the source's own format is. Each sample is a
/// record; offsets count them.
public final class ParquetPartitionReader: PartitionReader {
    public let id: PartitionID
    public let recordFormat: (any Format)? = SampleJSONFormat()
    private let inputs: [ParquetInputFile]
    private let files: any FileSystem
    private let totalBytes: Int64

    /// The file being read, and how many of its rows were handed over.
    private var index = 0
    private var handedRows: Int64 = 0
    private var finishedBytes: Int64 = 0
    private var rows: ParquetRows?
    private var results: ParquetResults?
    private var encoder: (any RowEncoder)?
    /// Rows read and not handed over, from `waitingFrom` on.
    private var waiting: RowBatch?
    private var waitingFrom = 0
    private var encoded = EncodedRows()
    private var lines: [UInt8] = []
    private var nextOffset: Int64 = 0
    private var isClosed = false
    private var wasChecked = false

    private static let batchRows = 4096
    /// What one row may become at most.
    private static let rowBytesMax = 256 << 20

    /// A reader of files, whose first one is opened now: what is not ours is told before anything runs.
    init(id: PartitionID, inputs: [ParquetInputFile], files: any FileSystem) throws {
        self.id = id
        self.inputs = inputs
        self.files = files
        totalBytes = inputs.reduce(0) { $0 + $1.byteCount }
        if let first = inputs.first { try ParquetResults(first, files: files).file.close() }
    }

    public var progress: (consumed: Int64, total: Int64)? {
        (min(finishedBytes + (rows?.consumedBytes ?? 0), totalBytes), totalBytes)
    }

    public func read(maxBytes: Int, _ body: (RawRecord) throws -> Void) throws -> ReadOutcome {
        while !isClosed, index < inputs.count {
            if waiting == nil, try !fill() {
                finishedBytes += inputs[index].byteCount
                index += 1
                handedRows = 0
                wasChecked = false
                closeFile()
                continue
            }
            try takeSlice(maxBytes: max(maxBytes, 1))
            guard !lines.isEmpty else { continue }
            let offset = nextOffset
            nextOffset += Int64(lines.count { $0 == UInt8(ascii: "\n") })
            try lines.withUnsafeBufferPointer {
                try body(RawRecord(bytes: $0, offset: offset, timestampMs: nil, linesAreRecords: true))
            }
            return .more
        }
        return .endOfInput
    }

    /// Reads rows on; false at the file's end.
    private func fill() throws -> Bool {
        let rows = try open()
        guard let results, let read = try rows.next(Self.batchRows) else { return false }
        waiting = try results.batch(read)
        waitingFrom = 0
        return true
    }

    private func open() throws -> ParquetRows {
        if let rows { return rows }
        let input = inputs[index]
        if !wasChecked, let checksum = input.checksum {
            try CommittedFile(path: input.path, byteCount: input.byteCount, checksum: checksum).check(files)
        }
        wasChecked = true
        let results = try ParquetResults(input, files: files)
        let rows = ParquetRows(results.file)
        // After a pause.
        try rows.skip(handedRows)
        self.results = results
        self.rows = rows
        encoder = SampleJSONRows().makeEncoder(query: results.query)
        return rows
    }

    /// Makes lines of as many waiting rows as fit about `maxBytes`.
    private func takeSlice(maxBytes: Int) throws {
        guard let batch = waiting, let results, let encoder else { return }
        let most = results.rowBytesMax(batch)
        guard most <= Self.rowBytesMax else {
            throw ParquetFailure(results.file.path, "a row whose samples would take \(most) bytes")
        }
        let count = min(batch.rowCount - waitingFrom, max(1, maxBytes / max(most, 1)))
        let slice =
            count == batch.rowCount ? batch : batch.rows(Array(waitingFrom..<(waitingFrom + count)))
        encoded.clear()
        encoder.encode(slice, into: &encoded)
        lines.removeAll(keepingCapacity: true)
        for row in 0..<encoded.count {
            let range = encoded.range(of: row)
            guard !range.isEmpty else { continue }
            lines.append(contentsOf: encoded.bytes[range])
            lines.append(UInt8(ascii: "\n"))
        }
        waitingFrom += count
        handedRows += Int64(count)
        if waitingFrom == batch.rowCount { waiting = nil }
    }

    private func closeFile() {
        results?.file.close()
        results = nil
        rows = nil
        encoder = nil
        waiting = nil
        waitingFrom = 0
    }

    public func hibernate() {
        closeFile()
        encoded = EncodedRows()
        lines = []
    }

    public func close() {
        isClosed = true
        closeFile()
    }
}
