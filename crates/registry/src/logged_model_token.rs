//! Page tokens of the search for logged models: they also hold what was searched for, and fit no other search.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::{
    LoggedModelOrder, LoggedModelSearch,
    error::{Error, Result},
    rules::{python_list, python_repr},
};

/// What a token holds, in MLflow's order.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Token {
    experiment_ids: Vec<String>,
    filter_string: Option<String>,
    #[serde(default)]
    order_by: Option<Vec<LoggedModelOrder>>,
    #[serde(default)]
    offset: i64,
}

impl Token {
    fn new(search: &LoggedModelSearch, offset: i64) -> Self {
        Self {
            experiment_ids: search.experiment_ids.clone(),
            filter_string: Some(search.filter.clone()).filter(|filter| !filter.is_empty()),
            order_by: Some(search.order_by.clone()).filter(|order| !order.is_empty()),
            offset,
        }
    }
}

/// The token of the page of `search` at `offset`.
pub(crate) fn of(search: &LoggedModelSearch, offset: i64) -> Option<String> {
    serde_json::to_vec(&Token::new(search, offset)).ok().map(|json| STANDARD.encode(json))
}

/// Where the page begins; refuses a token of another search.
pub(crate) fn offset(search: &LoggedModelSearch) -> Result<i64> {
    let Some(text) = search.page_token.as_deref().filter(|token| !token.is_empty()) else { return Ok(0) };
    let json = STANDARD.decode(text).ok();
    let token: Option<Token> = json.and_then(|json| serde_json::from_slice(&json).ok());
    let token = token.ok_or_else(|| Error::invalid(format!("Invalid page token: {text}.")))?;
    let asked = Token::new(search, token.offset);
    for (what, requested, asked, found) in [
        ("Experiment IDs in the page token do", "experiment IDs", ids(&asked), ids(&token)),
        ("Filter string in the page token does", "filter string", filter(&asked), filter(&token)),
        ("Order by in the page token does", "order by", order(&asked), order(&token)),
    ] {
        if asked != found {
            let message = format!("{what} not match the requested {requested}. Expected: {asked}. Found: {found}");
            return Err(Error::invalid(message));
        }
    }
    Ok(token.offset.max(0))
}

// As Python shows them.

fn ids(token: &Token) -> String {
    python_list(token.experiment_ids.iter().map(String::as_str))
}

fn filter(token: &Token) -> String {
    token.filter_string.clone().unwrap_or_else(|| "None".to_owned())
}

fn order(token: &Token) -> String {
    let Some(order) = &token.order_by else { return "None".to_owned() };
    let text = |text: &Option<String>| text.as_deref().map_or_else(|| "None".to_owned(), python_repr);
    let keys = order.iter().map(|by| {
        format!(
            "{{'field_name': {}, 'ascending': {}, 'dataset_name': {}, 'dataset_digest': {}}}",
            python_repr(&by.field_name),
            if by.ascending { "True" } else { "False" },
            text(&by.dataset_name),
            text(&by.dataset_digest)
        )
    });
    format!("[{}]", keys.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_another_search_is_refused() {
        let search = LoggedModelSearch {
            experiment_ids: vec!["1".to_owned()],
            filter: "name = 'a'".to_owned(),
            ..LoggedModelSearch::default()
        };
        let page_token = of(&search, 5);
        let next = LoggedModelSearch { page_token: page_token.clone(), ..search.clone() };
        assert_eq!(offset(&next).unwrap(), 5);
        let other = LoggedModelSearch { filter: String::new(), page_token, ..search };
        assert_eq!(
            offset(&other).unwrap_err().to_string(),
            "Filter string in the page token does not match the requested filter string. Expected: None. Found: name = 'a'"
        );
    }
}
