import Platform
import StreamEngine

/// Why a manifest cannot be followed.
public enum ManifestError: Error, Sendable, Equatable, CustomStringConvertible {
    case file(IOFailure)
    /// A document that is not what its checksum says, or not one of ours.
    case document(path: String, detail: String)
    /// A data file that holds less than is committed.
    case short(path: String, bytes: Int64, committed: Int64)
    /// A data file whose committed bytes are not those that were written.
    case checksum(path: String)

    public var description: String {
        switch self {
        case .file(let failure): failure.description
        case .document(let path, let detail):
            "\(path) is not a whole manifest document: \(detail); restore it from a copy"
        case .short(let path, let bytes, let committed):
            "\(path) has \(bytes) bytes of \(committed) committed ones; restore it from a copy"
        case .checksum(let path):
            "\(path) is damaged: its committed bytes have another checksum; restore it from a copy"
        }
    }
}

/// Follows the manifest of a file output: sees each committed row exactly once.
public struct ManifestReader {
    /// The directory that holds `_manifest`.
    public let directory: String
    let files: any FileSystem

    /// A reader of the output in `directory`.
    public init(directory: String, files: any FileSystem = PosixFileSystem()) {
        self.directory = directory
        self.files = files
    }

    /// What is committed now, in the order in which it was written. O(files kept).
    public func entries() throws(ManifestError) -> [ManifestEntry] {
        let root = FilePath.join(directory, ManifestName.directory)
        let names: [String]
        do throws(IOFailure) { names = try files.list(root) } catch { throw .file(error) }
        var entries: [ManifestEntry] = []
        for name in names where name.hasSuffix(ManifestName.suffix) && !name.hasPrefix(".") {
            entries += try document(FilePath.join(root, name)).entries
        }
        return entries
    }

    /// The committed bytes of an entry, as they are in the file, checked against length and checksum.
    public func committedBytes(of entry: ManifestEntry) throws(ManifestError) -> [UInt8] {
        let path = FilePath.join(directory, entry.path)
        var bytes: [UInt8]
        do throws(IOFailure) {
            bytes = try files.readAll(path, limit: .max)
        } catch {
            throw .file(error)
        }
        guard bytes.count >= entry.bytes else {
            throw .short(path: path, bytes: Int64(bytes.count), committed: entry.bytes)
        }
        bytes.removeLast(bytes.count - Int(entry.bytes))
        guard XXH64.hash(bytes) == entry.checksum else { throw .checksum(path: path) }
        return bytes
    }

    func document(_ path: String) throws(ManifestError) -> ManifestDocument {
        let bytes: [UInt8]
        do throws(IOFailure) { bytes = try files.readAll(path) } catch { throw .file(error) }
        do throws(DecodeFault) {
            return try ManifestDocument(decoding: bytes)
        } catch {
            throw .document(path: path, detail: error.detail)
        }
    }
}

extension ManifestDocument {
    /// Reads a document back; every byte is covered by its checksum.
    init(decoding bytes: [UInt8]) throws(DecodeFault) {
        let bodyCount = bytes.count - Self.end(after: []).count
        guard bodyCount > 0 else { throw DecodeFault(.malformed, "it is cut short") }
        let body = Array(bytes[..<bodyCount])
        guard bytes[bodyCount...].elementsEqual(Self.end(after: body)) else {
            throw DecodeFault(.malformed, "its checksum does not fit")
        }
        self.init(writer: "", name: "", epoch: 0, entries: [])
        var version = 0
        let result = (body + [UInt8(ascii: "}")]).withUnsafeBufferPointer { buffer in
            Result { () throws(DecodeFault) in
                guard var at = buffer.baseAddress else { return }
                let end = at + buffer.count
                try JSONScanner.members(&at, end) { key, value throws(DecodeFault) in
                    if JSONScanner.matches(key, "version") { version = try Self.integer(value, as: Int.self) }
                    if JSONScanner.matches(key, "writer") { writer = try Self.text(value) }
                    if JSONScanner.matches(key, "name") { name = try Self.text(value) }
                    if JSONScanner.matches(key, "epoch") { epoch = try Self.integer(value, as: Int.self) }
                    if JSONScanner.matches(key, "entries") { entries = try Self.entries(value) }
                }
            }
        }
        try result.get()
        guard version == Self.version else {
            throw DecodeFault(.malformed, "its version is \(version), this program reads \(Self.version)")
        }
    }

    private static func integer<T: FixedWidthInteger>(_ value: JSONValue, as type: T.Type) throws(DecodeFault) -> T {
        let text = String(
            decoding: UnsafeBufferPointer(start: value.start, count: value.end - value.start), as: UTF8.self)
        guard let number = T(text), number >= 0 else { throw DecodeFault(.malformed, "\(text) is no count") }
        return number
    }

    private static func text(_ value: JSONValue) throws(DecodeFault) -> String {
        guard value.kind == .string else { throw DecodeFault(.malformed, "a text is no text") }
        return value.text.description
    }

    private static func entries(_ value: JSONValue) throws(DecodeFault) -> [ManifestEntry] {
        var entries: [ManifestEntry] = []
        try elements(value) { at, end throws(DecodeFault) in
            var entry = ManifestEntry(path: "", rows: 0, bytes: 0, checksum: 0)
            try JSONScanner.members(&at, end) { key, value throws(DecodeFault) in
                if JSONScanner.matches(key, "path") { entry.path = try text(value) }
                if JSONScanner.matches(key, "rows") { entry.rows = try integer(value, as: Int64.self) }
                if JSONScanner.matches(key, "bytes") { entry.bytes = try integer(value, as: Int64.self) }
                if JSONScanner.matches(key, "covers") { entry.covers = try texts(value) }
                if JSONScanner.matches(key, "checksum") {
                    guard let checksum = ChecksumText.decode(try text(value)) else {
                        throw DecodeFault(.malformed, "a checksum is no checksum")
                    }
                    entry.checksum = checksum
                }
            }
            guard !entry.path.isEmpty else { throw DecodeFault(.malformed, "an entry has no path") }
            entries.append(entry)
        }
        return entries
    }

    private static func texts(_ value: JSONValue) throws(DecodeFault) -> [String] {
        var texts: [String] = []
        try elements(value) { at, end throws(DecodeFault) in texts.append(try text(try JSONScanner.value(&at, end))) }
        return texts
    }

    /// Calls `body` at the start of each element of an array.
    private static func elements(
        _ value: JSONValue, _ body: (inout UnsafePointer<UInt8>, UnsafePointer<UInt8>) throws(DecodeFault) -> Void
    ) throws(DecodeFault) {
        guard value.kind == .array else { throw DecodeFault(.malformed, "a list is no list") }
        var at = value.start + 1
        while true {
            JSONScanner.skipSpace(&at, value.end)
            if at.pointee == UInt8(ascii: "]") { return }
            if at.pointee == UInt8(ascii: ",") {
                at += 1
                continue
            }
            try body(&at, value.end)
        }
    }
}
