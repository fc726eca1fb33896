import Glibc
import Platform

/// The disk refused something the broker needs: what was tried, on which file, why, and what to do.
struct StorageError: Error, CustomStringConvertible, Equatable {
    let failure: IOFailure

    /// `operation` on `path` failed; `code` is the `errno` it left.
    init(_ operation: IOFailure.Operation, _ path: String, code: Int32 = errno) {
        failure = IOFailure(operation, path: path, code: code)
    }

    var description: String { failure.description }
}
