//! Text with `{{references}}`.
//!
//! A reference is one of those in [`Reference`]; any other is refused when the text is parsed, so that what is left in
//! a command is never a tag that nobody filled in. Argo's expression tags (`{{=…}}`) are refused by name.

use crate::error::nearest;

/// What a tag stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reference {
    /// `inputs.parameters.NAME`, of the template that it stands in.
    Input(String),
    /// `workflow.parameters.NAME`.
    WorkflowParameter(String),
    /// `workflow.name`.
    WorkflowName,
    /// `workflow.uid`.
    WorkflowUid,
    /// `tasks.TASK.outputs.result`.
    TaskResult(String),
    /// `tasks.TASK.outputs.parameters.NAME`.
    TaskParameter(String, String),
}

const FORMS: [&str; 6] = [
    "inputs.parameters.NAME",
    "workflow.parameters.NAME",
    "workflow.name",
    "workflow.uid",
    "tasks.TASK.outputs.result",
    "tasks.TASK.outputs.parameters.NAME",
];

impl Reference {
    fn parse(tag: &str) -> Result<Self, String> {
        if tag.starts_with('=') {
            return Err(format!("the expression tag `{{{{{tag}}}}}` is not run here: only plain references are"));
        }
        let parts: Vec<&str> = tag.split('.').collect();
        match parts.as_slice() {
            ["inputs", "parameters", name] => Ok(Self::Input((*name).to_owned())),
            ["workflow", "parameters", name] => Ok(Self::WorkflowParameter((*name).to_owned())),
            ["workflow", "name"] => Ok(Self::WorkflowName),
            ["workflow", "uid"] => Ok(Self::WorkflowUid),
            ["tasks", task, "outputs", "result"] => Ok(Self::TaskResult((*task).to_owned())),
            ["tasks", task, "outputs", "parameters", name] => {
                Ok(Self::TaskParameter((*task).to_owned(), (*name).to_owned()))
            }
            _ => {
                let hint = nearest(tag, FORMS).map(|hint| format!(" ({hint})")).unwrap_or_default();
                Err(format!("`{{{{{tag}}}}}` is no reference that is known here{hint}; known are {}", FORMS.join(", ")))
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Reference(Reference),
}

/// Text, parsed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text(Vec<Part>);

impl Text {
    /// Parses text, or says all that is wrong with its tags.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<String>> {
        let mut parts = Vec::new();
        let mut faults = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{") {
            if start > 0 {
                parts.push(Part::Literal(rest[..start].to_owned()));
            }
            let after = &rest[start + 2..];
            let Some(end) = after.find("}}") else {
                faults.push("a `{{` is not closed by `}}`".to_owned());
                return Err(faults);
            };
            match Reference::parse(after[..end].trim()) {
                Ok(reference) => parts.push(Part::Reference(reference)),
                Err(fault) => faults.push(fault),
            }
            rest = &after[end + 2..];
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        if faults.is_empty() { Ok(Self(parts)) } else { Err(faults) }
    }

    /// Text that holds no reference, whatever it looks like.
    pub(crate) fn literal_of(text: &str) -> Self {
        Self(vec![Part::Literal(text.to_owned())])
    }

    /// The references, in order.
    pub(crate) fn references(&self) -> impl Iterator<Item = &Reference> {
        self.0.iter().filter_map(|part| match part {
            Part::Reference(reference) => Some(reference),
            Part::Literal(_) => None,
        })
    }

    /// The text itself, if it holds no reference.
    pub(crate) fn literal(&self) -> Option<String> {
        self.references().next().is_none().then(|| self.resolve(|_| String::new()))
    }

    /// The text with each reference replaced. What is put in is not looked at again.
    pub(crate) fn resolve(&self, value: impl Fn(&Reference) -> String) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Literal(text) => text.clone(),
                Part::Reference(reference) => value(reference),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_and_what_is_put_in_is_left_alone() {
        let text = Text::parse("--seed={{ inputs.parameters.seed }} of {{workflow.name}}").unwrap();
        let name = Reference::Input("seed".to_owned());
        assert_eq!(text.references().collect::<Vec<_>>(), [&name, &Reference::WorkflowName]);
        let resolved =
            text.resolve(|reference| if *reference == name { "{{workflow.uid}}".into() } else { "train".into() });
        assert_eq!(resolved, "--seed={{workflow.uid}} of train");
    }

    #[test]
    fn unknown_and_unclosed_tags_are_refused_by_name() {
        let faults = Text::parse("{{item}} {{=sprig.upper('a')}} {{workflow.nam}}").unwrap_err();
        assert_eq!(faults.len(), 3);
        assert!(faults[0].starts_with("`{{item}}` is no reference"), "{}", faults[0]);
        assert!(faults[1].contains("expression tag `{{=sprig.upper('a')}}`"), "{}", faults[1]);
        assert!(faults[2].contains("did you mean `workflow.name`?"), "{}", faults[2]);
        assert_eq!(Text::parse("a {{ b").unwrap_err(), ["a `{{` is not closed by `}}`"]);
    }
}
