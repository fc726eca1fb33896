import StreamEngine

extension Command {
    /// `stream-job checkpoint show|verify DIR`
    static let checkpoint = Command(
        name: "checkpoint", summary: "look into a checkpoint directory: what it holds, whether it is whole",
        operands: "show|verify DIR",
        details: """
            show: the processes that wrote it with their epochs; for each partition its newest epoch, next offset, watermark
            and age, the files its state is read from, rows and bytes of each query.
            verify: reads every byte, checks every checksum and follows every chain that a start would follow. Exit code 1
            when something is damaged; each damaged file is named. What a crash left unfinished is harmless, and said so.
            Both only read: the job may be running.
            """,
        flags: [.json],
        examples: [
            "stream-job checkpoint show checkpoints/node-cpu",
            "stream-job checkpoint verify checkpoints/node-cpu",
            "stream-job checkpoint verify checkpoints/node-cpu --json",
        ],
        run: CheckpointCommand.run)
}

/// What `checkpoint` does.
private enum CheckpointCommand {
    private static let actions = ["show", "verify"]

    @Sendable
    static func run(_ arguments: ParsedArguments, _ console: Console) throws(UsageError) -> Int32 {
        guard let action = arguments.positionals.first else {
            throw UsageError("what to do is not said", hint: "stream-job checkpoint show DIR")
        }
        guard actions.contains(action) else {
            let near = Suggestion.nearest(action, among: actions)
            throw UsageError(
                "`checkpoint` takes \(actions.joined(separator: " or ")), found `\(action)`",
                hint: near.map { "did you mean `\($0)`?" } ?? "stream-job checkpoint show DIR")
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
