import CYaml
import Platform
import StreamEngine

/// A place in YAML text: 0-based, in Unicode scalars.
struct YamlMark: Hashable {
    var line: Int
    var column: Int
}

/// What libyaml's parser reports, without what the tree has no use for.
enum YamlEvent {
    case documentStart
    case documentEnd
    case streamEnd
    case alias(String)
    case scalar(String, style: ScalarStyle, tag: String?, anchor: String?)
    case mapStart(tag: String?, anchor: String?, isFlow: Bool)
    case mapEnd
    case listStart(tag: String?, anchor: String?)
    case listEnd
}

/// A YAML syntax error as libyaml words it.
struct YamlSyntaxError: Error {
    var problem: String
    var mark: YamlMark
}

/// Reads YAML events with libyaml; owns the parser and the bytes it reads.
final class YamlEvents {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutableBufferPointer<UInt8>

    init(_ bytes: [UInt8]) {
        parser = .allocate(capacity: 1)
        input = .allocate(capacity: max(bytes.count, 1))
        _ = input.initialize(from: bytes)
        guard yaml_parser_initialize(parser) == 1 else {
            // Its only failure.
            OutOfMemory.end("a YAML parser", bytes: MemoryLayout<yaml_parser_t>.size)
        }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, input.baseAddress, bytes.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        input.deallocate()
    }

    /// The next event with its first place and the place behind it.
    func next() throws(YamlSyntaxError) -> (event: YamlEvent, start: YamlMark, end: YamlMark) {
        while true {
            var raw = yaml_event_t()
            guard yaml_parser_parse(parser, &raw) == 1 else { throw failure() }
            defer { yaml_event_delete(&raw) }
            let start = YamlMark(line: raw.start_mark.line, column: raw.start_mark.column)
            let end = YamlMark(line: raw.end_mark.line, column: raw.end_mark.column)
            if let event = convert(raw) { return (event, start, end) }
        }
    }

    private func failure() -> YamlSyntaxError {
        let state = parser.pointee
        let problem = state.problem.map { String(cString: $0) } ?? "cannot be read"
        if state.error == YAML_READER_ERROR {
            // Reader errors know the byte only.
            let before = input.prefix(min(state.problem_offset, input.count))
            let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
            let column = before[lineStart...].count { $0 & 0xC0 != 0x80 }
            return YamlSyntaxError(
                problem: problem, mark: YamlMark(line: before.count { $0 == 0x0A }, column: column))
        }
        return YamlSyntaxError(
            problem: problem, mark: YamlMark(line: state.problem_mark.line, column: state.problem_mark.column))
    }

    private func convert(_ raw: yaml_event_t) -> YamlEvent? {
        switch raw.type {
        case YAML_DOCUMENT_START_EVENT: return .documentStart
        case YAML_DOCUMENT_END_EVENT: return .documentEnd
        case YAML_STREAM_END_EVENT: return .streamEnd
        case YAML_ALIAS_EVENT: return .alias(text(raw.data.alias.anchor) ?? "")
        case YAML_SCALAR_EVENT:
            let scalar = raw.data.scalar
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            let style: ScalarStyle =
                switch scalar.style {
                case YAML_SINGLE_QUOTED_SCALAR_STYLE: .singleQuoted
                case YAML_DOUBLE_QUOTED_SCALAR_STYLE: .doubleQuoted
                case YAML_LITERAL_SCALAR_STYLE, YAML_FOLDED_SCALAR_STYLE: .block
                default: .plain
                }
            return .scalar(
                String(decoding: bytes, as: UTF8.self), style: style, tag: text(scalar.tag),
                anchor: text(scalar.anchor))
        case YAML_MAPPING_START_EVENT:
            let start = raw.data.mapping_start
            return .mapStart(
                tag: text(start.tag), anchor: text(start.anchor), isFlow: start.style == YAML_FLOW_MAPPING_STYLE)
        case YAML_MAPPING_END_EVENT: return .mapEnd
        case YAML_SEQUENCE_START_EVENT:
            return .listStart(tag: text(raw.data.sequence_start.tag), anchor: text(raw.data.sequence_start.anchor))
        case YAML_SEQUENCE_END_EVENT: return .listEnd
        default: return nil
        }
    }

    private func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        pointer.map { String(cString: $0) }
    }
}
