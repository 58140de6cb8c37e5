//! Who may decide what about a release. The HTTP routes check roles too; this is the check that counts, because every
//! way in ends here.

use types::{Principal, Role};

use super::{Policy, Refusal};

/// Signing (approving, waiving) takes an approver with a name, who is not the author where four eyes are asked for.
pub(super) fn sign(policy: &Policy, by: &Principal, action: &'static str) -> Result<(), Refusal> {
    has_role(by, Role::Approver, action)?;
    let is_author = policy.author.as_ref().is_some_and(|author| !author.anonymous && author.name == by.name);
    if policy.not_author && is_author {
        return Err(Refusal::Author { principal: by.name.clone(), action });
    }
    Ok(())
}

/// Holding and ending takes an operator.
pub(super) fn operate(by: &Principal, action: &'static str) -> Result<(), Refusal> {
    has_role(by, Role::Operator, action)
}

fn has_role(by: &Principal, role: Role, action: &'static str) -> Result<(), Refusal> {
    if by.anonymous {
        return Err(Refusal::Anonymous { action, role });
    }
    if !by.role.allows(role) {
        return Err(Refusal::Role { principal: by.name.clone(), has: by.role, action, role });
    }
    Ok(())
}
