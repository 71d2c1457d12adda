//! Calls that are about a person: with a token, whoever holds it; a back end says who.

use crate::domain::ctx::{Actor, Ctx, wrong_key};
use crate::domain::ids::{OrganizationId, ProjectId, UserId};
use crate::error::{Code, Error};

pub struct Person {
    pub project: ProjectId,
    pub id: UserId,
    /// The only organization that the caller may see of the person; all if it is absent.
    pub organization: Option<OrganizationId>,
}

/// The person whom a call is about. `asked` is the `userId` of the request, which may be empty with
/// a token.
pub fn person(ctx: &Ctx, asked: &str) -> Result<Person, Error> {
    let caller = ctx.caller()?;
    let project = caller.project.clone();
    match &caller.actor {
        Actor::Secret if asked.is_empty() => Err(Error::missing("userId")),
        Actor::Secret => {
            let id = UserId::parse("userId", asked)?;
            Ok(Person { project, id, organization: None })
        }
        Actor::Public | Actor::Live(_) => Err(wrong_key()),
        Actor::User(user) if asked.is_empty() || asked == user.id.as_str() => {
            let organization = Some(user.organization_id.clone());
            Ok(Person { project, id: user.id.clone(), organization })
        }
        Actor::User(_) => Err(Error::new(
            Code::PermissionDenied,
            "FORBIDDEN",
            "A user's token is good for that user alone.",
        )),
    }
}

impl Person {
    /// Which organization a call is about, of those that the caller may see. `None` if there is
    /// none: a token is good for one, and another's things do not exist for it.
    pub fn organization(&self, asked: Option<OrganizationId>) -> Option<Option<OrganizationId>> {
        match (&self.organization, asked) {
            (Some(own), Some(asked)) if *own != asked => None,
            (Some(own), _) => Some(Some(own.clone())),
            (None, asked) => Some(asked),
        }
    }
}
