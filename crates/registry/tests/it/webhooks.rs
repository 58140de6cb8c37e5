//! Webhooks: who is told of what, what survives a kill, and what a receiver that does not answer holds up.

mod mlflow;
mod receivers;

use database::{Database, params};
use registry::{
    Error, KeyValue,
    webhooks::{Action, Config, Entity, Event, Key, NewWebhook, Status, WebhookUpdate},
};
use serde_json::{Value as Json, json};

use crate::fixture::{Fixture, editor, registry};
use receivers::{Answer, Process, Receivers};

fn event(entity: Entity, action: Action) -> Event {
    Event::new(entity, action).unwrap()
}

fn all_events() -> Vec<Event> {
    let entities = (1..=9).map(|number| Entity::of_number(number).unwrap());
    let actions = || (1..=5).map(|number| Action::of_number(number).unwrap());
    entities.flat_map(|entity| actions().filter_map(move |action| Event::new(entity, action).ok())).collect()
}

fn webhook(name: &str, events: &[Event]) -> NewWebhook {
    NewWebhook {
        name: name.to_owned(),
        url: format!("https://{name}.test/in"),
        events: events.to_vec(),
        ..NewWebhook::default()
    }
}

fn config() -> Config {
    Config { allowed_schemes: vec!["https".to_owned()], max_retries: 3, key: Key::generate() }
}

/// A registry whose webhooks go to `receivers`.
async fn hooked(db: &Database, config: Config, receivers: &Receivers) -> Fixture {
    let mut fixture = registry(db.clone()).await;
    fixture.registry = fixture.registry.with_webhooks(config, receivers.sender());
    fixture
}

fn created() -> Event {
    event(Entity::RegisteredModel, Action::Created)
}

async fn count(db: &Database, select: &'static str) -> i64 {
    db.read(async move |tx| tx.row(select, params![]).await?.map_or(Ok(0), |row| row.get("n"))).await.unwrap()
}

const OPEN: &str = "SELECT COUNT(*) AS n FROM crosstie_webhook_delivery";

