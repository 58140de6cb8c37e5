//! The port that protects what serves is asked before every mutation that it should be, and only then.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use database::Database;
use registry::{Error, Governance, KeyValue, Mutation, Refusal, Transition};
use types::{ErrorKind, ModelName, ModelVersion, Principal};

use crate::fixture::{editor, registry};

/// Refuses everything and remembers what it was asked.
#[derive(Debug, Default)]
struct Refuses {
    asked: Mutex<Vec<Mutation>>,
}

#[async_trait]
impl Governance for Refuses {
    async fn check(&self, principal: &Principal, mutation: &Mutation) -> Result<(), Refusal> {
        assert_eq!(principal, &editor());
        self.asked.lock().unwrap().push(mutation.clone());
        Err(Refusal::Protected { message: "use `crosstie release create ranker/1`".to_owned() })
    }

    async fn pinned(&self) -> Result<Vec<ModelVersion>, Refusal> {
        Ok(Vec::new())
    }
}

database::testing::on_both! {
    async fn what_serves_is_not_moved_or_unpinned_behind_a_release(db: Database) {
        let fixture = registry(db).await;
        let run = fixture.run_in("e").await;
        fixture.version_of("ranker", &run).await;
        let governance = Arc::new(Refuses::default());
        let registry = fixture.registry.clone().with_governance(Arc::clone(&governance) as Arc<dyn Governance>);
        let stage = Transition { name: "ranker".into(), version: "1".into(), stage: "Production".into(), archive_existing: true };
        let refusals: [Error; 6] = [
            registry.set_alias(&editor(), "ranker", "production", "1").await.unwrap_err(),
            registry.delete_alias(&editor(), "ranker", "production").await.unwrap_err(),
            registry.delete_model(&editor(), "ranker").await.unwrap_err(),
            registry.rename_model(&editor(), "ranker", "scorer").await.unwrap_err(),
            registry.delete_version(&editor(), "ranker", "1").await.unwrap_err(),
            registry.transition_stage(&editor(), stage).await.unwrap_err(),
        ];
        for refusal in refusals {
            assert_eq!(refusal.kind(), ErrorKind::PermissionDenied);
            assert!(refusal.to_string().contains("crosstie release create"), "{refusal}");
        }
        let model = ModelName::parse("ranker").unwrap();
        let version = ModelVersion::new(model.clone(), 1);
        let alias = "production".to_owned();
        let expected = [
            Mutation::SetAlias { version: version.clone(), alias: alias.clone() },
            Mutation::DeleteAlias { model: model.clone(), alias },
            Mutation::DeleteModel { model: model.clone() },
            Mutation::RenameModel { model: model.clone(), to: "scorer".to_owned() },
            Mutation::DeleteVersion { version: version.clone() },
            Mutation::TransitionStage { version: version.clone(), stage: "Production".to_owned(), archive_existing: true },
        ];
        assert_eq!(*governance.asked.lock().unwrap(), expected);

        // Nothing was changed, and what moves nothing is not asked about.
        let unchanged = registry.version("ranker", "1").await.unwrap();
        assert_eq!((unchanged.stage.as_str(), unchanged.aliases.len()), ("None", 0));
        registry.set_version_tag("ranker", "1", KeyValue::new("a", "b")).await.unwrap();
        registry.update_model("ranker", "described").await.unwrap();
        // A release's own projection passes.
        registry.project_alias(&version, "production").await.unwrap();
        assert_eq!(registry.version_of_alias(&model, "production").await.unwrap(), Some(1));
        assert_eq!(governance.asked.lock().unwrap().len(), 6);
    }
}
