import Glibc
import Platform
import StreamEngine

/// How a JSONL output is cut into files.
public struct JSONLSettings: Sendable, Equatable {
    public var compression = Compression.none
    /// A file of this many bytes (compressed ones) is full.
    public var targetFileBytes: Int64 = 128 << 20
    /// A file this old is full, ms.
    public var maxFileAgeMs: Int64 = 600_000
    /// Bytes of all files beyond which documents are counted only (dead letters); nil: no limit.
    public var maxBytes: Int64?
    /// How long published epochs may be gathered before they are made durable and visible, ms
    /// (`SinkContext.gatherMs`).
    public var gatherMs: Int64 = 0

    /// The defaults of JOBS.md.
    public init() {}
}

/// JSON lines in files with a manifest (docs/file-formats.md): rows, late rows, dead letters, anomalies.
///
/// An epoch's rows are appended to the current file, behind its committed length, and a small epoch makes no new file.
/// `prepare` makes them durable and writes the manifest document that names them, hidden; `publish` shows new files and
/// renames that document over its predecessor. What concatenating the files in manifest order gives does not depend on
/// where epochs were cut. Memory: one buffer of about 1 MiB.
public final class JSONLSink: EncodedRowSink {
    /// `jsonl out/cpu`.
    public let description: String
    /// Documents not written because `maxBytes` was reached.
    public private(set) var droppedDocuments: Int64 = 0

    private let directory: String
    private let settings: JSONLSettings
    private let encoder: (any RowEncoder)?
    private let files: any FileSystem
    private let clock: any Clock
    private let manifest: ManifestWriter

    private var encoded = EncodedRows()
    /// Lines of the present epoch that are in no file yet.
    private var buffer = LineBuffer()
    /// Lines of published epochs that are gathered and in no file yet.
    private var gathered = LineBuffer()
    /// Files written since the last commit, in order; the last one is written on. A file committed before is the first
    /// at most.
    private var parts: [PartFile] = []
    /// Where the present epoch began in `parts`.
    private var epochStart = PartsMark(count: 0, last: nil)
    private var lastCommitNs: Int64
    private var lastPublished: EpochToken?
    /// Another process wrote here since this one's document began.
    private var followsOthers = false
    private var committedFiles: Int
    private var committedBytes: Int64

    /// Lines are written to a file when so many bytes of them have come together.
    private static let bufferBytes = 1 << 20

    private struct LineBuffer {
        var bytes: [UInt8] = []
        var rows: Int64 = 0

        mutating func clear() {
            bytes.removeAll(keepingCapacity: true)
            rows = 0
        }
    }

    private struct PartsMark {
        var count: Int
        var last: PartMark?
    }

    /// Opens an output in `directory`, made where it is missing. `encoder` is nil for an output of documents only.
    public init(
        directory: String, settings: JSONLSettings, encoder: (any RowEncoder)?,
        files: any FileSystem = PosixFileSystem(), clock: any Clock = SystemClock()
    ) throws(SinkError) {
        self.directory = directory
        self.settings = settings
        self.encoder = encoder
        self.files = files
        self.clock = clock
        description = "jsonl \(directory)"
        do throws(ManifestError) {
            manifest = try ManifestWriter(directory: directory, files: files)
        } catch {
            throw SinkError("jsonl \(directory): \(error)")
        }
        lastCommitNs = clock.monotonicNs()
        committedFiles = manifest.earlier.count
        committedBytes = manifest.earlier.reduce(0) { $0 + $1.bytes }
        do throws(IOFailure) {
            names = try PartNames(directory: directory, suffix: ".jsonl\(settings.compression.fileExtension)", files)
        } catch {
            throw SinkError("jsonl \(directory): \(error)")
        }
    }

    private var names: PartNames

    public var written: (files: Int, bytes: Int64)? { (committedFiles, committedBytes) }

    // MARK: Writing

    public func write(_ rows: RowBatch, _ info: EmissionInfo) throws(SinkError) {
        // Made with an encoder wherever rows come (`JobSinks`: `SinkInput.rows`).
        guard let encoder else { preconditionFailure("\(description) was made for documents") }
        encoded.clear()
        encoder.encode(rows, into: &encoded)
        try write(encoded, info)
    }

    public func makeEncoder() -> (any RowEncoder)? { encoder?.another() }

    public func write(_ rows: EncodedRows, _ info: EmissionInfo) throws(SinkError) {
        for row in 0..<rows.count {
            let range = rows.range(of: row)
            if !range.isEmpty { try append(rows.bytes[range], info.epoch) }
        }
    }

    public func write(_ documents: DocumentBatch, _ info: EmissionInfo) throws(SinkError) {
        for document in documents.documents {
            if let maxBytes = settings.maxBytes, totalBytes + Int64(document.count) >= maxBytes {
                droppedDocuments += 1
            } else {
                try append(document[...], info.epoch)
            }
        }
    }

