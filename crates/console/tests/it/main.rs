//! The pages over real services: each shows what is there, says so when nothing is, and takes nothing but `GET`.

#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod world;

use alerts::Condition;
use axum::http::{Method, StatusCode};
use database::{Database, testing::on_sqlite};
use serde_json::json;
use telemetry::Severity;
use types::ModelName;

use world::World;

/// Every page without anything in it.
const PAGES: [&str; 7] = ["/", "/releases", "/alerts", "/features", "/lineage", "/predictions", "/audit"];

#[test]
fn an_empty_console_says_what_to_do_next() {
    on_sqlite(async |db: Database| {
        let world = World::new(db).await;
        for page in PAGES {
            let (status, body) = world.get(page).await;
            assert_eq!(status, StatusCode::OK, "{page}: {body}");
            assert!(body.starts_with("<!DOCTYPE html>") && body.contains("<h1>"), "{page}");
            assert_eq!(
                body.matches("<script").count(),
                body.matches("<script src=\"/console/live.js\"").count(),
                "{page}"
            );
        }
        assert!(world.get("/").await.1.contains("MLFLOW_TRACKING_URI"));
        assert!(world.get("/releases").await.1.contains("crosstie release create MODEL/V"));
        assert!(world.get("/alerts").await.1.contains("Nothing fires"));
        assert!(world.get("/console/live.js").await.1.contains("DOMParser"));
        assert!(world.get("/console/style.css").await.1.contains("prefers-color-scheme"));
    });
}

#[test]
fn a_release_shows_its_gates_evidence_waiver_and_trail_and_the_fleet_what_serves() {
    on_sqlite(async |db: Database| {
        let world = World::new(db).await;
        let (release, prediction) = world.release_with_a_waived_gate().await;
        let (status, body) = world.get(&format!("/releases/{release}")).await;
        assert_eq!(status, StatusCode::OK);
        for shown in [
            "awaiting approval",
            "Waits for 1 approval, not by ada",
            "no dataset was recorded",
            "<th>feature</th>",
            "&lt;us&gt;",
            "waived by grace",
            "the laptop was lost",
            "release.create",
        ] {
            assert!(body.contains(shown), "no `{shown}` in {body}");
        }
        assert!(!body.contains("<us>"), "what users write is never markup");
        let (_, fleet) = world.get("/").await;
        assert!(fleet.contains("/models/click%20ranker") && fleet.contains("awaiting approval"), "{fleet}");
        assert!(world.get("/models/click%20ranker").await.1.contains("Nothing is in production"));
        assert!(world.get("/models/click%20ranker/versions/1").await.1.contains("Not known"));

        let (status, body) = world.get(&format!("/predictions/{prediction}")).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert!(body.contains("clicks_7d") && body.contains("pushed") && body.contains("purchase"), "{body}");
        assert!(world.get("/predictions?model=click%20ranker").await.1.contains(&prediction.to_string()[30..]));
        assert!(!world.get("/predictions?model=other").await.1.contains("<tbody>"));
    });
}

#[test]
fn what_fires_stands_on_the_fleet_on_its_model_and_among_the_alerts() {
    on_sqlite(async |db: Database| {
        let world = World::new(db).await;
        world.release_with_a_waived_gate().await;
        world
            .fires(Condition {
                key: "click ranker/user_country".to_owned(),
                name: "NewCategories".to_owned(),
                severity: Severity::Page,
                summary: "user_country has new values for <hooli>".to_owned(),
                model: Some(ModelName::parse("click ranker").unwrap()),
                labels: [("customer_id".to_owned(), "hooli".to_owned())].into(),
                details: json!({ "share": 0.31 }),
                since: world.now(),
            })
            .await;
        for page in ["/alerts", "/models/click%20ranker"] {
            let shown = world.get(page).await.1;
            for wanted in ["badge bad\">page", "&lt;hooli&gt;", "NewCategories", "0.31", "no route"] {
                assert!(shown.contains(wanted), "no `{wanted}` on {page}: {shown}");
            }
        }
        let fleet = world.get("/").await.1;
        assert!(fleet.contains("1 alert fires") && fleet.contains("badge bad\">page"), "{fleet}");
    });
}

#[test]
fn pages_ask_for_nothing_from_elsewhere_and_are_kept_by_nobody() {
    on_sqlite(async |db: Database| {
        let world = World::new(db).await;
        for page in PAGES.into_iter().chain(["/releases/7"]) {
            let headers = world.headers(page).await;
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{page}: {policy}");
            assert_eq!(headers["cache-control"], "no-store", "{page}");
            let body = world.get(page).await.1;
            for foreign in ["http://", "https://", "style=", "onclick"] {
                assert!(!body.contains(foreign), "{foreign} in {page}");
            }
        }
    });
}

#[test]
fn what_does_not_exist_is_not_found_and_nothing_can_be_changed() {
    on_sqlite(async |db: Database| {
        let world = World::new(db).await;
        for page in [
            "/releases/7",
            "/models/none",
            "/models/none/versions/1",
            "/models/none/versions/x",
            "/lineage/datasets/none",
            "/lineage/features/none",
            "/nowhere",
        ] {
            assert_eq!(world.get(page).await.0, StatusCode::NOT_FOUND, "{page}");
        }
        assert_eq!(world.get("/predictions/no-id").await.0, StatusCode::BAD_REQUEST);
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            for page in PAGES {
                let (status, _) = world.ask(method.clone(), page).await;
                assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {page}");
            }
        }
    });
}
