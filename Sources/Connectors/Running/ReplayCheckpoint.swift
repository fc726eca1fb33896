import Platform
import StreamEngine

/// The checkpoint that a replay leaves for a run to go on from (`replay --checkpoint DIR`).
public enum ReplayCheckpoint {
    /// A store in a new checkpoint directory. One that holds a checkpoint already is refused.
    public static func make(
        _ directory: String, _ definition: JobDefinition, incarnation: String,
        notice: @escaping @Sendable (String) -> Void
    ) throws -> any StateStore {
        guard try CheckpointDirectory.open(directory) == nil else {
            throw JobFailure(
                "\(directory) holds a checkpoint already, and a run may depend on it: name another directory, or move that one"
            )
        }
        _ = try CheckpointDirectory.openOrCreate(directory, job: JobIdentity(definition))
        var options = FileStateOptions(definition.checkpoint)
        // One epoch, written once: nothing to clean or to shorten.
        options.hasThread = false
        return FileStateStore(directory: directory, incarnation: incarnation, options: options) {
            notice($0.description)
        }
    }
}
