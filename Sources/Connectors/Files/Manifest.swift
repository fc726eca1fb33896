import Platform
import StreamEngine

/// A file that a manifest names: its first `bytes` bytes are committed, what follows them does not count.
public struct ManifestEntry: Sendable, Hashable {
    /// Relative to the directory that holds `_manifest`.
    public var path: String
    /// Rows (lines) in the committed bytes.
    public var rows: Int64
    /// The committed length.
    public var bytes: Int64
    /// XXH64 of the committed bytes.
    public var checksum: UInt64
    /// The epochs whose files were merged into this one, as `<incarnation>.<first>-<last>`; empty for a file that is not
    /// merged. Files of its directory that belong to these and that no document names are left over.
    public var covers: [String]

    /// A file and how much of it counts.
    public init(path: String, rows: Int64, bytes: Int64, checksum: UInt64, covers: [String] = []) {
        self.path = path
        self.rows = rows
        self.bytes = bytes
        self.checksum = checksum
        self.covers = covers
    }
}

/// One document of a manifest: the files of one writer, up to `entriesMax` of them (docs/file-formats.md).
struct ManifestDocument: Sendable, Equatable {
    static let version = 1
    /// A document that has this many files grows no more; the writer's next files go to another one. So rewriting it for
    /// each epoch costs the same however long a job runs.
    static let entriesMax = 64

    /// The incarnation that writes it; empty for the document of an output without rows.
    var writer: String
    /// Its name in `_manifest`; a later writer that goes on with it keeps the name.
    var name: String
    /// The last epoch of the writer that it covers.
    var epoch: Int
    var entries: [ManifestEntry]

    /// The document as JSON. The last member is the XXH64 of all bytes before its comma.
    var json: [UInt8] {
        var lines: [UInt8] = [UInt8(ascii: "[")]
        for (i, entry) in entries.enumerated() {
            lines.append(contentsOf: (i == 0 ? "\n" : ",\n").utf8)
            var object = JSONObject()
            object.add("path", text: entry.path.utf8)
            object.add("rows", integer: entry.rows)
            object.add("bytes", integer: entry.bytes)
            object.add("checksum", text: ChecksumText.encode(entry.checksum))
            if !entry.covers.isEmpty {
                // Tokens are hexadecimal digits, points and dashes: nothing to escape.
                object.add("covers", raw: Array("[\"\(entry.covers.joined(separator: "\",\""))\"]".utf8))
            }
            lines.append(contentsOf: object.closed)
        }
        lines.append(contentsOf: "\n]".utf8)
        var document = JSONObject()
        document.add("format", text: "stream-job-manifest".utf8)
        document.add("version", integer: Int64(Self.version))
        document.add("writer", text: writer.utf8)
        document.add("name", text: name.utf8)
        document.add("epoch", integer: Int64(epoch))
        document.add("entries", raw: lines)
        return document.open + Self.end(after: document.open)
    }

    /// What ends a document whose other bytes are these: its last member and brace. As long for every document.
    static func end(after body: some Sequence<UInt8>) -> [UInt8] {
        Array(#","checksum":""#.utf8) + ChecksumText.encode(XXH64.hash(Array(body))) + Array("\"}\n".utf8)
    }

    init(writer: String, name: String = "", epoch: Int, entries: [ManifestEntry]) {
        self.writer = writer
        self.name = name
        self.epoch = epoch
        self.entries = entries
    }
}

/// Checksums as text: `xxh64:` and 16 hexadecimal digits.
enum ChecksumText {
    static let prefix = "xxh64:"

    static func encode(_ value: UInt64) -> [UInt8] {
        var out = Array(prefix.utf8)
        for shift in stride(from: UInt64(60), through: 0, by: -4) {
            out.append(JSONText.hexadecimal(UInt8(truncatingIfNeeded: (value >> shift) & 15)))
        }
        return out
    }

    static func decode(_ text: String) -> UInt64? {
        guard text.hasPrefix(prefix), text.utf8.count == prefix.utf8.count + 16 else { return nil }
        return UInt64(text.dropFirst(prefix.count), radix: 16)
    }
}

/// The names in `_manifest`.
enum ManifestName {
    static let directory = "_manifest"
    static let suffix = ".json"
    /// What an output without rows has.
    static let empty = "00000000.json"

    /// A published document. Documents sorted by name are in the order in which one writer after another wrote them.
    static func document(sequence: Int, writer: String) -> String { "\(digits(sequence))-\(writer)\(suffix)" }

    /// A document prepared for an epoch, not published yet.
    static func prepared(sequence: Int, epoch: EpochToken) -> String {
        ".\(digits(sequence))-\(epoch)\(preparedSuffix)"
    }

    static let preparedSuffix = ".prepared"

    /// Whether a name is that of a document prepared for an epoch.
    static func isPrepared(_ name: String, for epoch: EpochToken) -> Bool {
        sequence(of: name).map { prepared(sequence: $0, epoch: epoch) == name } ?? false
    }

    /// The incarnation in a prepared document's name.
    static func writer(ofPrepared name: String) -> String? {
        let fields = name.dropLast(preparedSuffix.count).split(separator: "-", maxSplits: 1)
        guard fields.count == 2 else { return nil }
        return fields[1].split(separator: ".").first.map(String.init)
    }

    /// A data file of an epoch, in a folder of the output or (`""`) in its root. Names sort like the order of the rows.
    static func part(folder: String = "", sequence: Int, epoch: EpochToken, suffix: String) -> String {
        FilePath.join(folder, "part-\(digits(sequence))-\(epoch)\(suffix)")
    }

    /// Whether a name is that of a data file, visible or not yet.
    static func isPart(_ name: String) -> Bool {
        (name.hasPrefix("part-") || name.hasPrefix(".part-")) && sequence(of: name) != nil
    }

    /// What a data file is called before its first rows are published.
    static func hidden(_ part: String) -> String { FilePath.sibling(of: part, named: "." + FilePath.name(of: part)) }

    /// The epoch in a data file's name.
    static func epoch(ofPart name: String) -> EpochToken? {
        let name = FilePath.name(of: name)
        guard isPart(name) else { return nil }
        // part-<digits>-<incarnation>.<number>.<format>
        let fields = name.drop { $0 == "." }.split(separator: "-", maxSplits: 2)
        guard fields.count == 3 else { return nil }
        let token = fields[2].split(separator: ".")
        guard token.count >= 2, let number = Int(token[1]) else { return nil }
        return EpochToken(incarnation: String(token[0]), number: number)
    }

    /// The folder of a data file, relative to the output; empty for its root.
    static func folder(of path: String) -> String {
        path.utf8.contains(UInt8(ascii: "/")) ? FilePath.directory(of: path) : ""
    }

    /// What a writer holds locked while it is alive.
    static func lock(of writer: String) -> String { ".\(writer).lock" }

    /// The lock of merging: going on with another writer's document, removing what it left.
    static let mergeLock = "lock"

    /// The sequence number in a name of ours.
    static func sequence(of name: String) -> Int? {
        var rest = Substring(FilePath.name(of: name))
        if rest.hasPrefix(".") { rest = rest.dropFirst() }
        if rest.hasPrefix("part-") { rest = rest.dropFirst(5) }
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard digits.count >= 8, let next = rest.dropFirst(digits.count).first, next == "-" || next == "." else {
            return nil
        }
        return Int(digits)
    }

    private static func digits(_ value: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(8 - text.count, 0)) + text
    }
}
