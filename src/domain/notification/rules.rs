//! Who is told of what happens in a thread, and who follows it from then on.

use std::collections::{BTreeMap, BTreeSet};

use super::ThreadNotices;
use crate::domain::ids::UserId;

/// What happened in a thread, and what is known of those whom it may concern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ThreadFacts {
    /// Who did it; absent if a back end did not say.
    pub actor: Option<UserId>,
    /// They wrote a comment.
    pub is_written: bool,
    /// It is news for everybody who follows the thread, and not only for those who are mentioned.
    pub is_news: bool,
    /// Whom it mentions, the members of groups among them.
    pub mentioned: BTreeSet<UserId>,
    /// Who follows the thread; false for those who do not want to follow it any more.
    pub follows: BTreeMap<UserId, bool>,
    /// What users want to be told of in the room, of those who said so.
    pub notices: BTreeMap<UserId, ThreadNotices>,
}

/// What follows from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ThreadOutcome {
    /// Whose inboxes tell of it.
    pub told: BTreeSet<UserId>,
    /// Who follows the thread and did not before.
    pub following: BTreeSet<UserId>,
}

impl ThreadFacts {
    /// Everybody whom it may concern.
    pub fn candidates(&self) -> BTreeSet<UserId> {
        let mut found = self.mentioned.clone();
        if self.is_news {
            let following = self.follows.iter().filter(|(_, follows)| **follows);
            found.extend(following.map(|(user, _)| user.clone()));
            let all = self.notices.iter().filter(|(_, wanted)| **wanted == ThreadNotices::All);
            found.extend(all.map(|(user, _)| user.clone()));
        }
        if let Some(actor) = &self.actor {
            found.remove(actor);
        }
        found.retain(|user| self.wants(user));
        found
    }

    /// Nobody is told of what they did themselves, of what they do not want to hear of, or of what
    /// they may not read. Whoever is mentioned or writes follows the thread, even if they did not
    /// want to any more.
    pub fn decide(&self, may_read: impl Fn(&UserId) -> bool) -> ThreadOutcome {
        let mut told = self.candidates();
        told.retain(may_read);
        let mut following: BTreeSet<UserId> = told.intersection(&self.mentioned).cloned().collect();
        let writer = self.actor.iter().filter(|_| self.is_written);
        following.extend(writer.filter(|user| self.notice(user) != ThreadNotices::None).cloned());
        following.retain(|user| self.follows.get(user) != Some(&true));
        ThreadOutcome { told, following }
    }

    fn notice(&self, user: &UserId) -> ThreadNotices {
        self.notices.get(user).copied().unwrap_or_default()
    }

    fn wants(&self, user: &UserId) -> bool {
        let left = self.follows.get(user) == Some(&false) && !self.mentioned.contains(user);
        !left && self.notice(user) != ThreadNotices::None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const USERS: [&str; 4] = ["ann", "bob", "cat", "dan"];

    /// One user as the model sees them.
    #[derive(Debug, Clone)]
    struct Person {
        name: &'static str,
        is_mentioned: bool,
        /// Nothing, "following" or "left".
        thread: u8,
        /// Never said, "all", "replies and mentions" or "none".
        room: u8,
        may_read: bool,
    }

    fn any_person(name: &'static str) -> impl Strategy<Value = Person> {
        (any::<bool>(), 0..3_u8, 0..4_u8, any::<bool>()).prop_map(
            move |(is_mentioned, thread, room, may_read)| Person {
                name,
                is_mentioned,
                thread,
                room,
                may_read,
            },
        )
    }

    fn any_people() -> impl Strategy<Value = [Person; 4]> {
        USERS.map(any_person)
    }

    fn facts(people: &[Person], actor: Option<usize>, written: bool, news: bool) -> ThreadFacts {
        let id = |person: &Person| UserId::trusted(person.name);
        let notice = |person: &Person| match person.room {
            1 => Some(ThreadNotices::All),
            2 => Some(ThreadNotices::RepliesAndMentions),
            3 => Some(ThreadNotices::None),
            _ => None,
        };
        ThreadFacts {
            actor: actor.map(|index| id(&people[index])),
            is_written: written,
            is_news: news,
            mentioned: people.iter().filter(|one| one.is_mentioned).map(id).collect(),
            follows: people
                .iter()
                .filter(|one| one.thread > 0)
                .map(|one| (id(one), one.thread == 1))
                .collect(),
            notices: people.iter().filter_map(|one| Some((id(one), notice(one)?))).collect(),
        }
    }

    /// The rules as a person would check them, one user after another.
    fn model(person: &Person, is_actor: bool, written: bool, news: bool) -> (bool, bool) {
        let (said_all, said_none) = (person.room == 1, person.room == 3);
        let (following, left) = (person.thread == 1, person.thread == 2);
        let reason = match (person.is_mentioned, news) {
            (true, _) => true,
            (false, false) => false,
            (false, true) => following || (said_all && !left),
        };
        let told = reason && !said_none && person.may_read && !is_actor;
        let joins = if is_actor { written && !said_none } else { told && person.is_mentioned };
        (told, joins && !following)
    }

    proptest! {
        #[test]
        fn the_rules_are_those_of_the_model(
            people in any_people(), actor in proptest::option::of(0..4_usize),
            written in any::<bool>(), news in any::<bool>(),
        ) {
            let facts = facts(&people, actor, written, news);
            let may_read = |user: &UserId| {
                people.iter().any(|one| one.name == user.as_str() && one.may_read)
            };
            let outcome = facts.decide(may_read);
            for (index, person) in people.iter().enumerate() {
                let (told, joins) = model(person, actor == Some(index), written, news);
                let id = UserId::trusted(person.name);
                prop_assert_eq!(outcome.told.contains(&id), told, "told: {:?}", person);
                prop_assert_eq!(outcome.following.contains(&id), joins, "joins: {:?}", person);
            }
        }

        #[test]
        fn nobody_is_told_who_is_no_candidate(
            people in any_people(), actor in proptest::option::of(0..4_usize),
        ) {
            let facts = facts(&people, actor, true, true);
            let outcome = facts.decide(|_| true);
            prop_assert_eq!(outcome.told, facts.candidates());
        }
    }
}
