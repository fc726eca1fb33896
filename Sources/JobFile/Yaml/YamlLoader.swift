import StreamEngine

/// Turns YAML into an `OptionNode` tree: environment variables put in, aliases copied, every place kept, and YAML's own
/// traps found where a reader of the file would be surprised.
struct YamlLoader {
    /// Maps and lists may be so deep.
    static let depthMax = 64
    /// So many nodes may a file have once its aliases are copied.
    static let nodeCountMax = 100_000

    /// One thing wrong that ends the reading.
    struct Stop: Error {}

    let source: SourceText
    let events: YamlEvents
    let environment: (String) -> String?
    /// Added to the columns of the first line (`--set key=value` shows the whole argument).
    let columnShift: Int
    var diagnostics: [Diagnostic] = []
    private var anchors: [String: (node: OptionNode, nodeCount: Int)] = [:]
    private var openAnchors: Set<String> = []
    private var nodeCount = 0

    init(_ source: SourceText, parsing bytes: [UInt8], columnShift: Int = 0, environment: @escaping (String) -> String?)
    {
        self.source = source
        events = YamlEvents(bytes)
        self.columnShift = columnShift
        self.environment = environment
    }

    /// Reads one document. With nil, `diagnostics` says why.
    mutating func load() -> OptionNode? {
        do {
            var (event, start, end) = try next()
            if case .streamEnd = event {
                diagnostics.append(
                    Diagnostic("\(source.file) holds nothing but comments; a job needs a name, sources and queries"))
                return nil
            }
            guard case .documentStart = event else { return nil }
            (event, start, end) = try next()
            let root = try node(event, start, end, depth: 0)
            _ = try next()
            (event, start, _) = try next()
            if case .documentStart = event {
                fail("a second YAML document begins here", at: start, label: "a job file holds one job")
                return nil
            }
            return root
        } catch {
            return nil
        }
    }

    private mutating func next() throws(Stop) -> (YamlEvent, YamlMark, YamlMark) {
        do throws(YamlSyntaxError) {
            let read = try events.next()
            return (read.event, read.start, read.end)
        } catch {
            let (message, label) = YamlTraps.explain(error, in: source)
            fail(message, at: error.mark, label: label)
            throw Stop()
        }
    }

    private mutating func node(
        _ event: YamlEvent, _ start: YamlMark, _ end: YamlMark, depth: Int
    ) throws(Stop) -> OptionNode {
        nodeCount += 1
        guard depth < Self.depthMax, nodeCount <= Self.nodeCountMax else {
            fail(
                depth >= Self.depthMax ? "maps and lists are more than \(Self.depthMax) deep" : "too many nodes",
                at: start, label: "")
            throw Stop()
        }
        switch event {
        case .alias(let name): return try copy(name, start, end)
        case .scalar(let text, let style, let tag, let anchor):
            let node = scalar(text, style, tag: tag, start, end)
            if let anchor { anchors[anchor] = (node, 1) }
            return node
        case .mapStart(let tag, let anchor, let isFlow):
            return try collection(tag: tag, anchor: anchor, start) { (loader) throws(Stop) in
                try loader.map(start, isFlow: isFlow, depth: depth)
            }
        case .listStart(let tag, let anchor):
            return try collection(tag: tag, anchor: anchor, start) { (loader) throws(Stop) in
                try loader.list(start, depth: depth)
            }
        case .documentStart, .documentEnd, .streamEnd, .mapEnd, .listEnd:
            // Where its grammar asks for a node libyaml gives one, an empty scalar where the text has none, or an error: `next` throws.
            preconditionFailure("libyaml gave an end where a node begins")
        }
    }

    private mutating func collection(
        tag: String?, anchor: String?, _ start: YamlMark,
        _ read: (inout YamlLoader) throws(Stop) -> OptionNode
    ) throws(Stop) -> OptionNode {
        let before = nodeCount
        if let anchor { openAnchors.insert(anchor) }
        var node = try read(&self)
        if let tag, !tag.hasPrefix("tag:yaml.org,2002:") { tagged(tag, &node, at: start) }
        if let anchor {
            openAnchors.remove(anchor)
            anchors[anchor] = (node, nodeCount - before + 1)
        }
        return node
    }

