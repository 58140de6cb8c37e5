//! What the environment says of S3: the variables of AWS's own tools, and those of MLflow's server for the same things,
//! which win as they do there.

type Synonym = (&'static str, &'static str, Option<(&'static str, &'static str)>);

/// MLflow's variables, what they stand for, and the value of theirs that does; any, if none is named.
const MLFLOW: &[Synonym] = &[
    ("MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", None),
    ("MLFLOW_S3_IGNORE_TLS", "AWS_ALLOW_INVALID_CERTIFICATES", Some(("true", "true"))),
    ("MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE", "AWS_VIRTUAL_HOSTED_STYLE_REQUEST", Some(("virtual", "true"))),
];

/// The process's variables that are text.
pub(super) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// The settings of S3 among `variables`.
pub(super) fn settings(variables: impl Iterator<Item = (String, String)>) -> artifacts::Config {
    let mut config = artifacts::Config::default();
    let mut mlflow = Vec::new();
    for (name, value) in variables.filter(|(_, value)| !value.is_empty()) {
        if name.starts_with("AWS_") {
            config = config.with_s3(&name, &value);
        } else if let Some((_, ours, stands_for)) = MLFLOW.iter().find(|(theirs, ..)| *theirs == name) {
            match stands_for {
                None => mlflow.push((*ours, value)),
                Some((theirs, value_of_ours)) if value.eq_ignore_ascii_case(theirs) => {
                    mlflow.push((*ours, (*value_of_ours).to_owned()));
                }
                Some(_) => {}
            }
        }
    }
    mlflow.into_iter().fold(config, |config, (name, value)| config.with_s3(name, &value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(variables: &[(&str, &str)], name: &str) -> Option<String> {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        settings(owned).s3.get(name).map(|value| value.expose().clone())
    }

    #[test]
    fn mlflows_variables_stand_for_those_of_aws() {
        let both = [("MLFLOW_S3_ENDPOINT_URL", "http://minio:9000"), ("AWS_ENDPOINT_URL_S3", "http://other")];
        assert_eq!(setting(&both, "AWS_ENDPOINT_URL_S3").as_deref(), Some("http://minio:9000"));
        let style =
            |style| setting(&[("MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE", style)], "AWS_VIRTUAL_HOSTED_STYLE_REQUEST");
        assert_eq!(style("virtual").as_deref(), Some("true"));
        assert_eq!(style("path"), None);
        let keys = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SESSION_TOKEN", ""), ("PATH", "/bin")];
        assert_eq!(setting(&keys, "AWS_ACCESS_KEY_ID").as_deref(), Some("k"));
        assert_eq!(setting(&keys, "AWS_SESSION_TOKEN"), None, "set to nothing is not set");
        assert_eq!(setting(&keys, "PATH"), None);
    }
}
