//! Who may do what with groups: rows of `authorization.rs`, and whose groups a user finds.

use serde_json::{Value, json};

use crate::authorization::{Row, Rule, row};
use crate::harness::Server;
use crate::on_both_servers;
use crate::protocols::{Protocol, call};

pub fn group_rows() -> Vec<Row> {
    let group = || json!({"groupId": "g"});
    let members = || json!({"groupId": "g", "memberIds": ["ann"]});
    vec![
        row("roomd.v1.GroupService/CreateGroup", Rule::Project, json!({"id": "g"})),
        row("roomd.v1.GroupService/ListGroups", Rule::Project, json!({})),
        row("roomd.v1.GroupService/GetGroup", Rule::Project, group()),
        row("roomd.v1.GroupService/AddGroupMembers", Rule::Project, members()),
        row("roomd.v1.GroupService/RemoveGroupMembers", Rule::Project, members()),
        row("roomd.v1.GroupService/ListUserGroups", Rule::Project, json!({"userId": "ann"})),
        row("roomd.v1.GroupService/FindGroups", Rule::Users, json!({"groupIds": ["g"]})),
        row("roomd.v1.GroupService/DeleteGroup", Rule::Project, group()),
    ]
}

async fn a_user_finds_the_groups_of_their_organization(server: Server) {
    let (ours, theirs) = (server.project("ours").await, server.project("theirs").await);
    for (id, organization) in [("a", "default"), ("b", "elsewhere"), ("c", "default")] {
        let group = json!({"id": id, "organizationId": organization, "memberIds": ["ann"]});
        let rpc = "roomd.v1.GroupService/CreateGroup";
        let secret = Some(ours.secret.expose());
        call(&server, Protocol::ConnectJson, rpc, &group, secret).await.unwrap();
    }
    let member = server.id_token(&ours.id, "ann", &[]);
    let elsewhere = server.organization_token(&ours.id, "elsewhere");
    let stranger = server.access_token(&theirs.id, &[("*", &["*:write"])], 0);
    for (bearer, expected) in [
        (member.as_str(), vec!["a", "c"]),
        (elsewhere.as_str(), vec!["b"]),
        (stranger.as_str(), vec![]),
        (ours.secret.expose(), vec!["a", "b", "c"]),
        (theirs.secret.expose(), vec![]),
    ] {
        let rpc = "roomd.v1.GroupService/FindGroups";
        let asked = json!({"groupIds": ["c", "b", "nobody", "a"]});
        let reply = call(&server, Protocol::Rest, rpc, &asked, Some(bearer)).await.unwrap();
        let found = reply["groups"].as_array().cloned().unwrap_or_default();
        let found: Vec<&Value> = found.iter().map(|group| &group["id"]).collect();
        assert_eq!(found, expected, "{bearer}");
    }
    server.stop().await;
}

on_both_servers!(a_user_finds_the_groups_of_their_organization);
