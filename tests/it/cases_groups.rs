//! The cases of groups.

use serde_json::{Value, json};

use crate::cases::{Case, Expected, case, refusal};

const GROUPS: &str = "roomd.v1.GroupService";
const CREATE: (&str, &str) = (GROUPS, "CreateGroup");

pub fn group_cases() -> Vec<Case> {
    let mut cases = create_and_read();
    cases.extend(members());
    cases
}

fn rpc(method: &'static str) -> (&'static str, &'static str) {
    (GROUPS, method)
}

fn no_group() -> Expected {
    refusal("not_found", 404, "GROUP_NOT_FOUND")
}

fn invalid() -> Expected {
    refusal("invalid_argument", 422, "UNPROCESSABLE_ENTITY")
}

fn eng() -> Value {
    json!({"id": "eng", "memberIds": ["ann", "bob", "ann"], "organizationId": "acme"})
}

fn is_eng() -> Value {
    json!({"type": "group", "id": "eng", "organizationId": "acme", "tenantId": "acme",
        "scopes": {"mention": true}, "members": [{"id": "ann"}, {"id": "bob"}]})
}

fn create_and_read() -> Vec<Case> {
    use Expected::Reply;
    let named = || json!({"groupId": "eng"});
    let sales = || json!({"groupId": "s/é", "tenantId": "acme", "scopes": {"mention": false}});
    let is_sales = json!({"id": "s/é", "organizationId": "acme", "scopes": {"mention": false}});
    let too_many: Vec<String> = (0..=1_000).map(|n| n.to_string()).collect();
    vec![
        case("make a group", &[], CREATE, eng(), Reply(json!({"group": is_eng()}))),
        case("make a group by older names", &[], CREATE, sales(), {
            Reply(json!({"group": is_sales}))
        }),
        case("make a group twice", &[], CREATE, eng(), {
            refusal("already_exists", 409, "GROUP_ALREADY_EXISTS")
        })
        .after(CREATE, eng()),
        case("make a group without an id", &[], CREATE, json!({}), invalid()),
        case(
            "make a group with too many members",
            &[],
            CREATE,
            json!({"id": "eng", "memberIds": too_many}),
            invalid(),
        ),
        case(
            "make a group of nobody's name",
            &[],
            CREATE,
            json!({"id": "eng", "memberIds": [""]}),
            invalid(),
        ),
        case("get a group", &[], rpc("GetGroup"), named(), Reply(json!({"group": is_eng()})))
            .after(CREATE, eng()),
        case("get a group with an odd id", &[], rpc("GetGroup"), json!({"groupId": "s/é"}), {
            Reply(json!({"group": {"id": "s/é"}}))
        })
        .after(CREATE, sales()),
        case("get no group", &[], rpc("GetGroup"), named(), no_group()),
        case("delete a group", &[], rpc("DeleteGroup"), named(), Reply(json!({})))
            .after(CREATE, eng()),
        case("delete no group", &[], rpc("DeleteGroup"), named(), no_group()),
        case("list groups", &[], rpc("ListGroups"), json!({"limit": 1}), {
            Reply(json!({"data": [{"id": "s/é"}]}))
        })
        .after(CREATE, eng())
        .after(CREATE, sales()),
        case(
            "list more groups",
            &[],
            rpc("ListGroups"),
            json!({"startingAfter": "{2:/nextCursor}"}),
            Reply(json!({"data": [is_eng()]})),
        )
        .after(CREATE, eng())
        .after(CREATE, sales())
        .after(rpc("ListGroups"), json!({"limit": 1})),
        case("list too many groups", &[], rpc("ListGroups"), json!({"limit": 101}), invalid()),
        case(
            "list groups after nowhere",
            &[],
            rpc("ListGroups"),
            json!({"startingAfter": "x"}),
            invalid(),
        ),
    ]
}

fn members() -> Vec<Case> {
    use Expected::Reply;
    let members = |ids: &[&str]| json!({"groupId": "eng", "memberIds": ids});
    let left = |ids: &[&str]| {
        let members: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        Reply(json!({"group": {"id": "eng", "members": members}}))
    };
    vec![
        case("add members", &[], rpc("AddGroupMembers"), members(&["ann", "eve"]), {
            left(&["ann", "bob", "eve"])
        })
        .after(CREATE, eng()),
        case("add members to no group", &[], rpc("AddGroupMembers"), members(&["eve"]), no_group()),
        case("remove members", &[], rpc("RemoveGroupMembers"), members(&["ann", "eve"]), {
            left(&["bob"])
        })
        .after(CREATE, eng()),
        case("remove members of no group", &[], rpc("RemoveGroupMembers"), members(&["eve"]), {
            no_group()
        }),
        case("the groups of a user", &[], rpc("ListUserGroups"), json!({"userId": "bob"}), {
            Reply(json!({"data": [is_eng()]}))
        })
        .after(CREATE, eng()),
        case("the groups of nobody", &[], rpc("ListUserGroups"), json!({"userId": "nobody"}), {
            Reply(json!({}))
        }),
        case("find groups", &[], rpc("FindGroups"), json!({"groupIds": ["nobody", "eng"]}), {
            Reply(json!({"groups": [is_eng()]}))
        })
        .after(CREATE, eng()),
        case(
            "find too many groups",
            &[],
            rpc("FindGroups"),
            json!({"groupIds": (0..101).map(|n| n.to_string()).collect::<Vec<_>>()}),
            invalid(),
        ),
    ]
}
