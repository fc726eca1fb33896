import StreamEngine

/// The part of a text exposition line that names its series: `up{job="api"}`, or `{"up.time",job="api"}` as
/// Prometheus 3 writes names outside the classic alphabet.
///
/// The grammar is Prometheus's own (`model/textparse/promparse.go`, `parseLVals`): blanks between tokens, one trailing
/// comma, quoted label names, the quoted metric name anywhere between the braces. A backslash before anything but `"`,
/// `\` and `n` stands for itself. OpenMetrics forbids the blanks; they are taken there too.
enum ExpositionSeries {
    /// How many bytes from `start` name the series, without looking at what they say; nil where there is no name, or
    /// a brace or quote stays open. What it gives is worth a look-up; only `parse` judges.
    @inline(__always)
    static func extent(_ start: BytePointer, _ end: BytePointer) -> Int? {
        var p = start
        while p < end, p.pointee != UInt8(ascii: "{"), p.pointee != 0x20, p.pointee != 0x09 { p += 1 }
        let nameEnd = p
        skipBlanks(&p, end)
        guard p < end, p.pointee == UInt8(ascii: "{") else { return nameEnd > start ? nameEnd - start : nil }
        p += 1
        while p < end {
            let byte = p.pointee
            p += 1
            if byte == UInt8(ascii: "}") { return p - start }
            if byte == UInt8(ascii: "\"") {
                while p < end, p.pointee != UInt8(ascii: "\"") { p += p.pointee == UInt8(ascii: "\\") ? 2 : 1 }
                p += 1
            }
        }
        return nil
    }

    /// Reads the usual form, `name{label="value",…}` of ASCII without blanks or escapes; nil where it is another, or anything is
    /// wrong with it. Gives the first byte after them; `plain` is then the series that `parse` gives. Lines may follow.
    static func parsePlain(
        _ start: BytePointer, _ end: BytePointer, maxLabels: Int, _ plain: PlainLabels
    ) -> BytePointer? {
        var p = start
        guard p < end, isNameStart(p.pointee) || p.pointee == UInt8(ascii: ":") else { return nil }
        while p < end, isNameByte(p.pointee) || p.pointee == UInt8(ascii: ":") { p += 1 }
        let name = UnsafeBufferPointer(start: start, count: p - start)
        guard p < end, p.pointee == UInt8(ascii: "{") else { return nil }
        p += 1
        plain.begin()
        while p < end, p.pointee != UInt8(ascii: "}") {
            let labelStart = p
            guard isNameStart(p.pointee) else { return nil }
            while p < end, isNameByte(p.pointee) { p += 1 }
            let label = UnsafeBufferPointer(start: labelStart, count: p - labelStart)
            guard p < end, p.pointee == UInt8(ascii: "=") else { return nil }
            p += 1
            guard let value = PlainText.scan(&p, end) else { return nil }
            plain.add(label, value)
            guard p < end else { return nil }
            if p.pointee == UInt8(ascii: ",") { p += 1 } else if p.pointee != UInt8(ascii: "}") { return nil }
        }
        guard p < end, plain.pack(name: name, maxLabels: maxLabels) else { return nil }
        return p + 1
    }

    /// Reads name and labels; gives the first byte after them.
    static func parse(
        _ start: BytePointer, _ end: BytePointer, maxLabels: Int
    ) throws(DecodeFault) -> (labels: SeriesLabels, next: BytePointer) {
        var p = start
        var name: ByteString?
        if p < end, isNameStart(p.pointee) || p.pointee == UInt8(ascii: ":") {
            while p < end, isNameByte(p.pointee) || p.pointee == UInt8(ascii: ":") { p += 1 }
            name = ByteString(copying: UnsafeBufferPointer(start: start, count: p - start))
        }
        var next = p
        skipBlanks(&p, end)
        var labels: [Label] = []
        if p < end, p.pointee == UInt8(ascii: "{") {
            p += 1
            try parseLabels(&p, end, name: &name, labels: &labels)
            next = p
        } else if name == nil || (next == p && p < end) {
            throw DecodeFault(.badName, "a metric name cannot be \(token(start, end))")
        }
        guard let name else { throw DecodeFault(.badName, "no metric name") }
        try check(labels, maxLabels: maxLabels)
        return (SeriesLabels(name: name, labels: labels), next)
    }

    /// Reads over the label set of an exemplar, from its opening brace: the same grammar, nothing kept.
    static func skipLabels(_ at: inout BytePointer, _ end: BytePointer) throws(DecodeFault) {
        var name: ByteString? = .empty
        var labels: [Label] = []
        at += 1
        try parseLabels(&at, end, name: &name, labels: &labels)
    }

