//! The graph in Graphviz' language.

use std::fmt::Write as _;

use super::{Graph, Node, NodeKind};

impl Graph {
    /// The graph as `dot` reads it. The same graph is the same text.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut dot = "digraph lineage {\n  rankdir=LR;\n  node [fontname=\"sans-serif\", fontsize=10];\n".to_owned();
        for node in &self.nodes {
            let tooltip = node.facts.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>();
            let _ = writeln!(
                dot,
                "  {} [shape={}, label={}, tooltip={}];",
                quoted(&node.id),
                shape(node.kind),
                quoted(&label(node)),
                quoted(&tooltip.join("\n"))
            );
        }
        for edge in &self.edges {
            let _ = writeln!(dot, "  {} -> {};", quoted(&edge.from), quoted(&edge.to));
        }
        dot.push_str("}\n");
        dot
    }
}

fn label(node: &Node) -> String {
    let below = if node.detail.is_empty() { node.kind.as_str().to_owned() } else { node.detail.clone() };
    format!("{}\n{below}", node.label)
}

const fn shape(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Dataset => "cylinder",
        NodeKind::Feature => "note",
        NodeKind::Run => "box",
        NodeKind::LoggedModel => "component",
        NodeKind::Version => "box3d",
        NodeKind::Release => "cds",
        NodeKind::Serving => "doublecircle",
        NodeKind::Alias => "tab",
    }
}

/// A quoted string of DOT: a backslash would begin an escape, a quote would end it.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::Edge;

    #[test]
    fn what_users_write_stays_inside_its_quotes() {
        let node = Node {
            id: "dataset:a\"];\n\\".to_owned(),
            kind: NodeKind::Dataset,
            label: "a\"\\".to_owned(),
            detail: String::new(),
            facts: BTreeMap::from([("context".to_owned(), "x".to_owned())]),
        };
        let edges = vec![Edge { from: node.id.clone(), to: "run:r".to_owned() }];
        let dot = Graph { nodes: vec![node], edges }.to_dot();
        assert!(
            dot.contains(r#""dataset:a\"];\n\\" [shape=cylinder, label="a\"\\\ndataset", tooltip="context: x"];"#),
            "{dot}"
        );
        assert!(dot.contains(r#""dataset:a\"];\n\\" -> "run:r";"#) && dot.ends_with("}\n"), "{dot}");
    }
}
