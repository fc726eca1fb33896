/// Values as a job would write them, for documentation.
public enum OptionText {
    /// In YAML's flow form: `128MiB`, `[a, b]`, `{delay: 1m}`.
    public static func yaml(_ value: OptionValue) -> String {
        switch value {
        case .text(let text): text.isEmpty ? "\"\"" : text
        case .boolean(let value): value ? "true" : "false"
        case .integer(let value): "\(value)"
        case .number(let value): value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
        case .duration(let ms): DurationText.compact(ms)
        case .size(let bytes): SizeText.compact(bytes)
        case .list(let values): "[\(values.map(yaml).joined(separator: ", "))]"
        case .map(let pairs): "{\(pairs.map { "\($0.key): \(yaml($0.value))" }.joined(separator: ", "))}"
        case .object(let options): "{\(options.pairs.map { "\($0.key): \(yaml($0.value))" }.joined(separator: ", "))}"
        case .tagged(let tag, let options): "{\(tag): \(yaml(.object(options)))}"
        }
    }
}
