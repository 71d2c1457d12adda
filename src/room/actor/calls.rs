//! Calls from outside a session: what back ends ask of a room.

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::commit::unavailable;
use super::documents::Shown;
use super::{Actor, Command, Flow};
use crate::domain::ids::UserId;
use crate::error::Error;
use crate::room::close::CloseReason;
use crate::room::effects::Effects;
use crate::room::message::ActorId;
use crate::room::state::{Needs, State};
use crate::store::{SchemaId, Version, VersionKind};

/// What a call still has to say, once its changes are stored, or could not be.
pub(in crate::room) type Answer = Box<dyn FnOnce(Result<(), Error>) + Send>;

type Loaded<'a> = Result<(&'a mut State, &'a mut Effects), Error>;
type Run = Box<dyn FnOnce(Loaded<'_>) -> Option<Answer> + Send>;

/// One step of the state machine.
pub(in crate::room) struct Call {
    needs: Needs,
    run: Run,
}

pub(in crate::room) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// Work that waits for the database in the middle; the room does nothing else meanwhile.
pub(in crate::room) enum Exclusive {
    Show(Shown, Reply<()>),
    ReplaceStorage(Option<Value>, Reply<Bytes>),
    CreateVersion(VersionKind, Option<UserId>, Reply<Version>),
    AttachSchema(SchemaId, Reply<()>),
    DetachSchema(Reply<()>),
    /// An actor's number, for somebody who is not connected.
    TakeActor(Reply<ActorId>),
}

impl Call {
    /// `step` runs with what it needs in memory. Its answer leaves after the commit.
    pub fn new<T: Send + 'static>(
        needs: Needs,
        step: impl FnOnce(&mut State, &mut Effects) -> Result<T, Error> + Send + 'static,
    ) -> (Self, oneshot::Receiver<Result<T, Error>>) {
        let (reply, answer) = oneshot::channel();
        let run = move |loaded: Loaded<'_>| -> Option<Answer> {
            match loaded.and_then(|(state, effects)| step(state, effects)) {
                Ok(value) => Some(Box::new(move |stored| {
                    drop(reply.send(stored.map(|()| value)));
                })),
                Err(error) => {
                    drop(reply.send(Err(error)));
                    None
                }
            }
        };
        (Self { needs, run: Box::new(run) }, answer)
    }
}

impl Actor {
    pub(super) async fn call(&mut self, call: Call) -> Flow {
        let Call { needs, run } = call;
        if let Err(error) = self.load(needs).await {
            let flow = Flow::after(&error);
            run(Err(error));
            return flow;
        }
        let mut effects = Effects::default();
        let answer = run(Ok((&mut self.state, &mut effects)));
        self.carry_out(effects);
        if let Some(answer) = answer {
            self.commit.answer(answer);
        }
        Flow::On
    }

    pub(super) async fn exclusive(&mut self, work: Exclusive) -> Flow {
        match work {
            Exclusive::Show(shown, reply) => answer(reply, self.show(shown).await),
            Exclusive::ReplaceStorage(lson, reply) => {
                let replaced = self.replace_storage(lson).await;
                let is_replaced = replaced.is_ok();
                let flow = answer(reply, replaced);
                if is_replaced { Flow::End(CloseReason::StorageReset) } else { flow }
            }
            Exclusive::CreateVersion(kind, author, reply) => {
                answer(reply, self.create_version(kind, author).await)
            }
            Exclusive::AttachSchema(id, reply) => answer(reply, self.attach_schema(id).await),
            Exclusive::DetachSchema(reply) => answer(reply, self.detach_schema().await),
            Exclusive::TakeActor(reply) => answer(reply, self.next_actor().await),
        }
    }
}

fn answer<T>(reply: Reply<T>, done: Result<T, Error>) -> Flow {
    let flow = done.as_ref().err().map_or(Flow::On, Flow::after);
    let done = done.map_err(|error| match flow {
        Flow::On => error,
        Flow::End(_) => unavailable().because(error),
    });
    // Whoever asked may have gone away.
    drop(reply.send(done));
    flow
}

/// Whoever asked finds its answer missing, and says that the room is not available.
pub(super) fn refuse(command: Command, reason: &CloseReason) {
    if let Command::Join { reply, .. } = command {
        drop(reply.send(Err(reason.clone())));
    }
}

/// Tells everybody who waits that this room will not come to be.
pub(super) fn refuse_all(inbox: &mut mpsc::Receiver<Command>, reason: &CloseReason) {
    inbox.close();
    while let Ok(command) = inbox.try_recv() {
        refuse(command, reason);
    }
}
