import Platform

/// Something that went wrong with a checkpoint and stops nothing: for the log.
public enum CheckpointNotice: Sendable, CustomStringConvertible {
    /// A snapshot of a partition could not be made; its chain stays as it is. It is tried again when it is asked for again.
    case snapshotFailed(PartitionID, EpochToken, CheckpointError)
    /// A snapshot is damaged; the chain behind it was read instead.
    case snapshotUnusable(PartitionID, CheckpointError)
    /// Old files could not be looked through or taken away; it is tried again at the next cleaning.
    case cleaningFailed(CheckpointError)
    /// What the clock decided cannot be read from a file of `decisions/`: it stays where it is, and with it what may depend on it.
    case decisionsUnreadable(CheckpointError)
    /// The file of an epoch that was given up could not be taken away. No epoch is written before it is.
    case discardFailed(EpochToken, IOFailure)

    /// What happened, and what it means.
    public var description: String {
        switch self {
        case .snapshotFailed(let partition, let token, let error):
            "no snapshot of \(partition) at epoch \(token): \(error.description); it is tried again"
        case .snapshotUnusable(let partition, let error):
            "the snapshot of \(partition) cannot be used, its older state is read instead: \(error.description)"
        case .cleaningFailed(let error):
            "old checkpoint files were not taken away: \(error.description); it is tried again"
        case .decisionsUnreadable(let error):
            "\(error.description); the run goes on, but it cannot be repeated from there (`replay --decisions`): put the file "
                + "back from a copy of the checkpoint"
        case .discardFailed(let token, let failure):
            "the file of epoch \(token), which was given up, is still there: \(failure.description)"
        }
    }
}
