/// What the doctor found at one link of a job's chain.
struct DoctorFinding: Sendable {
    /// The links, in the order in which records pass them.
    enum Link: String, Sendable, CaseIterable {
        case broker, topics, records, parse, select, watermark, windows, sinks
    }

    enum State: String, Sendable {
        case ok
        /// Works, but is hardly meant.
        case warn
        /// Broken: nothing behind it is looked at.
        case fail
    }

    let link: Link
    let state: State
    /// One line.
    let text: String
    /// What to do; empty where nothing is to be done.
    let mend: String

    static func ok(_ link: Link, _ text: String) -> DoctorFinding {
        DoctorFinding(link: link, state: .ok, text: text, mend: "")
    }

    static func warn(_ link: Link, _ text: String, mend: String) -> DoctorFinding {
        DoctorFinding(link: link, state: .warn, text: text, mend: mend)
    }
}

/// A broken link.
struct BrokenLink: Error {
    let finding: DoctorFinding

    init(_ link: DoctorFinding.Link, _ text: String, mend: String) {
        finding = DoctorFinding(link: link, state: .fail, text: text, mend: mend)
    }
}