    private mutating func copy(_ name: String, _ start: YamlMark, _ end: YamlMark) throws(Stop) -> OptionNode {
        guard let anchor = anchors[name] else {
            let what = openAnchors.contains(name) ? "stands inside what `&\(name)` names" : "names nothing above it"
            fail("the alias `*\(name)` \(what)", at: start, label: "a text that begins with `*` must be quoted")
            throw Stop()
        }
        nodeCount += anchor.nodeCount
        guard nodeCount <= Self.nodeCountMax else {
            fail("aliases make more than \(Self.nodeCountMax) nodes of this file", at: start, label: "")
            throw Stop()
        }
        return anchor.node
    }

    // MARK: Scalars

    private mutating func scalar(
        _ text: String, _ style: ScalarStyle, tag: String?, _ start: YamlMark, _ end: YamlMark
    ) -> OptionNode {
        var style = style
        if tag == "tag:yaml.org,2002:str", style == .plain { style = .doubleQuoted }
        let isNothing = text.isEmpty && start == end
        let span = isNothing ? nil : span(start, end)
        var result: OptionNode
        let marks = ScalarOrigins.find(text, style: style, in: source, from: start, to: end)
        do throws(EnvironmentText.Failure) {
            let expanded = try EnvironmentText.expand(Array(text.unicodeScalars), environment: environment)
            let origins = expanded.origins.map { (mark: marks[$0.index], isPinned: $0.isPinned) }
            let map = textMap(String(expanded.text), origins, start)
            result = OptionNode(.scalar(OptionScalar(String(expanded.text), style: style, map: map)), span: span)
        } catch {
            let at = error.index < marks.count ? marks[error.index] : start
            let span = self.span(at, YamlMark(line: at.line, column: at.column + error.length))
            diagnostics.append(Diagnostic(error.message, span: span, label: error.label))
            result = OptionNode(.scalar(OptionScalar(text, style: style)), span: span)
            result.isBroken = true
        }
        if let tag, !tag.hasPrefix("tag:yaml.org,2002:") { tagged(tag, &result, at: start) }
        return result
    }

    private func textMap(
        _ text: String, _ origins: [(mark: YamlMark, isPinned: Bool)], _ start: YamlMark
    ) -> TextMap {
        var segments: [TextMap.Segment] = []
        var offset = 0
        var previous: (mark: YamlMark, isPinned: Bool)?
        for (scalar, origin) in zip(text.unicodeScalars, origins) {
            let follows =
                previous.map {
                    $0.isPinned == origin.isPinned
                        && (origin.isPinned
                            ? $0.mark == origin.mark
                            : $0.mark.line == origin.mark.line && $0.mark.column + 1 == origin.mark.column)
                } ?? false
            if !follows { segments.append(segment(offset, origin.mark, isPinned: origin.isPinned)) }
            previous = origin
            offset += UTF8.width(scalar)
        }
        if segments.isEmpty { segments.append(segment(0, start, isPinned: false)) }
        return TextMap(file: source.file, text: text, segments: segments)
    }

    private func segment(_ offset: Int, _ mark: YamlMark, isPinned: Bool) -> TextMap.Segment {
        let column = mark.column + 1 + (mark.line == 0 ? columnShift : 0)
        return TextMap.Segment(textOffset: offset, line: mark.line + 1, column: column, isPinned: isPinned)
    }

    private mutating func tagged(_ tag: String, _ node: inout OptionNode, at start: YamlMark) {
        fail("YAML takes `\(tag.prefix(40))` as a tag", at: start, label: "quote the whole text")
        node.isBroken = true
        node.span = span(start, YamlMark(line: start.line, column: start.column + 1))
    }

    // MARK: Maps and lists

