import StreamEngine

/// Draws a tree of lines with branches, labels of siblings aligned.
enum TreeText {
    /// The tree as text; `paint` marks up labels.
    static func render(_ root: ExplanationNode, paint: (String) -> String) -> String {
        var out = paint(root.label) + (root.text.isEmpty ? "" : "   \(root.text)") + "\n"
        render(root.children, prefix: "", paint: paint, to: &out)
        return out
    }

    private static func render(
        _ nodes: [ExplanationNode], prefix: String, paint: (String) -> String, to out: inout String
    ) {
        // Leaves line up; branches stand for themselves.
        let width = nodes.filter { $0.children.isEmpty }.map(\.label.count).max() ?? 0
        for (index, node) in nodes.enumerated() {
            let isLast = index == nodes.count - 1
            let padding = node.children.isEmpty ? String(repeating: " ", count: max(width - node.label.count, 0)) : ""
            out += "\(prefix)\(isLast ? "└─ " : "├─ ")\(paint(node.label))\(padding)"
            out += node.text.isEmpty ? "\n" : "   \(node.text)\n"
            render(node.children, prefix: prefix + (isLast ? "   " : "│  "), paint: paint, to: &out)
        }
    }
}
