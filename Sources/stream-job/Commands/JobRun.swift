import Connectors
import StreamEngine

extension Console {
    /// Shows why a job did not run or stopped; gives the exit code of JOBS.md.
    func showFailure(_ failure: any Error) -> Int32 {
        switch failure {
        case let failure as SinkError where failure.isBrokenPipe:
            return ExitCode.done
        case let failure as OutputRootError:
            error("\(failure)")
            return ExitCode.wrongInput
        case let failure as FileInputError:
            error("\(failure)")
            return failure.isUsage ? ExitCode.wrongInput : ExitCode.failed
        case let failure as ParquetFailure:
            error("\(failure)")
            return failure.isForeign ? ExitCode.wrongInput : ExitCode.failed
        case let failure as PlanError:
            error("\(failure)")
            return ExitCode.wrongInput
        default:
            error("\(failure)")
            return ExitCode.failed
        }
    }
}