database::testing::on_both! {
    async fn webhooks_are_kept_as_mlflow_keeps_them(db: Database) {
        let receivers = Receivers::default();
        let config = config();
        let fixture = hooked(&db, config.clone(), &receivers).await;
        let registry = &fixture.registry;
        let events = [event(Entity::Prompt, Action::Created), created(), event(Entity::BudgetPolicy, Action::Exceeded)];
        let new = NewWebhook { secret: Some("geheim".to_owned()), ..webhook("first", &events) };
        let first = registry.create_webhook(new).await.unwrap();
        assert_eq!(first.events.iter().map(ToString::to_string).collect::<Vec<_>>(), [
            "budget_policy.exceeded", "prompt.created", "registered_model.created"
        ]);
        assert_eq!((first.status, first.created, registry.webhook(&first.id).await.unwrap()), (Status::Active, first.updated, first.clone()));
        let secret = count(&db, "SELECT COUNT(*) AS n FROM webhooks WHERE secret LIKE 'gAAAA%' AND secret NOT LIKE '%geheim%'");
        assert_eq!(secret.await, 1, "it is a Fernet token");

        for name in ["second", "third"] {
            registry.create_webhook(webhook(name, &[created()])).await.unwrap();
        }
        let page = registry.webhooks(2, None).await.unwrap();
        let rest = registry.webhooks(2, page.next.as_deref()).await.unwrap();
        let mut ids: Vec<_> = page.items.iter().chain(&rest.items).map(|webhook| webhook.id.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((page.items.len(), rest.items.len(), rest.next, ids.len()), (2, 1, None, 3));

        let update = WebhookUpdate { description: Some("what for".to_owned()), status: Some(Status::Disabled), ..WebhookUpdate::default() };
        let changed = registry.update_webhook(&first.id, update).await.unwrap();
        assert_eq!((changed.description.as_deref(), changed.status), (Some("what for"), Status::Disabled));
        assert_eq!((&changed.name, &changed.url, &changed.events), (&first.name, &first.url, &first.events));

        registry.delete_webhook(&first.id).await.unwrap();
        let gone = registry.webhook(&first.id).await.unwrap_err();
        assert_eq!(gone.to_string(), format!("Webhook with ID {} not found.", first.id));
        assert!(matches!(registry.delete_webhook(&first.id).await, Err(Error::NotFound(_))));
        assert!(matches!(registry.update_webhook(&first.id, WebhookUpdate::default()).await, Err(Error::NotFound(_))));
        assert_eq!(registry.webhooks(0, None).await.unwrap().items.len(), 2);
        let kept = count(&db, "SELECT COUNT(*) AS n FROM webhooks WHERE deleted_timestamp IS NOT NULL");
        assert_eq!(kept.await, 1, "deleted, not removed");
    }

    async fn what_a_webhook_may_not_be_is_said(db: Database) {
        let receivers = Receivers::default();
        let fixture = hooked(&db, config(), &receivers).await;
        let registry = &fixture.registry;
        let made = registry.create_webhook(webhook("good", &[created()])).await.unwrap();
        let url = |url: &str| NewWebhook { url: url.to_owned(), ..webhook("a", &[created()]) };
        for (new, text) in [
            (webhook("-", &[created()]), "Webhook name '-' is invalid. It must start and end with a letter or digit"),
            (webhook("a", &[]), "Webhook events must be a non-empty list"),
            (url(" "), "Webhook URL cannot be empty or just whitespace: ' '"),
            (url("http://a.test"), "Invalid webhook URL scheme: 'http'. Allowed schemes are: https."),
            (url("https://private.test"), "private.test is private"),
            (NewWebhook { secret: Some("x".repeat(900)), ..webhook("a", &[created()]) }, "'secret' is too long"),
        ] {
            let update = WebhookUpdate {
                name: Some(new.name.clone()),
                url: Some(new.url.clone()),
                events: Some(new.events.clone()),
                secret: new.secret.clone(),
                ..WebhookUpdate::default()
            };
            for refused in [registry.update_webhook(&made.id, update).await, registry.create_webhook(new).await] {
                let refused = refused.unwrap_err();
                assert!(matches!(&refused, Error::Invalid(said) if said.starts_with(text)), "{text}: {refused}");
            }
        }
        for max_results in [-1, 1_001] {
            let refused = registry.webhooks(max_results, None).await.unwrap_err();
            assert_eq!(refused.to_string(), "max_results must be between 1 and 1000.");
        }
        assert_eq!(registry.webhook(&made.id).await.unwrap(), made);
    }

    async fn each_change_is_told_in_order_to_those_who_asked(db: Database) {
        let receivers = Receivers::default();
        let fixture = hooked(&db, config(), &receivers).await;
        let registry = &fixture.registry;
        let secret = Some("key".to_owned());
        registry.create_webhook(NewWebhook { secret, ..webhook("all", &all_events()) }).await.unwrap();
        registry.create_webhook(webhook("some", &[created()])).await.unwrap();
        let run = fixture.run_in("e").await;
        registry.create_model("ranker", Some("ranks".to_owned()), vec![KeyValue::new("a", "b")]).await.unwrap();
        fixture.version_of("ranker", &run).await;
        registry.set_model_tag("ranker", KeyValue::new("told", "nobody")).await.unwrap();
        registry.set_version_tag("ranker", "1", KeyValue::new("k", "v")).await.unwrap();
        registry.delete_version_tag("ranker", "1", "k").await.unwrap();
        registry.set_alias(&editor(), "ranker", "best", "1").await.unwrap();
        registry.set_alias(&editor(), "ranker", "best", "1").await.unwrap();
        registry.project_alias(&"ranker/1".parse().unwrap(), "best").await.unwrap();
        registry.delete_alias(&editor(), "ranker", "best").await.unwrap();
        // None of these comes about, so nobody is told.
        assert!(registry.create_model("ranker", None, Vec::new()).await.is_err());
        assert!(registry.set_alias(&editor(), "ranker", "best", "7").await.is_err());
        assert!(registry.set_version_tag("ranker", "7", KeyValue::new("k", "v")).await.is_err());

        let process = Process::start(registry);
        let told = receivers.until("all", 7).await;
        let version = |rest: Json| {
            let Json::Object(mut said) = json!({ "name": "ranker", "version": "1" }) else { unreachable!() };
            said.extend(rest.as_object().unwrap().clone());
            Json::Object(said)
        };
        let source = format!("{}/model", run.info.artifact_uri);
        let expected = [
            ("registered_model.created", json!({ "name": "ranker", "tags": { "a": "b" }, "description": "ranks" })),
            ("model_version.created", version(json!({ "source": source, "run_id": run.info.id, "tags": {}, "description": null }))),
            ("model_version_tag.set", version(json!({ "key": "k", "value": "v" }))),
            ("model_version_tag.deleted", version(json!({ "key": "k" }))),
            ("model_version_alias.created", version(json!({ "alias": "best" }))),
            ("model_version_alias.created", version(json!({ "alias": "best" }))),
            ("model_version_alias.deleted", json!({ "name": "ranker", "alias": "best" })),
        ];
        let said: Vec<_> = told.iter().map(receivers::Told::event_and_data).collect();
        assert_eq!(said, expected.map(|(event, data)| (event.to_owned(), data)));
        assert!(told.iter().all(|told| told.is_signed_with("key")));
        let some = receivers.until("some", 1).await;
        assert_eq!((some.len(), some[0].is_signed()), (1, false));
        receivers.until_empty(&db).await;
        assert_eq!(receivers.told("all").len(), 7, "what is told is forgotten");
        process.stop().await;
    }

    async fn prompts_are_told_of_as_prompts(db: Database) {
        let receivers = Receivers::default();
        let fixture = hooked(&db, config(), &receivers).await;
        let registry = &fixture.registry;
        registry.create_webhook(webhook("all", &all_events())).await.unwrap();
        let is_prompt = KeyValue::new("mlflow.prompt.is_prompt", "true");
        registry.create_model("greet", None, vec![is_prompt.clone(), KeyValue::new("a", "b")]).await.unwrap();
        let new = registry::NewVersion {
            name: "greet".to_owned(),
            source: "dummy-source".to_owned(),
            tags: vec![is_prompt, KeyValue::new("mlflow.prompt.text", "Hi {{you}}"), KeyValue::new("c", "d")],
            ..registry::NewVersion::default()
        };
        registry.create_version(&editor(), new).await.unwrap();
        registry.set_model_tag("greet", KeyValue::new("k", "v")).await.unwrap();
        registry.delete_model_tag("greet", "k").await.unwrap();
        registry.set_version_tag("greet", "1", KeyValue::new("k", "v")).await.unwrap();
        registry.delete_version_tag("greet", "1", "k").await.unwrap();
        registry.set_alias(&editor(), "greet", "live", "1").await.unwrap();
        registry.delete_alias(&editor(), "greet", "live").await.unwrap();
        let process = Process::start(registry);
        let told = receivers.until("all", 8).await;
        let said: Vec<_> = told.iter().map(receivers::Told::event_and_data).collect();
        let events: Vec<_> = said.iter().map(|(event, _)| event.as_str()).collect();
        assert_eq!(events, [
            "prompt.created", "prompt_version.created", "prompt_tag.set", "prompt_tag.deleted",
            "prompt_version_tag.set", "prompt_version_tag.deleted", "prompt_alias.created", "prompt_alias.deleted",
        ]);
        assert_eq!(said[0].1, json!({ "name": "greet", "tags": { "a": "b" }, "description": "" }));
        let version = json!({ "name": "greet", "version": "1", "template": "Hi {{you}}", "tags": { "c": "d" }, "description": null });
        assert_eq!(said[1].1, version);
        process.stop().await;
    }

    async fn what_was_not_told_before_a_kill_is_told_after_it(db: Database) {
        let receivers = Receivers::default();
        let config = config();
        let fixture = hooked(&db, config.clone(), &receivers).await;
        fixture.registry.create_webhook(webhook("slow", &[created()])).await.unwrap();
        receivers.script("slow", &[Answer::Hangs]);
        // One is recorded before anybody delivers, the other one is on its way when the process dies.
        fixture.registry.create_model("before", None, Vec::new()).await.unwrap();
        let process = Process::start(&fixture.registry);
        fixture.registry.create_model("during", None, Vec::new()).await.unwrap();
        receivers.until("slow", 2).await;
        process.kill(&db).await;
        assert!(count(&db, OPEN).await >= 1, "nobody took it");

        let restarted = hooked(&db, config, &receivers).await;
        let process = Process::start(&restarted.registry);
        let told = receivers.until("slow", 3).await;
        let hung = told[0].id();
        assert!(told[2..].iter().any(|told| told.id() == hung), "the same message, by its id");
        receivers.until_empty(&db).await;
        process.stop().await;
    }

    async fn a_receiver_that_hangs_or_fails_holds_up_nobody_else(db: Database) {
        let receivers = Receivers::default();
        let fixture = hooked(&db, config(), &receivers).await;
        for name in ["hangs", "fails", "well"] {
            fixture.registry.create_webhook(webhook(name, &[created()])).await.unwrap();
        }
        receivers.script("hangs", &[Answer::Hangs; 1_000]);
        receivers.script("fails", &[Answer::Status(500); 1_000]);
        let process = Process::start(&fixture.registry);
        for number in 0..300 {
            fixture.registry.create_model(&format!("m{number}"), None, Vec::new()).await.unwrap();
        }
        assert_eq!(receivers.until("well", 300).await.len(), 300);
        let hanging = receivers.told("hangs").len();
        assert!((1..=4).contains(&hanging), "{hanging} messages are on their way to one receiver");
        process.kill(&db).await;
    }

    async fn attempts_are_repeated_for_what_may_pass_with_one_id(db: Database) {
        let receivers = Receivers::default();
        let fixture = hooked(&db, config(), &receivers).await;
        for name in ["flaky", "busy", "dead", "strict"] {
            fixture.registry.create_webhook(webhook(name, &[created()])).await.unwrap();
        }
        receivers.script("flaky", &[Answer::Status(500), Answer::Away]);
        receivers.script("busy", &[Answer::Busy]);
        receivers.script("dead", &[Answer::Away; 1_000]);
        receivers.script("strict", &[Answer::Status(401); 1_000]);
        fixture.registry.create_model("m", None, Vec::new()).await.unwrap();
        let process = Process::start(&fixture.registry);
        receivers.until_empty_in_a_hurry(&db).await;
        for (name, attempts) in [("flaky", 3), ("busy", 2), ("dead", 4), ("strict", 1)] {
            let told = receivers.told(name);
            assert_eq!(told.len(), attempts, "{name}");
            assert!(told.iter().all(|again| again.id() == told[0].id()), "{name}");
        }
        let metrics = process.metrics();
        assert!(metrics.contains("crosstie_webhooks_deliveries_total{outcome=\"abandoned\"} 2"), "{metrics}");
        assert!(metrics.contains("crosstie_webhooks_deliveries_total{outcome=\"delivered\"} 2"), "{metrics}");
        process.stop().await;
    }

    async fn what_was_not_told_of_a_webhook_that_is_taken_back_is_dropped(db: Database) {
        let receivers = Receivers::default();
        let fixture = hooked(&db, config(), &receivers).await;
        let registry = &fixture.registry;
        let disabled = registry.create_webhook(webhook("disabled", &[created()])).await.unwrap();
        let deleted = registry.create_webhook(webhook("deleted", &[created()])).await.unwrap();
        let moved = registry.create_webhook(webhook("moved", &[created()])).await.unwrap();
        registry.create_model("m", None, Vec::new()).await.unwrap();
        assert_eq!(count(&db, OPEN).await, 3);
        let update = WebhookUpdate { status: Some(Status::Disabled), ..WebhookUpdate::default() };
        registry.update_webhook(&disabled.id, update).await.unwrap();
        registry.delete_webhook(&deleted.id).await.unwrap();
        let url = Some("https://elsewhere.test/in".to_owned());
        registry.update_webhook(&moved.id, WebhookUpdate { url, ..WebhookUpdate::default() }).await.unwrap();
        registry.create_model("n", None, Vec::new()).await.unwrap();
        let process = Process::start(registry);
        receivers.until_empty(&db).await;
        assert_eq!(receivers.told("elsewhere").len(), 2);
        for name in ["disabled", "deleted", "moved"] {
            assert_eq!(receivers.told(name).len(), 0, "{name}");
        }
        process.stop().await;
    }

    async fn a_signed_message_waits_for_its_key_and_never_goes_unsigned(db: Database) {
        let receivers = Receivers::default();
        let right = config();
        let fixture = hooked(&db, right.clone(), &receivers).await;
        let secret = Some("key".to_owned());
        fixture.registry.create_webhook(NewWebhook { secret, ..webhook("signed", &[created()]) }).await.unwrap();
        fixture.registry.create_webhook(webhook("unsigned", &[created()])).await.unwrap();
        fixture.registry.create_model("m", None, Vec::new()).await.unwrap();

        let wrong = hooked(&db, config(), &receivers).await;
        let process = Process::start(&wrong.registry);
        receivers.until("unsigned", 1).await;
        receivers.until_postponed(&db).await;
        let id = wrong.registry.webhooks(0, None).await.unwrap().items.iter().find(|w| w.name == "signed").unwrap().id.clone();
        let tried = wrong.registry.test_webhook(&id, None).await.unwrap().unwrap_err().to_string();
        assert!(tried.contains("another key"), "{tried}");
        assert_eq!(receivers.told("signed").len(), 0);
        process.kill(&db).await;

        let process = Process::start(&fixture.registry);
        receivers::hurry(&db).await;
        let told = receivers.until("signed", 1).await;
        assert!(told[0].is_signed_with("key"));
        process.stop().await;
    }

    async fn of_two_servers_one_delivers(db: Database) {
        let receivers = Receivers::default();
        let config = config();
        let one = hooked(&db, config.clone(), &receivers).await;
        let other = hooked(&db, config, &receivers).await;
        one.registry.create_webhook(webhook("in", &[created()])).await.unwrap();
        let processes = [Process::start(&one.registry), Process::start(&other.registry)];
        for number in 0..20 {
            let fixture = if number % 2 == 0 { &one } else { &other };
            fixture.registry.create_model(&format!("m{number}"), None, Vec::new()).await.unwrap();
        }
        receivers.until("in", 20).await;
        receivers.until_empty(&db).await;
        let mut names: Vec<_> = receivers.told("in").iter().map(|told| told.event_and_data().1["name"].to_string()).collect();
        assert_eq!(names.len(), 20);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 20, "each of them once");
        for process in processes {
            process.stop().await;
        }
    }

    async fn a_webhook_can_be_tried(db: Database) {
        let receivers = Receivers::default();
        let fixture = hooked(&db, config(), &receivers).await;
        let events = [created(), event(Entity::ModelVersionTag, Action::Set)];
        let made = fixture.registry.create_webhook(webhook("in", &events)).await.unwrap();
        let answer = fixture.registry.test_webhook(&made.id, None).await.unwrap().unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "thanks"));
        receivers.script("in", &[Answer::Status(500), Answer::Status(404)]);
        let answer = fixture.registry.test_webhook(&made.id, Some(created())).await.unwrap().unwrap();
        assert_eq!(answer.status, 404, "what may pass is tried again");
        let told = receivers.told("in");
        assert_eq!(told[0].event_and_data(), (
            "model_version_tag.set".to_owned(),
            json!({ "name": "example_model", "version": "1", "key": "example_key", "value": "example_value" }),
        ));
        assert_eq!(told[1].event_and_data().0, "registered_model.created");
        assert_eq!(count(&db, OPEN).await, 0);
        assert!(matches!(fixture.registry.test_webhook("none", None).await, Err(Error::NotFound(_))));
    }
}
