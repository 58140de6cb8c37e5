//! Tokens and the trail on both databases.

use std::{os::unix::fs::PermissionsExt as _, sync::Arc};

use database::{Database, params, testing::on_both};
use runtime::testing::ManualClock;
use types::{AuditEntry, ErrorKind, Principal, Role, Timestamp};

use crate::{AuditFilter, Error, Service};

async fn service(db: &Database) -> (Service, ManualClock) {
    let clock = ManualClock::new(Timestamp::parse("2026-11-23T14:00:00Z").unwrap());
    let service = Service::new(db.clone(), Arc::new(clock.clone()));
    service.migrate().await.unwrap();
    (service, clock)
}

fn admin() -> Principal {
    Principal::known("root", Role::Admin)
}

fn entry(subject: &str, action: &str) -> AuditEntry {
    AuditEntry {
        at: Timestamp::from_millis(1),
        principal: "anna".into(),
        action: action.into(),
        subject: subject.into(),
        detail: serde_json::json!({ "reason": "because" }),
    }
}

on_both! {
    async fn a_token_is_its_principal_until_it_is_revoked(db: Database) {
        let (service, _) = service(&db).await;
        let token = service.create_token(&admin(), "anna", Role::Approver).await.unwrap();
        let anna = Some(Principal::known("anna", Role::Approver));
        assert_eq!(service.authenticate(token.expose()).await.unwrap(), anna);
        assert_eq!(service.authenticate(token.expose()).await.unwrap(), anna, "from memory");
        assert_eq!(service.authenticate(&format!("ct_{}", "x".repeat(43))).await.unwrap(), None);
        assert_eq!(service.authenticate("").await.unwrap(), None);

        service.revoke(&admin(), "anna").await.unwrap();
        assert_eq!(service.authenticate(token.expose()).await.unwrap(), None);
        assert_eq!(service.revoke(&admin(), "anna").await.unwrap_err().kind(), ErrorKind::NotFound);

        let next = service.create_token(&admin(), "anna", Role::Viewer).await.unwrap();
        let role = service.authenticate(next.expose()).await.unwrap().map(|principal| principal.role);
        assert_eq!(role, Some(Role::Viewer));
        assert_eq!(service.authenticate(token.expose()).await.unwrap(), None, "the old one stays revoked");
    }

    async fn names_are_unique_and_some_are_not_to_be_had(db: Database) {
        let (service, _) = service(&db).await;
        service.create_token(&admin(), "anna", Role::Editor).await.unwrap();
        let error = service.create_token(&admin(), "anna", Role::Admin).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        for name in ["anonymous", "controller", "admin", "Anna", ""] {
            let error = service.create_token(&admin(), name, Role::Editor).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{name}");
        }
        assert_eq!(service.tokens().await.unwrap().len(), 1);
    }

    async fn only_an_admin_makes_and_revokes_tokens(db: Database) {
        let (service, _) = service(&db).await;
        service.create_token(&admin(), "anna", Role::Operator).await.unwrap();
        let nobody = Principal { role: Role::Admin, ..Principal::anonymous() };
        for by in [Principal::known("anna", Role::Operator), Principal::anonymous(), nobody] {
            assert!(matches!(service.create_token(&by, "bert", Role::Viewer).await, Err(Error::Forbidden { .. })));
            assert!(matches!(service.revoke(&by, "anna").await, Err(Error::Forbidden { .. })));
        }
    }

    async fn of_a_token_only_a_digest_is_kept(db: Database) {
        let (service, _) = service(&db).await;
        let token = service.create_token(&admin(), "anna", Role::Editor).await.unwrap();
        for table in ["crosstie_principal", "crosstie_token", "crosstie_audit"] {
            let rows = db.read(async move |tx| tx.rows(&format!("SELECT * FROM {table}"), params![]).await).await.unwrap();
            assert!(!rows.is_empty() && !format!("{rows:?}").contains(token.expose().as_str()), "{table}");
        }
    }

    async fn another_process_sees_a_revocation_when_its_memory_ends(db: Database) {
        let (here, _) = service(&db).await;
        let (there, _) = service(&db).await;
        let token = here.create_token(&admin(), "anna", Role::Editor).await.unwrap();
        assert!(there.authenticate(token.expose()).await.unwrap().is_some());
        here.revoke(&admin(), "anna").await.unwrap();
        runtime::testing::eventually(std::time::Duration::from_secs(30), async || {
            match there.authenticate(token.expose()).await.unwrap() {
                None => Ok(()),
                Some(principal) => Err(format!("{} is still believed", principal.name)),
            }
        })
        .await;
    }

    async fn the_first_token_is_kept_where_only_its_owner_reads_it(db: Database) {
        let (service, _) = service(&db).await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(service.ensure_first_token(&path).await.unwrap());
        let read = || std::fs::read_to_string(&path).unwrap().trim().to_owned();
        let first = read();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let principal = service.authenticate(&first).await.unwrap().unwrap();
        assert_eq!((principal.name.as_str(), principal.role), ("admin", Role::Admin));

        assert!(!service.ensure_first_token(&path).await.unwrap(), "it is there");
        assert_eq!(read(), first);
        std::fs::remove_file(&path).unwrap();
        assert!(service.ensure_first_token(&path).await.unwrap());
        assert_ne!(read(), first);
        assert!(service.authenticate(&read()).await.unwrap().is_some());
        assert!(service.authenticate(&first).await.unwrap().is_some(), "another folder's token stays good");

        service.revoke(&principal, "admin").await.unwrap();
        assert!(service.ensure_first_token(&path).await.unwrap(), "a file without a token behind it is replaced");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing temporary is left");
        let missing = folder.path().join("missing").join("token");
        assert_eq!(service.ensure_first_token(&missing).await.unwrap_err().kind(), ErrorKind::FailedPrecondition);
    }

    async fn the_trail_tells_what_was_decided_newest_first(db: Database) {
        let (service, clock) = service(&db).await;
        service.create_token(&admin(), "anna", Role::Editor).await.unwrap();
        service.append(entry("click-ranker/7", "release.approve")).await.unwrap();
        service.append(entry("click-ranker/8", "release.approve")).await.unwrap();
        let all = service.trail(AuditFilter::default()).await.unwrap();
        let told: Vec<_> = all.iter().map(|entry| (entry.action.as_str(), entry.subject.as_str())).collect();
        let expected = [
            ("release.approve", "click-ranker/8"),
            ("release.approve", "click-ranker/7"),
            ("token.create", "principal anna"),
        ];
        assert_eq!(told, expected);
        assert_eq!(all[1], entry("click-ranker/7", "release.approve"));
        for (filter, found) in [
            (AuditFilter { subject: Some("click-ranker/7".into()), ..Default::default() }, 1),
            (AuditFilter { principal: Some("anna".into()), ..Default::default() }, 2),
            (AuditFilter { action: Some("token.create".into()), ..Default::default() }, 1),
            (AuditFilter { since: Some(runtime::Clock::now(&clock)), ..Default::default() }, 1),
            (AuditFilter { limit: 2, ..Default::default() }, 2),
        ] {
            assert_eq!(service.trail(filter.clone()).await.unwrap().len(), found, "{filter:?}");
        }
    }

    async fn an_entry_shares_the_fate_of_the_decision_it_tells_of(db: Database) {
        let (service, _) = service(&db).await;
        let refused: Result<(), Error> = db
            .write(async |tx| {
                Service::record(tx, &entry("click-ranker/7", "release.approve")).await?;
                Err(Error::Unknown { name: "anna".into() })
            })
            .await;
        assert!(refused.is_err());
        assert_eq!(service.trail(AuditFilter::default()).await.unwrap(), []);
    }
}