    private var totalBytes: Int64 {
        let uncommitted = parts.reduce(0) { $0 + $1.mark.bytes - ($1.committed?.bytes ?? 0) }
        return committedBytes + uncommitted + Int64(buffer.bytes.count + gathered.bytes.count)
    }

    private func append(_ line: ArraySlice<UInt8>, _ epoch: EpochToken) throws(SinkError) {
        try checkWhole()
        buffer.bytes.append(contentsOf: line)
        buffer.bytes.append(UInt8(ascii: "\n"))
        // Rows of several samples have a line for each.
        buffer.rows += 1 + Self.lineFeeds(in: line)
        let isFull =
            settings.compression == .none
            && Int64(buffer.bytes.count + gathered.bytes.count) + (parts.last?.mark.bytes ?? 0)
                >= settings.targetFileBytes
        if isFull || buffer.bytes.count + gathered.bytes.count >= Self.bufferBytes {
            try wrapped { () throws(IOFailure) in try flush(epoch) }
        }
    }

    private static func lineFeeds(in line: ArraySlice<UInt8>) -> Int64 {
        line.withUnsafeBytes { bytes in
            var count: Int64 = 0
            var rest = bytes[...]
            while let base = UnsafeRawBufferPointer(rebasing: rest).baseAddress,
                let found = memchr(base, Int32(UInt8(ascii: "\n")), rest.count)
            {
                count += 1
                rest = rest.dropFirst(UnsafeRawPointer(found) - base + 1)
            }
            return count
        }
    }

    /// Writes what is buffered to the current file: gathered lines first, so that the mark between them and the present
    /// epoch's is kept.
    private func flush(_ epoch: EpochToken) throws(IOFailure) {
        if gathered.rows > 0 {
            try flush(&gathered, epoch)
            epochStart = PartsMark(count: parts.count, last: parts.last?.mark)
        }
        try flush(&buffer, epoch)
    }

    private func flush(_ lines: inout LineBuffer, _ epoch: EpochToken) throws(IOFailure) {
        guard lines.rows > 0 else { return }
        let part = try currentPart(epoch)
        let frame: [UInt8]
        do throws(CompressionFailure) {
            frame = try settings.compression.frame(lines.bytes)
        } catch {
            throw IOFailure(.write, path: FilePath.join(directory, part.name), code: ENOMEM)
        }
        try part.append([frame], rows: lines.rows)
        lines.clear()
    }

    /// The file to append to: the last one, or a new one where that is full or old.
    private func currentPart(_ epoch: EpochToken) throws(IOFailure) -> PartFile {
        let now = clock.monotonicNs()
        if let last = parts.last {
            let isOld = (now - last.createdNs) / 1_000_000 >= settings.maxFileAgeMs
            if last.mark.bytes < settings.targetFileBytes, !isOld { return last }
            try last.putAside()
        }
        if parts.isEmpty, !isBegun {
            isBegun = true
            if let part = try resumed(epoch, now) {
                parts.append(part)
                epochStart = PartsMark(count: 1, last: part.mark)
                if part.mark.bytes < settings.targetFileBytes { return part }
            }
        }
        let part = try PartFile(name: try names.next(epoch), directory: directory, files: files, createdNs: now)
        parts.append(part)
        return part
    }

    private var isBegun = false

    /// The newest file of a predecessor, where its document can be gone on with (`ManifestAdoption`): so that runs one
    /// after another grow one file. Reads its bytes once, for the checksum; a file that is not as it should be stays as it is.
    private func resumed(_ epoch: EpochToken, _ now: Int64) throws(IOFailure) -> PartFile? {
        let entries: [ManifestEntry]
        do throws(ManifestError) {
            entries = try manifest.begin(epoch.incarnation)
        } catch {
            if case .file(let failure) = error { throw failure }
            // Damage is the reader's to report; this writer leaves the document alone.
            return nil
        }
        guard let last = entries.last, last.path.hasSuffix(names.suffix), last.bytes < settings.targetFileBytes,
            let status = try files.status(FilePath.join(directory, last.path)),
            clock.wallMs() - status.modifiedMs < settings.maxFileAgeMs
        else { return nil }
        guard let bytes = try? ManifestReader(directory: directory, files: files).committedBytes(of: last) else {
            return nil
        }
        var digest = XXH64()
        digest.update(bytes)
        return PartFile(resuming: last, digest: digest, directory: directory, files: files, createdNs: now)
    }

    // MARK: Committing

    public func prepare(_ epoch: EpochToken) throws(SinkError) {
        try checkWhole()
        guard settings.gatherMs == 0 else { return }
        try wrapped { () throws(IOFailure) in try prepareCommit(epoch) }
    }

    public func publish(_ epoch: EpochToken) throws(SinkError) {
        if epoch == lastPublished { return }
        if settings.gatherMs > 0 {
            gather()
            if clock.monotonicNs() - lastCommitNs >= settings.gatherMs * 1_000_000 { try commitGathered(epoch) }
        } else {
            try wrapped { () throws(IOFailure) in try publishCommit() }
        }
        lastPublished = epoch
    }

