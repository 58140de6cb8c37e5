//! The graph of lineage as a picture: data on the left, what callers get on the right, drawn on the server as SVG.
//!
//! Each kind has its column, so the way is always read from left to right, and the same graph is the same picture. Every
//! node is a link to its page where it has one, and tells what is known of it when pointed at.

use std::collections::HashMap;

use maud::{Markup, html};
use registry::{Graph, Node, NodeKind};
use types::ModelVersion;

use crate::address;

/// Of a node, and between nodes.
const WIDTH: usize = 168;
const HEIGHT: usize = 44;
const GAP: usize = 14;
const COLUMN: usize = WIDTH + 56;
/// Characters of a line that fit into a node.
const LETTERS: usize = 20;

struct Placed<'a> {
    node: &'a Node,
    x: usize,
    y: usize,
}

/// The picture.
pub(crate) fn picture(graph: &Graph) -> Markup {
    let placed = placed(&graph.nodes);
    let right = placed.iter().map(|it| it.x + WIDTH).max().unwrap_or(0);
    let bottom = placed.iter().map(|it| it.y + HEIGHT).max().unwrap_or(0);
    let by_id: HashMap<&str, &Placed<'_>> = placed.iter().map(|it| (it.node.id.as_str(), it)).collect();
    let find = |id: &str| by_id.get(id).copied();
    html! {
        div.scroll {
            svg.lineage width=(right + 2) height=(bottom + 2) viewBox=(format!("0 0 {} {}", right + 2, bottom + 2)) role="img" aria-label="Lineage" {
                @for edge in &graph.edges {
                    @if let (Some(from), Some(to)) = (find(&edge.from), find(&edge.to)) { path.edge d=(curve(from, to)) {} }
                }
                @for it in &placed { (node(it)) }
            }
        }
    }
}

/// Columns by kind, the empty ones left out, each in the middle of the picture's height.
fn placed(nodes: &[Node]) -> Vec<Placed<'_>> {
    let mut columns: Vec<(usize, Vec<&Node>)> = Vec::new();
    let mut sorted: Vec<&Node> = nodes.iter().collect();
    sorted.sort_by_key(|node| node.kind.rank());
    for node in sorted {
        match columns.last_mut() {
            Some((rank, column)) if *rank == node.kind.rank() => column.push(node),
            _ => columns.push((node.kind.rank(), vec![node])),
        }
    }
    let height = |count: usize| count * (HEIGHT + GAP) - GAP;
    let tallest = columns.iter().map(|(_, column)| height(column.len())).max().unwrap_or(0);
    let mut placed = Vec::new();
    for (index, (_, column)) in columns.into_iter().enumerate() {
        let top = (tallest - height(column.len())) / 2;
        for (row, node) in column.into_iter().enumerate() {
            placed.push(Placed { node, x: index * COLUMN + 1, y: top + row * (HEIGHT + GAP) + 1 });
        }
    }
    placed
}

fn curve(from: &Placed<'_>, to: &Placed<'_>) -> String {
    let (x1, y1) = (from.x + WIDTH, from.y + HEIGHT / 2);
    let (x2, y2) = (to.x, to.y + HEIGHT / 2);
    let middle = usize::midpoint(x1, x2);
    format!("M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}")
}

fn node(it: &Placed<'_>) -> Markup {
    let Placed { node, x, y } = it;
    let class = match node.kind {
        NodeKind::Dataset => "node dataset",
        NodeKind::Feature => "node feature",
        NodeKind::Run => "node run",
        NodeKind::LoggedModel => "node model",
        NodeKind::Version => "node version",
        NodeKind::Release => "node release",
        NodeKind::Serving => "node serving",
        NodeKind::Alias => "node alias",
    };
    let below = if node.detail.is_empty() { node.kind.as_str() } else { &node.detail };
    let drawn = html! {
        g class=(class) {
            title { (told(node)) }
            rect x=(x) y=(y) width=(WIDTH) height=(HEIGHT) rx="6" {}
            text.label x=(x + 10) y=(y + 18) { (cut(&node.label)) }
            text x=(x + 10) y=(y + 34) { (cut(below)) }
        }
    };
    match page(node) {
        Some(address) => html! { a href=(address) { (drawn) } },
        None => drawn,
    }
}

/// What is told when it is pointed at.
fn told(node: &Node) -> String {
    let head = format!("{}: {} {}", node.kind.as_str(), node.label, node.detail);
    let facts = node.facts.iter().map(|(name, value)| format!("\n{name}: {value}"));
    head.trim_end().to_owned() + &facts.collect::<String>()
}

fn page(node: &Node) -> Option<String> {
    let key = node.id.split_once(':').map(|(_, key)| key)?;
    match node.kind {
        NodeKind::Dataset => Some(address::dataset(&node.label)),
        NodeKind::Feature => Some(address::feature_readers(&node.label)),
        NodeKind::Version => ModelVersion::parse(key).ok().map(|version| address::version(&version)),
        NodeKind::Release => key.parse().ok().map(address::release),
        NodeKind::Run | NodeKind::LoggedModel | NodeKind::Serving | NodeKind::Alias => None,
    }
}

/// As much as fits, with a sign that there is more.
fn cut(text: &str) -> String {
    if text.chars().count() <= LETTERS {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(LETTERS - 1).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use registry::Edge;

    use super::*;

    fn node_of(kind: NodeKind, id: &str, label: &str) -> Node {
        Node { id: id.to_owned(), kind, label: label.to_owned(), detail: String::new(), facts: BTreeMap::new() }
    }

    #[test]
    fn the_way_goes_from_left_to_right_and_names_are_text() {
        let graph = Graph {
            nodes: vec![
                node_of(NodeKind::Dataset, "dataset:a@1", "<a>"),
                node_of(NodeKind::Dataset, "dataset:b@1", "b"),
                node_of(NodeKind::Version, "version:m/1", "m/1"),
            ],
            edges: vec![Edge { from: "dataset:a@1".to_owned(), to: "version:m/1".to_owned() }],
        };
        let placed = placed(&graph.nodes);
        assert_eq!(placed.iter().map(|it| it.x).collect::<Vec<_>>(), [1, 1, COLUMN + 1]);
        assert_eq!((placed[0].y, placed[1].y, placed[2].y), (1, HEIGHT + GAP + 1, (HEIGHT + GAP) / 2 + 1));
        let drawn = picture(&graph).into_string();
        assert!(drawn.contains("&lt;a&gt;") && !drawn.contains("<a>"), "{drawn}");
        assert!(drawn.contains("href=\"/models/m/versions/1\"") && drawn.matches("class=\"edge\"").count() == 1);
        assert!(cut(&"x".repeat(50)).chars().count() == LETTERS);
    }
}
