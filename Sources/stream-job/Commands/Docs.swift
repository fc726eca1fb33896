import JobFile
import StreamEngine

extension Command {
    /// `stream-job docs`: what `docs/reference.md` holds.
    static let docs = Command(
        name: "docs", summary: "print the reference of job files and commands as Markdown", operands: "",
        details: "docs/reference.md is this output; a test compares the two.", flags: [],
        examples: ["stream-job docs > docs/reference.md"], isHidden: true,
        run: { (arguments, console) throws(UsageError) in
            guard arguments.positionals.isEmpty else { throw UsageError("`docs` takes no operands") }
            console.out(ReferenceText.markdown())
            return ExitCode.done
        })
}

/// The reference: commands, then everything a job may hold.
enum ReferenceText {
    static func markdown() -> String {
        var out = """
            # Reference

            Made by `stream-job docs` from the schemas that check jobs and the flags that commands declare; a test fails when
            this file is stale.

            ## Commands


            """
        for command in CommandList.all where !command.isHidden {
            out += "### `stream-job \(command.name)`\n\n```\n\(HelpText.command(command))```\n\n"
        }
        return out + JobReference(JobSchema(.standard)).markdown()
    }
}
