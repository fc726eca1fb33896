import StreamEngine

extension Command {
    /// `stream-job checkpoint show|verify DIR`, `stream-job checkpoint reset-offsets JOB.yaml --to TIME`
    static let checkpoint = Command(
        name: "checkpoint",
        summary: "look into a checkpoint directory: what it holds, whether it is whole; go back to a time",
        operands: "show|verify DIR, reset-offsets JOB.yaml",
        details: """
            show: the processes that wrote it with their epochs; for each partition its newest epoch, next offset, watermark
            and age, the files its state is read from, rows and bytes of each query.
            verify: reads every byte, checks every checksum and follows every chain that a start would follow. Exit code 1
            when something is damaged; each damaged file is named. What a crash left unfinished is harmless, and said so.
            Both only read: the job may be running.
            reset-offsets: sets a stopped job back to the newest kept epoch whose state is not after --to, offsets and state
            together; where none is that old, to offsets of that time with empty state. Says what would change and asks.
            The next run goes on from there and writes again what comes after. Newer epochs are moved, not deleted.
            """,
        flags: [.json, ResetOffsets.to, ResetOffsets.yes, ResetOffsets.job, ResetOffsets.group, .set],
        examples: [
            "stream-job checkpoint show checkpoints/node-cpu",
            "stream-job checkpoint verify checkpoints/node-cpu",
            "stream-job checkpoint verify checkpoints/node-cpu --json",
            "stream-job checkpoint reset-offsets jobs/node-load.yaml --to 2026-01-01T00:00:00Z",
        ],
        run: CheckpointCommand.run)
}

/// What `checkpoint` does.
private enum CheckpointCommand {
    private static let actions = ["show", "verify", "reset-offsets"]

    @Sendable
    static func run(_ arguments: ParsedArguments, _ console: Console) throws(UsageError) -> Int32 {
        guard let action = arguments.positionals.first else {
            throw UsageError("what to do is not said", hint: "stream-job checkpoint show DIR")
        }
        guard actions.contains(action) else {
            let near = Suggestion.nearest(action, among: actions)
            throw UsageError(
                "`checkpoint` takes \(actions.joined(separator: ", ")), found `\(action)`",
                hint: near.map { "did you mean `\($0)`?" } ?? "stream-job checkpoint show DIR")
        }
        if action == "reset-offsets" { return try ResetOffsets.run(arguments, console) }
        if let flag = ResetOffsets.flags.first(where: { arguments.has($0) }) {
            throw UsageError("`\(flag.name)` is for reset-offsets")
        }
        guard arguments.positionals.count == 2 else {
            throw UsageError(
                arguments.positionals.count < 2
                    ? "no checkpoint directory is given" : "one checkpoint directory is expected",
                hint: "stream-job checkpoint \(action) DIR; a job's is its checkpoint.location")
        }
        let directory = arguments.positionals[1]
        do throws(CheckpointError) {
            if action == "show" {
                let text = CheckpointText(console)
                let summary = try CheckpointSummary(directory)
                console.out(arguments.has(.json) ? text.json(summary) + "\n" : text.people(summary))
                return ExitCode.done
            }
            let inventory = try CheckpointInventory(directory)
            guard inventory.hasJob || !inventory.epochs.isEmpty || !inventory.snapshots.isEmpty else {
                throw CheckpointError(
                    .missing, "\(directory) is no checkpoint directory: it has no job.json and no epochs")
            }
            let found = try CheckpointVerification(directory)
            let text = CheckpointText(console)
            console.out(arguments.has(.json) ? text.json(found) + "\n" : text.people(found))
            return found.isWhole ? ExitCode.done : ExitCode.failed
        } catch {
            console.error(error.description)
            return ExitCode.failed
        }
    }
}
