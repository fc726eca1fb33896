import Glibc
import JobFile
import Platform
import StreamEngine
import Testing

/// Job files beside exactly what is said about them. `UPDATE_GOLDENS=1 swift test --filter JobFixtureTests` rewrites
/// the expectations; look at the difference before committing it.
@Suite struct JobFixtureTests {
    @Test(arguments: Jobs.names(in: "bad", ending: ".yaml"))
    func badJobSaysWhatIsWrong(_ name: String) throws {
        let path = "\(Jobs.fixtures)/bad/\(name).yaml"
        let text = try #require(Jobs.read(path))
        let job = Jobs.loader().load(SourceText(file: "\(name).yaml", text: text))
        let said = Jobs.rendered(job)
        #expect(!job.diagnostics.isEmpty)
        let golden = "\(Jobs.fixtures)/bad/\(name).txt"
        if getenv("UPDATE_GOLDENS") != nil {
            try PosixFileSystem().writeAtomically(Array(said.utf8), to: golden)
        }
        #expect(said == Jobs.read(golden))
    }

    @Test(arguments: Jobs.names(in: "good", ending: ".yaml"))
    func goodJobHasNothingWrong(_ name: String) throws {
        let path = "\(Jobs.fixtures)/good/\(name).yaml"
        let job = Jobs.loader().load(path)
        // That case does sums with a histogram's buckets, which is rightly warned of.
        let sumsBuckets = name == "case-openmetrics-exemplars"
        #expect(sumsBuckets ? job.errorCount == 0 : job.diagnostics.isEmpty, "\(Jobs.rendered(job))")
        let definition = try #require(job.definition)
        // What checks clean compiles: the plan finds nothing that the check has missed.
        #expect(throws: Never.self) { _ = try CompiledJob(definition, registries: Jobs.registries) }
    }

    @Test func fixturesAreThere() {
        #expect(Jobs.names(in: "bad", ending: ".yaml").count >= 15)
        #expect(Jobs.names(in: "good", ending: ".yaml").count >= 20)
    }
}