    /// Publishes an epoch that another process prepared here and that is known to be decided (SEMANTICS §5). Does
    /// nothing where it had no rows or is published already.
    public func publishForeign(_ epoch: EpochToken) throws(SinkError) {
        do throws(ManifestError) {
            _ = try ManifestWriter.publish(epoch, directory: directory, files: files)
        } catch {
            throw SinkError("\(description): \(error)")
        }
        // Its keys are written here from now on: behind what that process wrote, so that readers see each key's rows in
        // order.
        followsOthers = followsOthers || epoch.incarnation != lastPublished?.incarnation
        try wrapped { () throws(IOFailure) in try followOthers() }
    }

    /// Begins a new document and new files where another process wrote before, unless an epoch is half done.
    private func followOthers() throws(IOFailure) {
        guard followsOthers, buffer.rows == 0, gathered.rows == 0, !manifest.hasPrepared,
            parts.allSatisfy({ $0.committed == $0.mark })
        else { return }
        try finishDocument { () throws(IOFailure) in try manifest.beginDocumentBehindAll() }
        followsOthers = false
    }

    /// The document has its files; the next ones go to another, so the present file is full too.
    private func finishDocument(_ begin: () throws(IOFailure) -> Void) throws(IOFailure) {
        for part in parts { try part.putAside() }
        parts.removeAll()
        try begin()
        epochStart = PartsMark(count: 0, last: nil)
    }

    /// Ends the present epoch: its lines join the gathered ones.
    private func gather() {
        if gathered.rows == 0 {
            swap(&gathered, &buffer)
        } else {
            gathered.bytes.append(contentsOf: buffer.bytes)
            gathered.rows += buffer.rows
        }
        buffer.clear()
        epochStart = PartsMark(count: parts.count, last: parts.last?.mark)
    }

    private func commitGathered(_ epoch: EpochToken) throws(SinkError) {
        try wrapped { () throws(IOFailure) in
            try prepareCommit(epoch)
            try publishCommit()
        }
    }

    private func prepareCommit(_ epoch: EpochToken) throws(IOFailure) {
        try flush(epoch)
        let changed = parts.filter { $0.committed != $0.mark }
        guard !changed.isEmpty else { return }
        for part in changed { try part.sync() }
        if changed.contains(where: { $0.committed == nil }) { try files.syncDirectory(directory) }
        try manifest.prepare(
            epoch,
            changed.map(\.entry))
    }

    private func publishCommit() throws(IOFailure) {
        let hidden = parts.filter { !$0.isVisible }
        for part in hidden { try part.show() }
        if !hidden.isEmpty { try files.syncDirectory(directory) }
        try manifest.publish()
        for part in parts {
            committedBytes += part.mark.bytes - (part.committed?.bytes ?? 0)
            if part.committed == nil { committedFiles += 1 }
            part.committed = part.mark
        }
        if parts.count > 1 { parts.removeFirst(parts.count - 1) }
        if manifest.documentEntries.count >= ManifestDocument.entriesMax {
            try finishDocument { manifest.beginDocument() }
        }
        try followOthers()
        epochStart = PartsMark(count: parts.count, last: parts.last?.mark)
        lastCommitNs = clock.monotonicNs()
    }

    public func discard(_ epoch: EpochToken) {
        buffer.clear()
        do throws(IOFailure) {
            try manifest.discard()
            while parts.count > epochStart.count { try parts.removeLast().remove() }
            if let last = parts.last, let mark = epochStart.last { try last.rewind(to: mark) }
        } catch {
            // No reader looks behind the committed length or under hidden names; but writing on is over.
            broken = error
        }
    }

    public func abandon(_ epoch: EpochToken) {
        buffer.clear()
        // What was prepared names whole files, and a file may have grown: none of them is touched again.
        for part in parts { part.letGo() }
        parts.removeAll()
        manifest.abandon()
        epochStart = PartsMark(count: 0, last: nil)
    }

    public func close() throws(SinkError) {
        try checkWhole()
        // What was prepared and not published may have been decided: it is kept for whoever finds out.
        if !manifest.hasPrepared, let lastPublished {
            discard(lastPublished)
            if settings.gatherMs > 0 { try commitGathered(lastPublished) }
        }
        try wrapped { () throws(IOFailure) in
            for part in parts { try part.putAside() }
            try manifest.close()
        }
        parts.removeAll()
    }

    /// Why an epoch could not be taken back.
    private var broken: IOFailure?

    private func checkWhole() throws(SinkError) {
        if let broken { throw SinkError("\(description): an epoch could not be taken back: \(broken)") }
    }

    private func wrapped<R>(_ body: () throws(IOFailure) -> R) throws(SinkError) -> R {
        do throws(IOFailure) { return try body() } catch { throw SinkError("\(description): \(error)") }
    }
}
