//! Which arm of a rollout answers a request.
//!
//! Sticky and stateless: the value of `route_by` is hashed together with the canary's version to a point between 0 and
//! 1, and the canary takes the points below its weight. So every gateway sends an entity the same way, an entity once on
//! the canary stays there while the weight grows, and the next canary begins with other entities. Nothing here knows
//! what is loaded; that the canary is ready is the caller's concern.

use types::{Digest, ModelVersion, Percent};
use uuid::Uuid;

use crate::{Arm, Tensor};

/// What keeps a caller on one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RouteKey {
    /// The value of the input that the model routes by, as text: `7` whether it came as a number or as a string.
    Entity(String),
    /// The request does not say; it is routed by its own id.
    Request(Uuid),
}

impl RouteKey {
    /// The key of a request: the first row's value of the input `route_by`, since one request has one version.
    pub(crate) fn of(route_by: Option<&str>, inputs: &[Tensor], request: Uuid) -> Self {
        let tensor = route_by.and_then(|name| inputs.iter().find(|tensor| tensor.name == name));
        match tensor.and_then(|tensor| tensor.data.value(0)) {
            Some(types::Value::String(text)) => Self::Entity(text),
            Some(value) => Self::Entity(value.to_string()),
            None => Self::Request(request),
        }
    }
}

/// The arm that answers `key` while `canary` has `weight`.
pub(crate) fn choose(canary: &ModelVersion, weight: Percent, key: &RouteKey) -> Arm {
    if point(canary, key) < weight.fraction() { Arm::Canary } else { Arm::Stable }
}

/// Where `key` falls between 0 (included) and 1 (excluded), for this canary.
fn point(canary: &ModelVersion, key: &RouteKey) -> f64 {
    /// Bits of a double's significand: so many are taken, and every point is exact.
    const BITS: u32 = 53;
    let text = match key {
        RouteKey::Entity(entity) => format!("{canary}\nentity\n{entity}"),
        RouteKey::Request(request) => format!("{canary}\nrequest\n{request}"),
    };
    let digest = Digest::of(text);
    let (head, _) = digest.as_bytes().split_first_chunk::<8>().expect("a digest has 32 bytes");
    (u64::from_be_bytes(*head) >> (u64::BITS - BITS)) as f64 / (1_u64 << BITS) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use types::ModelName;

    use super::*;
    use crate::TensorData;

    fn canary(version: u32) -> ModelVersion {
        ModelVersion::new(ModelName::parse("click-ranker").unwrap(), version)
    }

    fn share(version: u32, weight: f64) -> f64 {
        let weight = Percent::new(weight).unwrap();
        let on_canary = (0..20_000)
            .filter(|user| choose(&canary(version), weight, &RouteKey::Entity(user.to_string())) == Arm::Canary);
        on_canary.count() as f64 / 20_000.0
    }

    #[test]
    fn the_canary_gets_its_share_of_entities() {
        for weight in [0.0, 5.0, 25.0, 100.0] {
            assert!((share(2, weight) - weight / 100.0).abs() < 0.006, "{weight} % became {}", share(2, weight));
        }
    }

    #[test]
    fn two_canaries_begin_with_different_entities() {
        let five = Percent::new(5.0).unwrap();
        let both = (0..20_000)
            .map(|user| RouteKey::Entity(user.to_string()))
            .filter(|key| choose(&canary(2), five, key) == Arm::Canary && choose(&canary(3), five, key) == Arm::Canary);
        assert!(both.count() < 100, "5 % of 5 % of 20,000 are 50");
    }

    #[test]
    fn numbers_and_strings_of_the_same_entity_are_one_key() {
        let request = Uuid::now_v7();
        let number = Tensor::column("user_id", TensorData::Int64(vec![7, 8]));
        let text = Tensor::column("user_id", TensorData::Bytes(vec!["7".into()]));
        let key = RouteKey::Entity("7".to_owned());
        assert_eq!(RouteKey::of(Some("user_id"), std::slice::from_ref(&number), request), key);
        assert_eq!(RouteKey::of(Some("user_id"), &[text], request), key);
        assert_eq!(RouteKey::of(Some("item_id"), std::slice::from_ref(&number), request), RouteKey::Request(request));
        assert_eq!(RouteKey::of(None, &[number], request), RouteKey::Request(request));
    }

    proptest! {
        #[test]
        fn an_entity_on_the_canary_stays_while_the_weight_grows(entity in ".*", low in 0.0..100.0_f64, more in 0.0..100.0_f64) {
            let key = RouteKey::Entity(entity);
            let high = (low + more).min(100.0);
            if choose(&canary(2), Percent::new(low).unwrap(), &key) == Arm::Canary {
                prop_assert_eq!(choose(&canary(2), Percent::new(high).unwrap(), &key), Arm::Canary);
            }
        }
    }
}
