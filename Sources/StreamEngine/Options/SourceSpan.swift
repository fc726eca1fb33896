/// A stretch of one line of a job file (or of a `--set` argument): what carets are drawn under.
public struct SourceSpan: Sendable, Hashable {
    /// The file as the user named it.
    public var file: String
    /// 1-based.
    public var line: Int
    /// 1-based, in Unicode scalars.
    public var column: Int
    /// Unicode scalars on this line, at least 1.
    public var length: Int

    /// A stretch of a line.
    public init(file: String, line: Int, column: Int, length: Int = 1) {
        self.file = file
        self.line = line
        self.column = column
        self.length = max(length, 1)
    }

    /// `job.yaml:12:9`.
    public var place: String { "\(file):\(line):\(column)" }
}

/// Leads from bytes of a scalar's text back to the file, through quotes, escapes, folded lines and `${VAR}`s.
public struct TextMap: Sendable {
    /// From byte `textOffset` on, text and file run side by side until the next segment.
    public struct Segment: Sendable {
        /// Byte offset in the scalar's UTF-8 text.
        public var textOffset: Int
        /// 1-based line in the file.
        public var line: Int
        /// 1-based column in the file.
        public var column: Int
        /// True for what a `${VAR}` gave: every byte of it stands at the one place where the `${` begins.
        public var isPinned: Bool

        /// The beginning of a run.
        public init(textOffset: Int, line: Int, column: Int, isPinned: Bool = false) {
            self.textOffset = textOffset
            self.line = line
            self.column = column
            self.isPinned = isPinned
        }
    }

    /// The file the text stands in.
    public var file: String
    /// The scalar's text; offsets count its UTF-8 bytes.
    public var text: String
    /// Ordered by `textOffset`; the first has 0.
    public var segments: [Segment]

    /// A map from its segments.
    public init(file: String, text: String, segments: [Segment]) {
        self.file = file
        self.text = text
        self.segments = segments
    }

    /// Where `length` bytes from byte `offset` stand. Offsets past the end stand just behind the last character. O(text).
    public func span(offset: Int, length: Int) -> SourceSpan? {
        guard let segment = segments.last(where: { $0.textOffset <= offset }) ?? segments.first else { return nil }
        if segment.isPinned {
            return SourceSpan(file: file, line: segment.line, column: segment.column, length: 2)
        }
        let bytes = Array(text.utf8)
        let from = min(max(offset, segment.textOffset), bytes.count)
        let next = segments.first { $0.textOffset > from }?.textOffset ?? bytes.count
        let end = min(max(offset, 0) + max(length, 0), next, bytes.count)
        func scalars(_ range: Range<Int>) -> Int { bytes[range].count { $0 & 0xC0 != 0x80 } }
        let column = segment.column + scalars(min(segment.textOffset, from)..<from)
        return SourceSpan(file: file, line: segment.line, column: column, length: end > from ? scalars(from..<end) : 1)
    }
}
