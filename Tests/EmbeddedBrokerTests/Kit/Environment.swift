import Glibc

/// Variables that make a test do more.
enum Environment {
    static func integer(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }
}
