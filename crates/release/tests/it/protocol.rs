//! The protocol of a rollout, model-checked: whatever two controllers, two gateways and a person do, in whatever order,
//! with crashes, pauses, and plans and acknowledgements that are late or lost. What decides is the very
//! [`step`](release::machine::step) that runs.
//!
//! A controller that is paused in the middle of a decision is one that saw something and decides late; nothing in the
//! model makes it hurry, and a lease expires at any moment. Bounds keep the number of states small; each test spends them
//! on another kind of trouble.

mod world;

use release::{
    Stage,
    machine::{Observation, Policy},
};
use stateright::{Checker, Expectation, HasDiscoveries, Model, Property};
use types::{Principal, Role};

use world::{Controller, Flaw, Left, Version, World, policy};

/// Fewer states than this, and the model does not do what it says.
const FEWEST_STATES: usize = 20_000;

const TWO_ENDS: &str = "never both promoted and rolled back";
const TWO_ACT: &str = "only the latest lease decides";
const PROMOTED: &str = "promoted";
const ROLLED_BACK: &str = "rolled back, and every gateway follows";
const TAKEN_OVER: &str = "one controller begins and the other promotes";
const NOT_HELD: &str = "rolled back by itself while a person held it";

struct Protocol {
    policy: Policy,
    left: Left,
    flaw: Flaw,
}

/// What can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// A controller gets the lease: it was free, its own, or has expired.
    Acquire(usize),
    /// A controller looks.
    Look(usize),
    /// It decides on what it saw.
    Decide(usize),
    /// It starts again and knows nothing.
    Crash(usize),
    /// A gateway follows a plan that is newer than its own.
    Follow(usize, usize),
    /// It is heard to follow a revision that it follows, or did.
    Acknowledge(usize, usize),
    /// It was not heard for so long that nobody waits for it. It serves on.
    FallSilent(usize),
    /// The canary answers a request on some gateway.
    Answer,
    /// The canary shows to be worse.
    TurnBad,
    /// Time passes.
    Tick,
    /// A person holds the rollout, lets it go on, ends it.
    Pause,
    Resume,
    RollBack,
}

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.policy, self.left)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        // Once it is over nobody looks any more; what was seen before may still be decided on.
        let is_over = world.stage().is_over();
        for (index, controller) in world.controllers.iter().enumerate() {
            if controller.seen.is_some() {
                actions.push(Action::Decide(index));
            } else if controller.epoch.is_some() && !is_over {
                actions.push(Action::Look(index));
            } else if world.left.leases > 0 && !is_over {
                actions.push(Action::Acquire(index));
            }
            if controller.epoch.is_some() && world.left.crashes > 0 && !is_over {
                actions.push(Action::Crash(index));
            }
        }
        for (index, gateway) in world.gateways.iter().enumerate() {
            actions.extend((gateway.revision + 1..world.plans.len()).map(|newer| Action::Follow(index, newer)));
            let unheard = (0..=gateway.revision).filter(|it| *it != gateway.acknowledged || !gateway.is_live);
            actions.extend(unheard.map(|followed| Action::Acknowledge(index, followed)));
            if gateway.is_live && world.left.silences > 0 && !is_over {
                actions.push(Action::FallSilent(index));
            }
        }
        let is_canary_served = world.gateways.iter().any(|gateway| gateway.serves.canary.is_some());
        if is_canary_served && world.left.requests > 0 && !is_over {
            actions.push(Action::Answer);
        }
        if !world.is_bad && !is_over {
            actions.push(Action::TurnBad);
        }
        if world.left.ticks > 0 && !is_over {
            actions.push(Action::Tick);
        }
        if world.left.orders > 0 {
            actions.push(Action::RollBack);
            actions.push(if world.release.paused { Action::Resume } else { Action::Pause });
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        match action {
            Action::Acquire(index) => {
                next.left.leases -= 1;
                next.epoch += 1;
                next.controllers[index].epoch = Some(next.epoch);
            }
            Action::Look(index) => next.controllers[index].seen = Some(world.look(self.flaw)?),
            Action::Decide(index) => next.decide(&self.policy, index, self.flaw),
            Action::Crash(index) => {
                next.left.crashes -= 1;
                next.controllers[index] = Controller::default();
            }
            Action::Follow(index, revision) => {
                next.gateways[index].revision = revision;
                next.gateways[index].serves = next.plans[revision];
            }
            Action::Acknowledge(index, revision) => {
                next.gateways[index].acknowledged = revision;
                next.gateways[index].is_live = true;
            }
            Action::FallSilent(index) => {
                next.left.silences -= 1;
                next.gateways[index].is_live = false;
            }
            Action::Answer => {
                next.left.requests -= 1;
                next.requests += 1;
            }
            Action::TurnBad => next.is_bad = true,
            Action::Tick => {
                next.left.ticks -= 1;
                next.ticks += 1;
            }
            Action::Pause => next.order(&self.policy, &Observation::Paused { by: operator() }),
            Action::Resume => next.order(&self.policy, &Observation::Resumed { by: operator() }),
            Action::RollBack => {
                let order = Observation::RolledBack { by: operator(), reason: "enough".to_owned() };
                next.order(&self.policy, &order);
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(TWO_ENDS, |_, world: &World| world.history.promotions + world.history.withdrawals <= 1),
            Property::always("what the record says is what the last plan serves", |_, world: &World| {
                let newest = world.plans[world.plans.len() - 1];
                let is_done = world.stage() == Stage::Done;
                let may_have_canary = world.stage() == Stage::RollingOut;
                (newest.stable == Version::Candidate) == is_done && (newest.canary.is_none() || may_have_canary)
            }),
            Property::always("a gateway serves only what a committed plan names", |_, world: &World| {
                world.gateways.iter().all(|gateway| world.plans.get(gateway.revision) == Some(&gateway.serves))
            }),
            Property::always(TWO_ACT, |_, world: &World| !world.history.is_overtaken),
            Property::always("nothing is promoted that answered nobody", |_, world: &World| {
                world.stage() != Stage::Done || world.requests > 0 && world.plans.iter().any(|it| it.canary.is_some())
            }),
            Property::sometimes(PROMOTED, |_, world: &World| world.stage() == Stage::Done),
            Property::sometimes(NOT_HELD, |_, world: &World| {
                let reason = world.release.phase.reason().unwrap_or_default();
                world.release.paused && reason.contains("by itself")
            }),
            Property::sometimes(TAKEN_OVER, |_, world: &World| {
                world.stage() == Stage::Done && world.history.decided == [true, true]
            }),
            Property::sometimes(ROLLED_BACK, |_, world: &World| {
                let newest = world.plans.len() - 1;
                world.stage() == Stage::RolledBack
                    && world.plans.iter().any(|plan| plan.canary.is_some())
                    && world.gateways.iter().all(|gateway| gateway.acknowledged == newest)
            }),
        ]
    }
}

