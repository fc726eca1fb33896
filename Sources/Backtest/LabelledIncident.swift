import StreamEngine

/// Something that went wrong, as a person or a generator labelled it (JOBS.md "Incident labels").
public struct LabelledIncident: Sendable, Equatable {
    /// First ms of it.
    public var startMs: Int64
    /// The ms after its last.
    public var endMs: Int64
    /// A word.
    public var kind: String
    /// Which series it concerns; nil: all.
    public var selector: SeriesSelector?

    /// A labelled incident.
    public init(startMs: Int64, endMs: Int64, kind: String, selector: SeriesSelector?) {
        self.startMs = startMs
        self.endMs = endMs
        self.kind = kind
        self.selector = selector
    }

    /// Whether a window `[startMs, endMs)` tells of it.
    public func overlaps(_ windowStartMs: Int64, _ windowEndMs: Int64) -> Bool {
        windowStartMs < endMs && windowEndMs > startMs
    }

    /// Whether it concerns a key: every matcher on a label that the key has is met. Labels that the key does not have, and
    /// the metric's name, say nothing about it: they were aggregated away.
    public func concerns(_ key: [Label]) -> Bool {
        guard let selector else { return true }
        return selector.matchers.allSatisfy { matcher in
            guard let label = key.first(where: { $0.name == matcher.label }) else { return true }
            return matcher.matches(label.value)
        }
    }
}

/// What is wrong with a file of labels.
public struct LabelsError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String
}

extension LabelledIncident {
    /// Reads a labels file: a header `start,end,kind,selector` (in any order, the selector may be missing), then a line for
    /// each incident. Gives them by start.
    public static func parse(_ bytes: [UInt8], file: String) throws(LabelsError) -> [LabelledIncident] {
        let table = CSVTable(bytes)
        if let line = table.openQuoteLine {
            throw LabelsError(description: "\(file):\(line): a quote is never closed")
        }
        guard let head = table.records.first else {
            throw LabelsError(description: "\(file) is empty: expected a header start,end,kind,selector")
        }
        let names = head.fields.map { trimmed($0) }
        var places: [String: Int] = [:]
        for (index, name) in names.enumerated() { places[name] = index }
        guard let start = places["start"], let end = places["end"], let kind = places["kind"] else {
            throw LabelsError(
                description: "\(file):\(head.line): the header is \(names.joined(separator: ",")); expected "
                    + "start,end,kind,selector")
        }
        var incidents: [LabelledIncident] = []
        for record in table.records.dropFirst() {
            let place = "\(file):\(record.line)"
            guard record.fields.count == names.count else {
                throw LabelsError(
                    description: "\(place): \(record.fields.count) fields under a header of \(names.count)"
                        + " (a selector with commas stands in quotes)")
            }
            func time(_ index: Int) throws(LabelsError) -> Int64 {
                let text = trimmed(record.fields[index])
                guard let time = EventTime.parseRFC3339(text) else {
                    throw LabelsError(
                        description: "\(place): `\(text)` is no RFC 3339 time, such as 2026-01-01T00:00:00Z")
                }
                return time
            }
            let (from, to) = (try time(start), try time(end))
            guard from < to else {
                throw LabelsError(description: "\(place): it ends (\(record.fields[end])) before it starts")
            }
            var selector: SeriesSelector?
            if let index = places["selector"] {
                let text = trimmed(record.fields[index])
                if !text.isEmpty, text != "{}" {
                    do throws(ExpressionError) {
                        selector = try SeriesSelector.parse(text)
                    } catch {
                        throw LabelsError(description: "\(place): selector `\(text)`: \(error.description)")
                    }
                }
            }
            incidents.append(
                LabelledIncident(startMs: from, endMs: to, kind: trimmed(record.fields[kind]), selector: selector))
        }
        return incidents.sorted { ($0.startMs, $0.endMs) < ($1.startMs, $1.endMs) }
    }

    private static func trimmed(_ text: String) -> String {
        let blanks: Set<Character> = [" ", "\t"]
        return String(text.drop { blanks.contains($0) }.reversed().drop { blanks.contains($0) }.reversed())
    }
}
