//! The registry's webhooks: their sender, and the key that their secrets are stored under.

use std::{fs, io, path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use registry::webhooks::{Config, Key};
use webhook_sender::HttpSender;

use crate::{settings::Settings, state_dir::write_private};

/// The file of the key, where none was named. Lost with the folder, so it says what it is for; a backup has it.
pub(crate) const KEY_FILE: &str = "webhook-secret.key";

/// The registry with webhooks that leave over HTTP.
pub(super) fn attach(registry: registry::Service, settings: &Settings) -> Result<registry::Service> {
    let webhooks = &settings.webhooks;
    let sender = HttpSender::new(&webhook_sender::Config {
        timeout: webhooks.timeout,
        allow_private: webhooks.private_addresses,
        allowed_schemes: webhooks.schemes.clone(),
    })?;
    let key = match &webhooks.key {
        Some(key) => key.clone(),
        None => kept_key(&settings.state.join(KEY_FILE))?,
    };
    let config = Config { allowed_schemes: webhooks.schemes.clone(), max_retries: webhooks.retries, key };
    Ok(registry.with_webhooks(config, Arc::new(sender)))
}

/// The key in the state folder, made at the first start: MLflow makes one for each process and cannot read its own
/// database after a restart.
fn kept_key(path: &Path) -> Result<Key> {
    match fs::read_to_string(path) {
        Ok(text) => Key::parse(&text).with_context(|| format!("{} holds no key", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = Key::generate();
            write_private(path, key.to_text().expose().as_bytes())?;
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(KEY_FILE);
        let made = kept_key(&path).unwrap();
        assert_eq!(kept_key(&path).unwrap().to_text(), made.to_text());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "no key").unwrap();
        assert!(kept_key(&path).is_err(), "it is not replaced: the secrets under it would be lost");
    }
}
