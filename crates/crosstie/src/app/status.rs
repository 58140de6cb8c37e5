//! What `crosstie status` and the console say of this process.

use api::system::Status;
use runtime::{Clock as _, SystemClock};
use serde_json::{Value as JsonValue, json};
use types::Timestamp;

use super::{Services, shown};
use crate::{settings::Settings, state_dir::Addresses};

/// This process.
#[derive(Debug)]
pub(super) struct ProcessStatus {
    settings: Settings,
    addresses: Addresses,
    started: Timestamp,
    services: Services,
}

impl ProcessStatus {
    pub(super) fn new(settings: &Settings, addresses: &Addresses, started: Timestamp, services: &Services) -> Self {
        Self { settings: settings.clone(), addresses: addresses.clone(), started, services: services.clone() }
    }
}

impl Status for ProcessStatus {
    fn status(&self) -> JsonValue {
        let gateway = self.services.serving.status();
        let models = gateway.models.iter().map(|model| {
            json!({ "model": model.model, "stable": model.stable, "canary": model.canary, "settled": model.settled })
        });
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "dir": self.settings.dir,
            "started_at": self.started,
            "project": self.services.projects.projects.last_seen(),
            "uptime_seconds": SystemClock.now().since(self.started).as_micros() / 1_000_000,
            "addresses": self.addresses,
            "stores": {
                "database": shown(&self.settings.database),
                "artifacts": self.settings.artifacts,
                "registry": self.settings.registry.as_ref().map(|registry| registry.address.to_string()),
                "online_store": self.settings.online_store,
            },
            "plan_revision": gateway.revision,
            "ready": self.services.serving.is_ready(),
            "models": models.collect::<Vec<_>>(),
        })
    }
}
