import Glibc
import StreamEngine
import Testing

@testable import Connectors

/// The system gives no file descriptor (`ulimit -n`): a reason for whoever started the run, not the end on a signal.
@Suite struct RefusedDescriptorTests {
    @Test func aConsumerSaysWhatToRaise() async {
        await #expect(processExitsWith: .success) {
            var limit = rlimit(rlim_cur: 0, rlim_max: 0)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            let error = #expect(throws: SourceError.self) { _ = try KafkaWakeup() }
            #expect(error?.kind == .fatal)
            #expect(
                error?.description
                    == "the system refused a file descriptor: Too many open files; raise the limit on them (`ulimit -n`)"
            )
        }
    }
}