    /// Refuses a label that stands twice, `__name__` beside a name, and more than `maxLabels` (empty ones not counted).
    static func check(_ labels: [Label], maxLabels: Int) throws(DecodeFault) {
        var seen = Set<ByteString>(minimumCapacity: labels.count)
        var count = 0
        for label in labels {
            guard label.name != "__name__", seen.insert(label.name).inserted else {
                throw DecodeFault(.duplicateLabel, "label `\(label.name)` stands twice")
            }
            if !label.value.isEmpty { count += 1 }
        }
        guard count <= maxLabels else {
            throw DecodeFault(.tooManyLabels, "\(count) labels, limits.maxLabelsPerSeries is \(maxLabels)")
        }
    }

    /// The pairs after `{` up to and with `}`.
    private static func parseLabels(
        _ p: inout BytePointer, _ end: BytePointer, name: inout ByteString?, labels: inout [Label]
    ) throws(DecodeFault) {
        while true {
            skipBlanks(&p, end)
            guard p < end else { throw DecodeFault(.malformed, "no `}`") }
            if p.pointee == UInt8(ascii: "}") { break }
            let start = p
            let isQuoted = p.pointee == UInt8(ascii: "\"")
            let text: ByteString
            if isQuoted {
                text = try parseQuoted(&p, end)
            } else {
                guard isNameStart(p.pointee) else {
                    throw DecodeFault(.badLabel, "a label name cannot be \(token(p, end))")
                }
                while p < end, isNameByte(p.pointee) { p += 1 }
                text = ByteString(copying: UnsafeBufferPointer(start: start, count: p - start))
            }
            skipBlanks(&p, end)
            guard p < end else { throw DecodeFault(.malformed, "no `}`") }
            if isQuoted, p.pointee == UInt8(ascii: ",") || p.pointee == UInt8(ascii: "}") {
                guard name == nil else { throw DecodeFault(.badLabel, "\(text) has no value") }
                guard !text.isEmpty else { throw DecodeFault(.badName, "the metric name is empty") }
                name = text
            } else {
                guard p.pointee == UInt8(ascii: "="), !text.isEmpty else {
                    throw DecodeFault(.badLabel, "`=` and a value should follow the label name \(excerpt(start, p))")
                }
                p += 1
                skipBlanks(&p, end)
                guard p < end, p.pointee == UInt8(ascii: "\"") else {
                    throw DecodeFault(.badLabel, "the value of label `\(text)` is not in double quotes")
                }
                labels.append(Label(text, try parseQuoted(&p, end)))
                skipBlanks(&p, end)
            }
            guard p < end else { throw DecodeFault(.malformed, "no `}`") }
            if p.pointee == UInt8(ascii: "}") { break }
            guard p.pointee == UInt8(ascii: ",") else {
                throw DecodeFault(.malformed, "`,` or `}` expected at \(token(p, end))")
            }
            p += 1
        }
        p += 1
    }

    /// A text in double quotes, its escapes resolved.
    private static func parseQuoted(_ p: inout BytePointer, _ end: BytePointer) throws(DecodeFault) -> ByteString {
        p += 1
        let start = p
        var hasEscape = false
        while p < end, p.pointee != UInt8(ascii: "\"") {
            if p.pointee == UInt8(ascii: "\\") {
                hasEscape = true
                p += 1
                guard p < end else { break }
            }
            p += 1
        }
        guard p < end else { throw DecodeFault(.badLabel, "no closing quote after \(excerpt(start, end))") }
        let raw = UnsafeBufferPointer(start: start, count: p - start)
        p += 1
        guard hasEscape else { return ByteString(copying: raw) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(raw.count)
        var i = 0
        while i < raw.count {
            if raw[i] == UInt8(ascii: "\\"), i + 1 < raw.count {
                switch raw[i + 1] {
                case UInt8(ascii: "n"): bytes.append(0x0A)
                case UInt8(ascii: "\\"), UInt8(ascii: "\""): bytes.append(raw[i + 1])
                default: bytes.append(contentsOf: raw[i...(i + 1)])
                }
                i += 2
            } else {
                bytes.append(raw[i])
                i += 1
            }
        }
        return ByteString(bytes: bytes)
    }

    /// The bytes up to the next blank, for a message.
    private static func token(_ start: BytePointer, _ end: BytePointer) -> String {
        var p = start
        while p < end, p.pointee != 0x20, p.pointee != 0x09 { p += 1 }
        return excerpt(start, p)
    }

    @inline(__always)
    private static func isNameStart(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "_")
    }

    @inline(__always)
    private static func isNameByte(_ byte: UInt8) -> Bool {
        isNameStart(byte) || byte &- UInt8(ascii: "0") < 10
    }
}
