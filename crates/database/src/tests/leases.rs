//! Leases: one holder at a time, and the one who lost it cannot act.

use types::Duration;

use crate::{Database, Error, Lease, Result, params, testing::on_both};

const NAME: &str = "release-controller";
const MINUTE: Duration = Duration::from_secs(60);

/// Lets every lease expire, as if its holder had slept.
async fn expire(db: &Database) {
    db.write(async |tx| tx.execute("UPDATE crosstie_lease SET expires_at = 1", params![]).await).await.unwrap();
}

async fn decide(db: &Database, lease: &Lease) -> Result<()> {
    let epoch = lease.epoch;
    db.write(async move |tx| tx.check_fence(NAME, epoch).await).await
}

on_both! {
    async fn a_lease_has_one_holder_and_its_epoch_grows_when_it_changes_hands(db: Database) {
        let first = db.acquire_lease(NAME, "a", MINUTE).await.unwrap().unwrap();
        assert_eq!(first.epoch, 1);
        assert_eq!(db.acquire_lease(NAME, "b", MINUTE).await.unwrap(), None);
        let renewed = db.renew_lease(&first, MINUTE).await.unwrap();
        assert!(renewed.expires_at >= first.expires_at && renewed.epoch == 1);
        decide(&db, &first).await.unwrap();

        expire(&db).await;
        decide(&db, &first).await.expect("nobody took it yet");
        let second = db.acquire_lease(NAME, "b", MINUTE).await.unwrap().unwrap();
        assert_eq!(second.epoch, 2);
        decide(&db, &second).await.unwrap();
        for outcome in [decide(&db, &first).await, db.renew_lease(&first, MINUTE).await.map(drop)] {
            assert!(matches!(outcome, Err(Error::Fenced { epoch: 1, current: 2, .. })), "{outcome:?}");
        }

        db.release_lease(&first).await.unwrap();
        assert_eq!(db.acquire_lease(NAME, "a", MINUTE).await.unwrap(), None, "releasing a lost lease frees nothing");
        db.release_lease(&second).await.unwrap();
        assert_eq!(db.acquire_lease(NAME, "a", MINUTE).await.unwrap().unwrap().epoch, 3);
    }

    async fn a_holder_that_restarts_fences_its_former_self(db: Database) {
        let before = db.acquire_lease(NAME, "a", MINUTE).await.unwrap().unwrap();
        let after = db.acquire_lease(NAME, "a", MINUTE).await.unwrap().unwrap();
        assert_eq!((before.epoch, after.epoch), (1, 2));
        assert!(matches!(decide(&db, &before).await, Err(Error::Fenced { .. })));
    }

    async fn a_lease_from_before_the_clock_went_back_keeps_nobody_waiting(db: Database) {
        let before = db.acquire_lease(NAME, "a", Duration::from_secs(3_600)).await.unwrap().unwrap();
        assert_eq!(db.acquire_lease(NAME, "b", Duration::from_secs(7_200)).await.unwrap(), None, "it has its time");
        let after = db.acquire_lease(NAME, "b", MINUTE).await.unwrap().unwrap();
        assert_eq!((before.epoch, after.epoch), (1, 2));
        assert!(matches!(decide(&db, &before).await, Err(Error::Fenced { .. })));
        assert_eq!(db.acquire_lease(NAME, "a", MINUTE).await.unwrap(), None);
    }

    async fn of_many_who_want_an_expired_lease_one_gets_it(db: Database) {
        db.acquire_lease(NAME, "old", MINUTE).await.unwrap().unwrap();
        expire(&db).await;
        let attempts = (0..6).map(|index| {
            let db = db.clone();
            tokio::spawn(async move { db.acquire_lease(NAME, &format!("new-{index}"), MINUTE).await.unwrap() })
        });
        let taken: Vec<Lease> =
            futures::future::join_all(attempts).await.into_iter().filter_map(|outcome| outcome.unwrap()).collect();
        assert_eq!(taken.iter().map(|lease| lease.epoch).collect::<Vec<_>>(), [2]);
    }
}
