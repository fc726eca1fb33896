import StreamEngine

/// One `--set key.path=value`: puts a value, read as YAML, into a job's tree. List entries go by their `name`, by the
/// sink they name, or by their number from 0.
struct JobOverride {
    private let text: SourceText
    private let schema: OptionSchema
    private let environment: (String) -> String?
    private(set) var diagnostics: [Diagnostic] = []

    init(_ text: SourceText, schema: OptionSchema, environment: @escaping (String) -> String?) {
        self.text = text
        self.schema = schema
        self.environment = environment
    }

    mutating func apply(to tree: inout OptionNode) {
        let bytes = text.bytes
        guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")), equals > 0 else {
            diagnostics.append(
                Diagnostic(
                    "`\(text.file)` is not key.path=value", label: "such as --set queries.cpu.window.size=1m"))
            return
        }
        let path = String(decoding: bytes[..<equals], as: UTF8.self)
        let valueText = String(decoding: bytes[(equals + 1)...], as: UTF8.self)
        let shift = path.unicodeScalars.count + 1
        // The value is parsed alone; the marks of its first line are moved behind the key.
        let valueSource = SourceText(file: text.file, text: valueText)
        var loader = YamlLoader(
            valueSource, parsing: valueSource.bytes, columnShift: shift, environment: environment)
        let blank = OptionNode(.scalar(OptionScalar("")))
        let value = valueText.allSatisfy(\.isWhitespace) ? blank : loader.load()
        diagnostics += loader.diagnostics
        guard let value else { return }
        let segments = Self.segments(path)
        guard segments.allSatisfy({ !$0.text.isEmpty }) else {
            diagnostics.append(Diagnostic("`\(path)` is no key path: a part of it is empty", span: span(0, shift - 1)))
            return
        }
        set(segments[...], in: &tree, type: .object(schema), to: value)
    }

    private struct Segment {
        var text: String
        var start: Int
        var end: Int
    }

    /// Parts between dots; a part in double quotes may hold dots.
    private static func segments(_ path: String) -> [Segment] {
        var segments = [Segment(text: "", start: 0, end: 0)]
        var isQuoted = false
        for (index, character) in path.unicodeScalars.enumerated() {
            if character == "\"" {
                isQuoted.toggle()
            } else if character == ".", !isQuoted {
                segments.append(Segment(text: "", start: index + 1, end: index + 1))
                continue
            } else {
                segments[segments.count - 1].text.unicodeScalars.append(character)
            }
            segments[segments.count - 1].end = index + 1
        }
        return segments
    }

    private func span(_ start: Int, _ end: Int) -> SourceSpan {
        SourceSpan(file: text.file, line: 1, column: start + 1, length: end - start)
    }

    private mutating func set(
        _ path: ArraySlice<Segment>, in node: inout OptionNode, type: OptionType?, to value: OptionNode
    ) {
        guard let first = path.first else {
            node = value
            return
        }
        if case .list(var items) = node.content {
            guard let index = position(of: first, in: items) else { return }
            // A sink's kind is the key inside its entry, its name is not.
            let isTag = items[index].entry("name") == nil && items[index].entry(first.text) != nil
            set(isTag ? path : path.dropFirst(), in: &items[index], type: Self.element(of: type), to: value)
            node.content = .list(items)
            return
        }
        var entries: [OptionEntry] = []
        if case .map(let existing) = node.content { entries = existing }
        let (key, rest) = Self.key(path, in: type)
        let child = Self.child(key.text, of: type)
        if let index = entries.firstIndex(where: { $0.key == key.text }) {
            set(rest, in: &entries[index].value, type: child, to: value)
        } else {
            var made = OptionNode(.scalar(OptionScalar("")), span: span(key.start, key.end))
            set(rest, in: &made, type: child, to: value)
            entries.append(OptionEntry(key.text, keySpan: span(key.start, key.end), made))
        }
        if case .map = node.content {} else { node.span = span(key.start, key.end) }
        node.content = .map(entries)
        node.isBroken = false
    }

    private mutating func position(of segment: Segment, in items: [OptionNode]) -> Int? {
        func name(_ item: OptionNode) -> String? { item.entry("name")?.value.scalar?.text }
        if let index = items.firstIndex(where: { name($0) == segment.text }) { return index }
        if let index = items.firstIndex(where: { name($0) == nil && $0.entry(segment.text) != nil }) { return index }
        if let index = Int(segment.text), items.indices.contains(index) { return index }
        var known = items.compactMap(name)
        if known.isEmpty {
            known = items.compactMap { if case .map(let entries) = $0.content { entries.first?.key } else { nil } }
        }
        let near = Suggestion.nearest(segment.text, among: known)
        diagnostics.append(
            Diagnostic(
                "no entry of this list is called `\(segment.text)`", span: span(segment.start, segment.end),
                label: near.map { "did you mean `\($0)`?" } ?? "",
                notes: known.isEmpty ? ["the list is empty"] : ["entries: \(known.joined(separator: ", "))"]))
        return nil
    }

    /// The key that comes next. In maps of any keys to scalars (librdkafka's settings) all that is left is one key.
    private static func key(_ path: ArraySlice<Segment>, in type: OptionType?) -> (Segment, ArraySlice<Segment>) {
        guard let first = path.first, let last = path.last else { return (Segment(text: "", start: 0, end: 0), []) }
        guard case .map(.text)? = type, path.count > 1 else { return (first, path.dropFirst()) }
        let joined = path.map(\.text).joined(separator: ".")
        return (Segment(text: joined, start: first.start, end: last.end), [])
    }

    private static func child(_ key: String, of type: OptionType?) -> OptionType? {
        switch type {
        case .object(let schema): schema.key(key)?.type
        case .oneOf(_, let schemas): schemas.first { $0.name == key }.map { .object($0) }
        case .map(let element): element
        case .either(let types): types.lazy.compactMap { child(key, of: $0) }.first
        default: nil
        }
    }

    private static func element(of type: OptionType?) -> OptionType? {
        if case .list(let element)? = type { element } else { nil }
    }
}
