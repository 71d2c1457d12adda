//! Whatever anybody does in whatever order, nobody learns of a thread that they may not read: not
//! from an answer, a refusal, a list, a notification, nor in the room. And nobody is kept from what
//! they may read.

use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use roomd::domain::permissions::Level;

use crate::harness::Server;
use crate::on_both_servers;
use crate::visibility_model::{ANN, ROOMS, Rights, USERS};
use crate::visibility_step::{Act, Step, any_step};
use crate::visibility_world::World;

const PLANS: usize = 24;
/// Each has a project of its own.
const PLANS_AT_ONCE: usize = 3;

async fn take(world: &mut World<'_>, step: &Step) {
    let user = step.caller % USERS.len();
    match step.act {
        Act::CreateThread => return world.create_thread(step).await,
        Act::List => return world.list_threads(step).await,
        Act::Poll => return world.poll(user, step.which % ROOMS.len()).await,
        Act::ReadOwn => return world.read_own(step, user).await,
        Act::TidyInbox => return world.tidy_inbox(step, user).await,
        Act::MentionInText => return world.mention_in_text(step).await,
        Act::ChangeRights => return change_rights(world, step).await,
        _ => {}
    }
    // What is about a thread waits until there is one.
    let Some(thread) = step.which.checked_rem(world.model.threads.len()) else { return };
    match step.act {
        Act::CreateComment => world.create_comment(step, thread).await,
        Act::EditComment => world.edit_comment(step, thread).await,
        Act::DeleteComment => world.delete_comment(step, thread).await,
        Act::React => world.react(step, thread).await,
        Act::TakeReactionBack => world.take_reaction_back(step, thread).await,
        Act::DescribeThread => world.describe(step, thread, false).await,
        Act::DescribeComment => world.describe(step, thread, true).await,
        Act::Resolve => world.resolve(step, thread).await,
        Act::Follow => world.follow(step, thread).await,
        Act::DeleteThread => world.delete_thread(step, thread).await,
        Act::Squat => world.squat(step, thread).await,
        Act::Steal => world.steal(step, thread).await,
        Act::Read => world.read(step, thread).await,
        Act::ReadFile => world.read_file(step, thread).await,
        _ => world.search(step, thread).await,
    }
}

/// Of ann nothing changes, since her token says it.
async fn change_rights(world: &mut World<'_>, step: &Step) {
    const LEVELS: [Level; 3] = [Level::None, Level::Read, Level::Write];
    let rights = match step.other % 16 {
        15 => Rights::OUTSIDE,
        _ => Rights::new(LEVELS[step.other % 3], LEVELS[step.other / 3 % 3]),
    };
    world.change_rights(step.caller % ANN, step.which % ROOMS.len(), rights).await;
}

async fn carry_out(server: &Server, (number, plan): (usize, Vec<Step>)) {
    let mut world = World::new(server, &format!("p{number}")).await;
    for step in &plan {
        take(&mut world, step).await;
    }
    world.survey().await;
    world.listen().await;
}

async fn no_sequence_of_calls_tells_of_a_thread_to_who_may_not_read_it(server: Server) {
    let mut runner = TestRunner::default();
    let plans = prop::collection::vec(any_step(), 30..61);
    for first in (0..PLANS).step_by(PLANS_AT_ONCE) {
        let numbers = first..first + PLANS_AT_ONCE;
        let plans = numbers.map(|number| (number, plans.new_tree(&mut runner).unwrap().current()));
        join_all(plans.map(|plan| carry_out(&server, plan))).await;
    }
    server.stop().await;
}

on_both_servers!(no_sequence_of_calls_tells_of_a_thread_to_who_may_not_read_it);
