//! Finds the line and column of a path such as `feature_views[2].ttl` in a YAML text, for problems that are found only
//! after parsing.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A YAML document with the place of every node.
enum Node {
    Scalar,
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
    Sequence(Vec<Spanned<Node>>),
}

/// The line and column, from 1, of the deepest node on `path` that exists. `None` when the text is not YAML.
pub(crate) fn locate(text: &str, path: &str) -> Option<(usize, usize)> {
    let root: Spanned<Node> = serde_saphyr::from_str(text).ok()?;
    let mut place = root.referenced;
    let mut node = &root.value;
    for step in path.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
        let next = match node {
            Node::Map(entries) => {
                entries.iter().find(|(key, _)| key.value == step).map(|(key, value)| (key.referenced, value))
            }
            Node::Sequence(items) => {
                step.parse::<usize>().ok().and_then(|i| items.get(i)).map(|item| (item.referenced, item))
            }
            Node::Scalar => None,
        };
        let Some((at, value)) = next else { break };
        place = at;
        node = &value.value;
    }
    Some((usize::try_from(place.line()).ok()?, usize::try_from(place.column()).ok()?))
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

/// Implements scalar visits that keep nothing of the value.
macro_rules! scalars {
    ($($visit:ident($kind:ty)),+) => {
        $(fn $visit<E>(self, _: $kind) -> Result<Node, E> {
            Ok(Node::Scalar)
        })+
    };
}

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    scalars!(
        visit_bool(bool),
        visit_i64(i64),
        visit_u64(u64),
        visit_i128(i128),
        visit_u128(u128),
        visit_f64(f64),
        visit_str(&str)
    );

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Node::Sequence(items))
    }
}

#[cfg(test)]
mod tests {
    use super::locate;

    const TEXT: &str = "version: 1\nviews:\n  - { name: a, ttl: 7d }\n  - name: b\n    features:\n      - name: c\n";

    #[test]
    fn paths_lead_to_line_and_column() {
        assert_eq!(locate(TEXT, "version"), Some((1, 1)));
        assert_eq!(locate(TEXT, "views[0].ttl"), Some((3, 16)));
        assert_eq!(locate(TEXT, "views[1].features[0].name"), Some((6, 9)));
    }

    #[test]
    fn a_path_that_ends_early_leads_to_its_deepest_node() {
        assert_eq!(locate(TEXT, "views[1].ttl"), Some((4, 5)));
        assert_eq!(locate(": [", "x"), None);
    }
}
