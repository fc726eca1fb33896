import Glibc

/// The environment of this process.
public enum ProcessEnvironment {
    /// A variable's value; nil when it is not set.
    @Sendable
    public static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
