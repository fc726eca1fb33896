/// Why a job stopped.
public struct JobFailure: Error, CustomStringConvertible {
    public let description: String
    /// The reader of our output went away (`| head`): nothing to report.
    public let isBrokenPipe: Bool

    /// A failure in words: what happened, where, what to do.
    public init(_ description: String, isBrokenPipe: Bool = false) {
        self.description = description
        self.isBrokenPipe = isBrokenPipe
    }
}
