import Connectors

/// All that a job of the crash tests put out: for each place and key, the lines in order.
struct CrashOutput: Equatable {
    private(set) var places: [String: [String: [String]]] = [:]

    /// Reads it under read_committed and through the manifests.
    init(_ job: CrashJob, brokers: String, directory: String) throws {
        for topic in job.topics {
            var keyed: [String: [String]] = [:]
            for (number, lines) in try readTopic(topic.name, brokers).enumerated() {
                for line in lines.map(Self.withoutRecordTime) {
                    if topic.name == "updates" {
                        // In update mode the last row of a window and key counts.
                        keyed["\(number) \(try Self.key(line)) \(try JSON(line)["window_start"]?.text ?? "")"] = [line]
                    } else {
                        keyed["\(number) \(try Self.key(line))", default: []].append(line)
                    }
                }
            }
            places["topic \(topic.name)"] = keyed
        }
        for path in job.rowFiles + job.documentFiles {
            places[path] = try Self.keyed(ManifestReader(directory: "\(directory)/\(path)"))
        }
    }

    /// The committed lines of a file output, each key's in order.
    static func keyed(_ reader: ManifestReader) throws -> [String: [String]] {
        var keyed: [String: [String]] = [:]
        for entry in try reader.entries() {
            let text = String(decoding: try reader.committedBytes(of: entry), as: UTF8.self)
            for line in text.split(separator: "\n").map({ withoutRecordTime(String($0)) }) {
                keyed[try key(line), default: []].append(line)
            }
        }
        return keyed
    }

    /// A dead letter without its record's time: when the test wrote it.
    private static func withoutRecordTime(_ line: String) -> String {
        guard line.contains("\"raw\":"), let time = line.firstRange(of: ",\"timestamp\":\"") else { return line }
        return line[..<time.lowerBound] + "}"
    }

    /// What order is kept for: a row's key columns, the partition of a late row or dead letter.
    private static func key(_ line: String) throws -> String {
        let row = try JSON(line)
        if row["offset"] != nil { return "partition \(row["partition"]?.number ?? -1)" }
        // What a detector or an impact found has its key below `labels`.
        let found = row["detector"]?.text ?? row["impact"]?.text ?? ""
        let key = row["labels"] ?? row
        return "\(found) \(key["instance"]?.text ?? "") \(key["zone"]?.text ?? "")"
    }

    /// The first difference of each place, in words; empty when all is equal.
    func differences(from expected: CrashOutput) -> [String] {
        expected.places.sorted { $0.key < $1.key }.flatMap { place, keys in
            Self.differences(place, places[place] ?? [:], expected: keys).prefix(3)
        }
    }

    /// Keys whose lines differ, in words.
    static func differences(_ place: String, _ found: [String: [String]], expected: [String: [String]]) -> [String] {
        Set(found.keys).union(expected.keys).sorted().compactMap { key in
            let (want, have) = (expected[key] ?? [], found[key] ?? [])
            guard want != have else { return nil }
            let at = zip(want, have).prefix { $0 == $1 }.count
            return "\(place) \(key): \(have.count) of \(want.count) lines; line \(at) is "
                + "\(at < have.count ? have[at] : "missing"), expected \(at < want.count ? want[at] : "none")"
        }
    }

    /// Lines of each place.
    var counts: [String: Int] { places.mapValues { $0.values.reduce(0) { $0 + $1.count } } }
}
