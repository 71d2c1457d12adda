//! Several clients, whose connections deliver in any order, and break: all must end with the room's
//! document, and what is stored must make it again.
//!
//! `PROPTEST_CASES=20000 cargo test --release --lib convergence` tries longer.

use proptest::prelude::*;

use super::client::Client;
use super::edits::{Edit, TEXT_ID, any_edit, any_insert, any_steady_edit};
use super::world::World;
use super::*;
use crate::room::storage::tests::model::{Data, Model};

const WRITERS: usize = 3;
/// The writers, and somebody who only reads.
const CLIENTS: usize = WRITERS + 1;

#[derive(Debug, Clone, Copy)]
enum Step {
    Edit(usize, Edit),
    Flush(usize),
    /// The room takes a frame of this client.
    Take(usize),
    /// The client hears a frame.
    Hear(usize),
    /// The connection breaks when so many frames were taken, and so many heard.
    Cut(usize, usize, usize),
    Connect(usize),
    /// The server ends and starts again.
    Restart {
        compacts: bool,
    },
}

fn any_step(edit: impl Strategy<Value = Edit>) -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => (0..WRITERS, edit).prop_map(|(client, edit)| Step::Edit(client, edit)),
        12 => (0..WRITERS).prop_map(Step::Flush),
        16 => (0..CLIENTS).prop_map(Step::Take),
        24 => (0..CLIENTS).prop_map(Step::Hear),
        3 => (0..CLIENTS, 0..4_usize, 0..4_usize)
            .prop_map(|(client, taken, heard)| Step::Cut(client, taken, heard)),
        4 => (0..CLIENTS).prop_map(Step::Connect),
        1 => any::<bool>().prop_map(|compacts| Step::Restart { compacts }),
    ]
}

/// Fewer of them here than `PROPTEST_CASES` asks for, if it does.
pub fn cases(here: u32) -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(here),
    }
}

struct Room {
    world: World,
    clients: Vec<Client>,
    /// What each client deleted last.
    deleted: Vec<Option<Value>>,
}

impl Room {
    fn new() -> Self {
        let mut world = World::new();
        let mut clients: Vec<_> =
            (0..WRITERS).map(|_| Client::new(&mut world, &["*:write"])).collect();
        clients.push(Client::new(&mut world, &["*:read"]));
        let mut room = Self { world, clients, deleted: vec![None; CLIENTS] };
        room.settle();
        for (code, id, key) in [(9, TEXT_ID, "text"), (2, "list", "list"), (7, "map", "map")] {
            let mut op = json!({"type": code, "id": id, "parentId": "root", "parentKey": key});
            if code == 9 {
                (op["data"], op["version"]) = (json!([]), 0.into());
            }
            room.clients[0].dispatch(op);
        }
        room.settle();
        room
    }

    fn step(&mut self, step: Step) {
        let world = &mut self.world;
        match step {
            Step::Edit(client, edit) => {
                edit.perform(&mut self.clients[client], &mut self.deleted[client]);
            }
            Step::Flush(client) => self.clients[client].flush(world),
            Step::Take(client) => {
                if let Some(actor) = self.clients[client].actor {
                    world.take(actor);
                }
            }
            Step::Hear(client) => {
                self.clients[client].hear(world);
            }
            Step::Cut(client, taken, heard) => {
                self.clients[client].disconnect(world, taken, heard);
            }
            Step::Connect(client) => self.clients[client].connect(world),
            Step::Restart { compacts } => {
                world.restart(compacts);
                self.clients.iter_mut().for_each(Client::lost);
            }
        }
    }

    /// Everybody comes back, and everything arrives.
    fn settle(&mut self) {
        let world = &mut self.world;
        let mut is_moving = true;
        while is_moving {
            is_moving = false;
            for client in &mut self.clients {
                client.connect(world);
                client.flush(world);
                if let Some(actor) = client.actor {
                    is_moving |= world.take(actor);
                }
                is_moving |= client.hear(world);
            }
        }
    }

    /// Nobody waits for anything, all see the room's document, and it is stored.
    fn check(&self) {
        let document = Model::of(self.world.document());
        for (number, client) in self.clients.iter().enumerate() {
            assert!(client.unacked.is_empty(), "{number} waits for {:?}", client.unacked);
            assert_eq!(client.heard(), &document, "what {number} sees");
            assert_eq!(client.view(), document, "what {number} sees with its own changes");
        }
        self.world.reloaded();
    }

    fn text_units(&self) -> usize {
        let document = Model::of(self.world.document());
        match &document.0[TEXT_ID].data {
            Data::Text { characters, .. } => characters.units(),
            other => panic!("{other:?}"),
        }
    }
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn everybody_ends_with_the_document_of_the_room(
        steps in proptest::collection::vec(any_step(any_edit()), 1..120),
    ) {
        let mut room = Room::new();
        for step in steps {
            room.step(step);
        }
        room.settle();
        room.check();
        prop_assert!(room.clients.iter().all(|client| client.may_write() || client.sent.is_empty()));
    }

    /// Whatever breaks in between, and however often it is sent.
    #[test]
    fn what_is_typed_is_in_the_text_once(
        steps in proptest::collection::vec(any_step(any_insert()), 1..120),
    ) {
        let mut room = Room::new();
        for step in steps {
            room.step(step);
        }
        room.settle();
        room.check();
        let typed: usize = room.clients.iter().map(|client| client.typed_units).sum();
        prop_assert_eq!(room.text_units(), typed);
    }

    /// A client that lost its connection before it heard anything sends what it did once more. The
    /// room holds the same as before, and everybody sees that.
    #[test]
    fn sending_again_what_came_last_changes_nothing(
        before in proptest::collection::vec(any_step(any_edit()), 0..60),
        last in proptest::collection::vec(any_steady_edit(), 1..30),
        from in any::<proptest::sample::Index>(),
    ) {
        let mut room = Room::new();
        for step in before {
            room.step(step);
        }
        room.settle();
        let first = room.clients[0].sent.len();
        for edit in last {
            edit.perform(&mut room.clients[0], &mut None);
        }
        room.settle();
        room.check();
        let document = Model::of(room.world.document());
        let sent = room.clients[0].sent.split_off(first);
        let suffix = &sent[from.index(sent.len() + 1)..];
        room.clients[0].disconnect(&mut room.world, 0, 0);
        room.settle();
        room.clients[0].resend(&mut room.world, suffix);
        room.settle();
        room.check();
        let again = Model::of(room.world.document());
        prop_assert_eq!(places(&again), places(&document));
    }
}

/// What is where, by the order of items and not by their positions.
fn places(document: &Model) -> Vec<(String, String, Data)> {
    let place = |(id, node): (&String, &crate::room::storage::tests::model::Node)| {
        let siblings = document.children(&node.parent);
        let order = siblings.iter().position(|(_, sibling)| sibling == id);
        (id.clone(), format!("{} {order:?}", node.parent), node.data.clone())
    };
    document.0.iter().map(place).collect()
}