fn operator() -> Principal {
    Principal::known("olga", Role::Operator)
}

/// Gateways are interchangeable, and so are controllers: of worlds that differ in their order one is enough.
fn representative(world: &World) -> World {
    let mut same = world.clone();
    let key = |index: usize| (world.controllers[index].epoch, world.history.decided[index]);
    if key(0) > key(1) {
        same.controllers.reverse();
        same.history.decided.reverse();
    }
    same.gateways.sort_unstable_by_key(|gateway| (gateway.revision, gateway.acknowledged, gateway.is_live));
    same
}

/// Leases, time and traffic, and no trouble yet.
const CALM: Left = Left { leases: 2, crashes: 0, silences: 0, orders: 0, ticks: 1, requests: 1 };

/// Looks at every order of events, and asks that these good ends be among them.
fn check(left: Left, good: &[&'static str]) {
    let protocol = Protocol { policy: policy(), left, flaw: Flaw::None };
    let checked = protocol.checker().threads(2).symmetry_fn(representative).spawn_dfs().join();
    for property in checked.model().properties() {
        if property.expectation == Expectation::Always {
            checked.assert_no_discovery(property.name);
        }
    }
    good.iter().for_each(|good| drop(checked.assert_any_discovery(good)));
    assert!(checked.unique_state_count() > FEWEST_STATES, "{} states", checked.unique_state_count());
}

#[test]
fn a_lease_that_changes_hands_twice_and_a_crash_break_nothing() {
    check(Left { leases: 3, crashes: 1, ..CALM }, &[PROMOTED, ROLLED_BACK, TAKEN_OVER]);
}

#[test]
fn a_gateway_that_falls_silent_and_serves_on_breaks_nothing() {
    check(Left { silences: 1, ..CALM }, &[PROMOTED, ROLLED_BACK, TAKEN_OVER]);
}

#[test]
fn a_person_who_decides_meanwhile_breaks_nothing() {
    check(Left { orders: 1, ..CALM }, &[PROMOTED, ROLLED_BACK, TAKEN_OVER, NOT_HELD]);
}

#[test]
fn a_person_who_decides_twice_beside_one_controller_breaks_nothing() {
    check(Left { leases: 1, orders: 2, ..CALM }, &[PROMOTED, ROLLED_BACK, NOT_HELD]);
}

#[test]
fn the_model_finds_two_controllers_that_decide_where_there_is_no_fence() {
    assert_eq!(broken(Flaw::NoFence), [TWO_ACT]);
}

#[test]
fn the_model_finds_a_release_with_two_ends_where_the_state_is_not_read_again() {
    let found = broken(Flaw::NoReread);
    assert!(found.contains(&TWO_ENDS), "{found:?}");
}

/// What is broken by a flaw, when a person may give one order.
fn broken(flaw: Flaw) -> Vec<&'static str> {
    let protocol = Protocol { policy: policy(), left: Left { orders: 1, ..CALM }, flaw };
    let looked_for = [TWO_ACT, TWO_ENDS].into();
    let checked = protocol.checker().threads(2).finish_when(HasDiscoveries::AnyOf(looked_for)).spawn_bfs().join();
    let properties = checked.model().properties();
    let is_broken = |name: &&str| properties.iter().any(|it| it.name == *name && it.expectation == Expectation::Always);
    checked.discoveries().into_keys().filter(is_broken).collect()
}
