//! The real MLflow on the same webhooks, under the same key: each reads what the other wrote, and delivers for it.

use database::{Database, testing::PostgresDatabase};
use registry::webhooks::{Action, Entity, NewWebhook, Status};
use runtime::Tasks;
use serde_json::{Value as Json, json};

use super::{all_events, config, event, hooked, receivers};
use crate::fixture::mlflow_python;

/// Shows the webhooks with their secrets, changes one and makes another.
const BESIDE: &str = "
import json, logging, os, sys
logging.disable(logging.CRITICAL)
os.environ['MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY'] = sys.argv[2]
os.environ['MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS'] = 'true'
from mlflow.entities.webhook import WebhookEvent, WebhookStatus
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
store = SqlAlchemyStore(sys.argv[1])
seen = [[w.name, w.url, str(w.status), w.secret, w.description, [str(e) for e in w.events]] for w in store.list_webhooks()]
subscribed = [w.name for w in store.list_webhooks_by_event(WebhookEvent.from_str('registered_model.created'))]
store.update_webhook(store.list_webhooks()[0].webhook_id, secret='changed', status=WebhookStatus.ACTIVE)
made = store.create_webhook('theirs', 'https://theirs.test/in', [WebhookEvent.from_str('registered_model.created')], secret='of MLflow')
print(json.dumps({'seen': seen, 'subscribed': subscribed, 'made': made.webhook_id}))
";

async fn each_reads_what_the_other_wrote(uri: String, sqlalchemy: String) {
    let db = Database::connect(&uri, &Tasks::new()).await.unwrap();
    let receivers = receivers::Receivers::default();
    let config = config();
    let fixture = hooked(&db, config.clone(), &receivers).await;
    let new = NewWebhook {
        name: "ours".to_owned(),
        url: "https://ours.test/in".to_owned(),
        events: all_events(),
        description: Some("from here".to_owned()),
        secret: Some("of Crosstie, säcret".to_owned()),
        status: Status::Disabled,
    };
    let ours = fixture.registry.create_webhook(new).await.unwrap();
    let Some(output) = mlflow_python(BESIDE, &[&sqlalchemy, config.key.to_text().expose()]) else { return };
    let said: Json = serde_json::from_slice(&output.stdout).unwrap();
    let events: Vec<_> = ours.events.iter().map(ToString::to_string).collect();
    let row = json!(["ours", ours.url, "DISABLED", "of Crosstie, säcret", "from here", events]);
    assert_eq!((&said["seen"], &said["subscribed"]), (&json!([row]), &json!(["ours"])));

    let theirs = fixture.registry.webhook(said["made"].as_str().unwrap()).await.unwrap();
    let created = event(Entity::RegisteredModel, Action::Created);
    assert_eq!((theirs.name.as_str(), theirs.events, theirs.status), ("theirs", vec![created], Status::Active));
    fixture.registry.create_model("ranker", None, Vec::new()).await.unwrap();
    let process = receivers::Process::start(&fixture.registry);
    assert!(receivers.until("theirs", 1).await[0].is_signed_with("of MLflow"));
    assert!(receivers.until("ours", 1).await[0].is_signed_with("changed"));
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reads_what_the_other_wrote_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db").display().to_string();
    each_reads_what_the_other_wrote(format!("sqlite:{path}"), format!("sqlite:///{path}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reads_what_the_other_wrote_on_postgres() {
    let Some(server) = PostgresDatabase::create().await else { return };
    let uri = server.uri();
    // The driver that there is, whichever SQLAlchemy would take by itself.
    let address = uri.split_once("://").map(|(_, address)| address).unwrap();
    let sqlalchemy = format!("postgresql+psycopg2://{address}");
    each_reads_what_the_other_wrote(uri, sqlalchemy).await;
    server.remove().await;
}
