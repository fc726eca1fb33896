import Platform
import StreamEngine

/// What came of reading one job file.
public struct CheckedJob: Sendable {
    /// The file as the user named it.
    public let file: String
    /// The job; nil when there are errors.
    public let definition: JobDefinition?
    /// Errors and warnings, in the order of the file.
    public let diagnostics: [Diagnostic]
    /// Where each key stands.
    public let positions: OptionPositions
    /// The texts that diagnostics point into, by file name.
    public let texts: [String: SourceText]

    /// How many errors there are.
    public var errorCount: Int { diagnostics.count { $0.severity == .error } }
    /// How many warnings there are.
    public var warningCount: Int { diagnostics.count { $0.severity == .warning } }
}

/// Reads job files: YAML, environment variables and `--set`, checked whole, before anything connects.
public struct JobFileLoader: Sendable {
    /// The keys of a job.
    public let schema: JobSchema
    private let fileSystem: any FileSystem
    private let environment: @Sendable (String) -> String?

    /// A loader over these registries.
    public init(
        _ registries: Registries, fileSystem: any FileSystem = PosixFileSystem(),
        environment: @escaping @Sendable (String) -> String? = ProcessEnvironment.value
    ) {
        schema = JobSchema(registries)
        self.fileSystem = fileSystem
        self.environment = environment
    }

    /// Reads and checks a job file. `overrides` are `key.path=value`, in order.
    public func load(_ path: String, overrides: [String] = []) -> CheckedJob {
        switch SourceText.read(path, fileSystem: fileSystem) {
        case .success(let source): return load(source, overrides: overrides)
        case .failure(let diagnostic):
            return CheckedJob(
                file: path, definition: nil, diagnostics: [diagnostic], positions: OptionPositions(), texts: [:])
        }
    }

    /// Checks a job's text.
    public func load(_ source: SourceText, overrides: [String] = []) -> CheckedJob {
        var texts = [source.file: source]
        var loader = YamlLoader(source, parsing: source.bytes, environment: environment)
        guard var tree = loader.load() else {
            return CheckedJob(
                file: source.file, definition: nil, diagnostics: loader.diagnostics, positions: OptionPositions(),
                texts: texts)
        }
        var diagnostics = loader.diagnostics
        for argument in overrides {
            let text = SourceText(file: "--set \(argument)", text: argument)
            texts[text.file] = text
            var override = JobOverride(text, schema: schema.root, environment: environment)
            override.apply(to: &tree)
            diagnostics += override.diagnostics
        }
        var check = OptionCheck()
        check.diagnostics = diagnostics
        check.positions.note("", key: SourceSpan(file: source.file, line: 1, column: 1), value: tree)
        let options = schema.root.check(tree, path: "", into: &check)
        var builder = JobBuilder(root: options, registries: schema.registries, check: check)
        let definition = builder.build()
        check = builder.check
        check.diagnostics += definition.check(schema.registries, positions: check.positions)
        let sorted = Self.inOrder(check.diagnostics, of: source.file)
        let failed = sorted.contains { $0.severity == .error }
        return CheckedJob(
            file: source.file, definition: failed ? nil : definition, diagnostics: sorted,
            positions: check.positions, texts: texts)
    }

    /// By place, those of the file before those of `--set`; the same finding at the same place once.
    private static func inOrder(_ diagnostics: [Diagnostic], of file: String) -> [Diagnostic] {
        var seen: Set<Diagnostic> = []
        let once = diagnostics.filter { seen.insert($0).inserted }
        func key(_ diagnostic: Diagnostic) -> (Int, Int, Int) {
            guard let span = diagnostic.span else { return (2, 0, 0) }
            return (span.file == file ? 0 : 1, span.line, span.column)
        }
        return once.enumerated().sorted { a, b in
            let x = key(a.element)
            let y = key(b.element)
            return x == y ? a.offset < b.offset : x < y
        }.map(\.element)
    }
}
