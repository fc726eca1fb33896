import Connectors
import JobFile
import StreamEngine

/// What a replay reads: files for the sources that `--input` names, topics for the others.
struct ReplayInputs {
    static let input = Flag.valued(
        "--input", "SOURCE=PATH", "files of a source; PATH alone where the job has one source", isRepeatable: true)

    /// Sources with files, with their paths.
    let files: [(source: String, path: String)]
    /// Sources whose topics are read.
    let topics: [SourceDefinition]

    /// What was opened.
    struct Opened {
        var partitions: [(source: String, readers: [any PartitionReader])] = []
        /// The topics' client.
        var topics: (any LiveSource)?
        /// `metrics: 4 files, 1.9 GiB`
        var title = ""
        var notes: [String] = []
    }

    init(_ arguments: ParsedArguments, _ definition: JobDefinition) throws(UsageError) {
        let used = definition.sources.filter { definition.reads($0) }
        files = try Self.parse(arguments.values(Self.input), definition, used)
        let named = Set(files.map(\.source))
        topics = used.filter { !named.contains($0.name) }
        if let source = topics.first, definition.kafka.brokers == nil {
            throw UsageError(
                "source `\(source.name)` has no input",
                hint: "--input \(source.name)=FILE_OR_DIRECTORY, or kafka: {brokers: …} to replay its topics")
        }
    }

    private static func parse(
        _ texts: [String], _ definition: JobDefinition, _ used: [SourceDefinition]
    ) throws(UsageError) -> [(source: String, path: String)] {
        var inputs: [(source: String, path: String)] = []
        let main = used.filter { !$0.isBroadcast }
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if parts.count == 2, definition.source(parts[0]) != nil {
                inputs.append((parts[0], parts[1]))
            } else if parts.count == 1 || text.contains("/"), main.count == 1 {
                inputs.append((main[0].name, text))
            } else {
                let names = definition.sources.map(\.name)
                let near = Suggestion.nearest(parts[0], among: names)
                throw UsageError(
                    "`--input \(text)` names no source of the job",
                    hint: near.map { "did you mean `\($0)`?" } ?? "sources: \(names.joined(separator: ", "))")
            }
        }
        for name in inputs.map(\.source) where inputs.count(where: { $0.source == name }) > 1 {
            throw UsageError("source `\(name)` has several inputs", hint: "put the files into one directory")
        }
        return inputs.filter { input in used.contains { $0.name == input.source } }
    }

    /// Opens files and topics, these within `run` where one is repeated; nil when a stop was asked for while a broker was waited for.
    func open(
        _ job: CompiledJob, _ bounds: ReplayBounds, run: RecordedRun? = nil, stop: StopRequest, say: (String) -> Void
    ) throws -> Opened? {
        var opened = Opened()
        var titles: [String] = []
        for input in files {
            let readers = try FileInput.readers(
                source: input.source, path: input.path, maxLineBytes: job.definition.limits.maxLineBytes)
            if let format = job.formats[input.source], !format.isLineBased,
                readers.contains(where: { $0.recordFormat == nil })
            {
                throw UsageError(
                    "source `\(input.source)` is \(format.name): such messages are binary and cannot be read from files of lines",
                    hint: "replay the topic itself, or files in a text format")
            }
            let bytes = readers.compactMap(\.progress).reduce(Int64(0)) { $0 + $1.total }
            titles.append("\(input.source): \(Plural.of(readers.count, "file")), \(FigureText.bytes(bytes))")
            opened.partitions.append((input.source, readers))
        }
        if !topics.isEmpty {
            let open = try KafkaReplay.open(
                job.definition, sources: Set(topics.map(\.name)),
                bounds: bounds.topicBounds(topics, of: job.definition, run: run),
                stop: stop, say: say, log: { Console.logKafka($0) })
            guard let open else { return nil }
            opened.topics = open.topics
            opened.partitions += open.partitions
            opened.notes = open.notes
            let count = open.partitions.reduce(0) { $0 + $1.readers.count }
            let names = topics.map(\.name).joined(separator: ", ")
            titles.append(
                "\(names): \(Plural.of(count, "partition")), \(Plural.of(Int(open.offsetCount), "offset"))")
        }
        opened.title = titles.joined(separator: "; ")
        return opened
    }
}