    private mutating func map(_ start: YamlMark, isFlow: Bool, depth: Int) throws(Stop) -> OptionNode {
        var entries: [FlowEntry] = []
        var end = start
        while true {
            let (event, keyStart, keyEnd) = try next()
            if case .mapEnd = event {
                end = keyEnd
                break
            }
            let key = try node(event, keyStart, keyEnd, depth: depth + 1)
            let (valueEvent, valueStart, valueEnd) = try next()
            let value = try node(valueEvent, valueStart, valueEnd, depth: depth + 1)
            guard let scalar = key.scalar else {
                fail("a key is a text, found \(key.kindInWords)", at: keyStart, label: "quote it")
                continue
            }
            entries.append(FlowEntry(key: scalar, keySpan: key.span ?? span(keyStart, keyEnd), value: value))
        }
        if isFlow { diagnostics += YamlTraps.joinSplitTexts(&entries) }
        return OptionNode(.map(unique(entries)), span: span(start, end))
    }

    private mutating func list(_ start: YamlMark, depth: Int) throws(Stop) -> OptionNode {
        var items: [OptionNode] = []
        while true {
            let (event, itemStart, itemEnd) = try next()
            if case .listEnd = event {
                diagnostics += YamlTraps.joinSplitTexts(&items)
                return OptionNode(.list(items), span: span(start, itemEnd))
            }
            items.append(try node(event, itemStart, itemEnd, depth: depth + 1))
        }
    }

    /// Entries with merge keys (`<<`, YAML 1.1) resolved, each key once.
    private mutating func unique(_ entries: [FlowEntry]) -> [OptionEntry] {
        var result: [OptionEntry] = []
        var merged: [OptionEntry] = []
        var lines: [String: Int] = [:]
        for entry in entries {
            let key = entry.key.text
            if key == "<<", entry.key.style == .plain {
                merged += mergedEntries(entry)
                continue
            }
            if let line = lines[key] {
                diagnostics.append(
                    Diagnostic(
                        "the key `\(key)` is there twice", span: entry.keySpan, label: "first on line \(line)"))
                continue
            }
            if entry.key.style == .plain, let trap = YamlTraps.booleanKey(entry.key.text, at: entry.keySpan) {
                diagnostics.append(trap)
            }
            lines[key] = entry.keySpan.line
            result.append(OptionEntry(key, keySpan: entry.keySpan, entry.value))
        }
        for entry in merged where lines[entry.key] == nil {
            lines[entry.key] = entry.keySpan?.line ?? 0
            result.append(entry)
        }
        return result
    }

    private mutating func mergedEntries(_ entry: FlowEntry) -> [OptionEntry] {
        switch entry.value.content {
        case .map(let entries): return entries
        case .list(let nodes):
            return nodes.flatMap { node in
                if case .map(let entries) = node.content { entries } else { [OptionEntry]() }
            }
        case .scalar:
            diagnostics.append(Diagnostic("`<<` merges a map", span: entry.keySpan, label: "such as <<: *name"))
            return []
        }
    }

    // MARK: Places

    private func span(_ start: YamlMark, _ end: YamlMark) -> SourceSpan {
        let length: Int
        if end.line == start.line {
            length = end.column - start.column
        } else {
            // Up to the end of the first line, without the blanks and the comment behind it.
            let line = start.line < source.lines.count ? source.lines[start.line] : []
            length = (line.lastIndex { $0 != " " && $0 != "\t" }.map { $0 + 1 } ?? 0) - start.column
        }
        let shift = start.line == 0 ? columnShift : 0
        return SourceSpan(
            file: source.file, line: start.line + 1, column: start.column + 1 + shift, length: length)
    }

    private mutating func fail(_ message: String, at mark: YamlMark, label: String) {
        let span = span(mark, YamlMark(line: mark.line, column: mark.column + 1))
        diagnostics.append(Diagnostic(message, span: span, label: label))
    }
}

/// One entry of a map as read.
struct FlowEntry {
    var key: OptionScalar
    var keySpan: SourceSpan
    var value: OptionNode
}
