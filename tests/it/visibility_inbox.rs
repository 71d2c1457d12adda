//! Steps of a user about their own: the threads that they follow, and their inbox.

use serde_json::{Value, json};

use crate::visibility_model::{BACK_END, ROOMS, USERS, marker_of};
use crate::visibility_reads::LONG_AGO;
use crate::visibility_step::Step;
use crate::visibility_world::{Call, World};

const INBOX: &str = "/v2/c/inbox-notifications";

impl World<'_> {
    /// The lists of a user over all rooms.
    pub async fn read_own(&mut self, step: &Step, user: usize) {
        let path = match step.other % 5 {
            0 => "/v2/c/threads".to_owned(),
            1 => format!("/v2/c/threads/delta?since={LONG_AGO}"),
            2 => format!("{INBOX}/delta?since={LONG_AGO}"),
            3 => {
                let whose = USERS[step.which % USERS.len()];
                let path = format!("/v2/users/{whose}/inbox-notifications");
                let answer = self.ask(user, &Call::get(path)).await;
                assert_eq!(answer.is_fine(), whose == USERS[user], "{}", answer.text);
                return;
            }
            _ => return self.read_inbox(user).await,
        };
        let answer = self.ask(user, &Call::get(path)).await;
        assert!(answer.is_fine(), "{}", answer.text);
    }

    /// What a user's inbox holds, whether the user may see it or not.
    async fn whole_inbox(&mut self, user: usize) -> Vec<Value> {
        let path = format!("/v2/users/{}/inbox-notifications", USERS[user]);
        let whole = self.back_end(&Call::get(path)).await.json();
        whole["data"].as_array().unwrap().clone()
    }

    fn may_see(&self, user: usize, notification: &Value) -> bool {
        let room = ROOMS.iter().position(|room| notification["roomId"] == *room).unwrap();
        match notification["threadId"].as_str() {
            Some(thread) => self.model.may_know(user, marker_of(thread)),
            None => self.model.rights(user, room).is_member,
        }
    }

    pub async fn read_inbox(&mut self, user: usize) {
        let mut whole = self.whole_inbox(user).await;
        whole.retain(|one| self.may_see(user, one));
        let threads = whole.iter().filter_map(|one| one["threadId"].as_str());
        let expected = threads.map(|id| marker_of(id).to_owned()).collect();
        let path = format!("/v2/users/{}/inbox-notifications", USERS[user]);
        for path in [INBOX, &path] {
            let shown = self.list(user, &Call::get(path.to_owned()), &expected).await;
            let list = if path == INBOX { "inboxNotifications" } else { "data" };
            assert_eq!(shown[list].as_array().unwrap().len(), whole.len(), "{shown}");
        }
        let unread = Call::get(format!("{path}?query=unread:true"));
        let unread = self.ask(user, &unread).await.json()["data"].as_array().unwrap().len();
        let count = self.ask(user, &Call::get(format!("{INBOX}/count"))).await.json();
        assert_eq!(count["count"], json!(unread), "{}", USERS[user]);
    }

    /// Reads, marks or deletes notifications, somebody else's as well.
    pub async fn tidy_inbox(&mut self, step: &Step, user: usize) {
        let whose = if step.flag { user } else { step.which % USERS.len() };
        let whole = self.whole_inbox(whose).await;
        let Some(one) = whole.get(step.other / 8 % whole.len().max(1)) else { return };
        let id = one["id"].as_str().unwrap();
        let is_seen = whose == user && self.may_see(user, one);
        let own = format!("/v2/users/{}/inbox-notifications/{id}", USERS[user]);
        let (call, is_fine) = match step.other % 8 {
            0 => (Call::delete(format!("{INBOX}/{id}")), whose == user),
            1 => (Call::delete(INBOX.to_owned()), true),
            2 => {
                (Call::post(format!("{INBOX}/read"), &json!({"inboxNotificationIds": "all"})), true)
            }
            3 => {
                (Call::post(format!("{INBOX}/read"), &json!({"inboxNotificationIds": [id]})), true)
            }
            4 | 5 => (Call::get(own), is_seen),
            _ => (Call::post(format!("/v2/inbox-notifications/{id}/read"), &json!({})), is_seen),
        };
        let answer = self.ask(user, &call).await;
        if answer.is_fine() != is_fine {
            self.fail(&format!("{one} is {} to {}: {}", is_seen, USERS[user], answer.text));
        }
        if whose != user {
            assert_eq!(self.whole_inbox(whose).await, whole, "of {}", USERS[whose]);
        }
    }

    /// Says that somebody is mentioned in a document, or takes it back.
    pub async fn mention_in_text(&mut self, step: &Step) {
        let (caller, room) = (step.caller, step.which % ROOMS.len());
        let path = format!("/v2/c/rooms/{}/text-mentions", ROOMS[room]);
        let mention = format!("mention-{}", step.other % 3);
        let call = if step.flag {
            let mut body = json!({"mentionId": mention, "createdBy": "open"});
            let (sort, id) = match step.other % 4 {
                0 => ("groupId", "crew"),
                user => ("userId", USERS[user]),
            };
            body[sort] = json!(id);
            Call::post(path, &body)
        } else {
            Call::delete(format!("{path}/{mention}"))
        };
        let may = caller == BACK_END || self.model.rights(caller, room).is_member;
        let answer = self.ask(caller, &call).await;
        assert_eq!(answer.is_fine(), may, "{}", answer.text);
    }
}
