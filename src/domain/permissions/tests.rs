//! The rows that were printed by running the real client library, and properties of the rules.

use proptest::prelude::*;

use super::*;
use Level::{None as N, Read as R, Write as W};
use Resource::{Comments, CommentsPrivate, CommentsPublic, Feeds, Personal, Room, Storage};

/// `"a, b"` as a list, without any rule about what it must hold.
fn list(scopes: &str) -> ScopeList {
    let scope = |text| Scope::parse(text).unwrap_or_else(|| panic!("no scope {text}"));
    scopes.split(", ").filter(|text| !text.is_empty()).map(scope).collect()
}

fn matrix(scopes: &str) -> Matrix {
    Matrix::from_scopes(list(scopes).iter())
}

fn canonical(matrix: Matrix) -> String {
    matrix.canonical_scopes().iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")
}

#[test]
fn there_are_twenty_scopes_and_no_others() {
    assert_eq!(Scope::ALL.len(), 20);
    for scope in Scope::ALL {
        assert_eq!(Scope::parse(scope.as_str()), Some(*scope));
    }
    let others =
        ["*:none", "room:none", "room:presence:read", "presence:write", "comments:personal:read"];
    for other in others.iter().chain(&["", "*", "*:READ", " *:read", "comments:personal:write"]) {
        assert_eq!(Scope::parse(other), None, "{other}");
    }
}

#[test]
fn one_list_gives_these_levels() {
    #[rustfmt::skip]
    let rows = [
        // storage, comments, public, private, feeds
        ("*:write", [W, W, W, W, W]),
        ("*:read", [R, R, R, R, R]),
        ("*:read, comments:write", [R, W, W, W, R]),
        ("*:read, comments:public:write, comments:private:none", [R, R, W, N, R]),
        ("*:write, comments:none, comments:private:read", [W, N, N, R, W]),
        ("room:read, room:presence:write", [R, R, R, R, R]),
        ("comments:write", [N, N, N, N, N]),
        ("", [N, N, N, N, N]),
        ("*:write, storage:none, storage:write", [W, W, W, W, W]),
        ("*:read, *:write", [W, W, W, W, W]),
        ("room:write, comments:write", [W, W, W, W, W]),
        ("*:write, storage:none", [N, W, W, W, W]),
    ];
    for (scopes, levels) in rows {
        let matrix = matrix(scopes);
        for (resource, level) in
            [Storage, Comments, CommentsPublic, CommentsPrivate, Feeds].into_iter().zip(levels)
        {
            assert_eq!(matrix.level(resource), level, "{scopes}: {resource:?}");
        }
        let personal = if matrix.level(Room) == N { N } else { W };
        assert_eq!(matrix.level(Personal), personal, "{scopes}");
    }
}

#[test]
fn generic_comments_pass_by_any_visibility() {
    let matrix = matrix("*:read, comments:none, comments:private:read");
    assert!(matrix.allows(R, Comments));
    assert!(!matrix.allows(W, Comments));
    assert!(matrix.allows(R, CommentsPrivate));
    assert!(!matrix.allows(R, CommentsPublic));
    assert!(Matrix::NONE.allows(N, Comments));
    assert!(Resource::ALL.iter().all(|resource| Matrix::FULL.allows(W, *resource)));
    assert!(!Resource::ALL.iter().any(|resource| Matrix::NONE.allows(R, *resource)));
}

#[test]
fn accesses_are_combined_like_this() {
    let rows: &[(&str, &[&str], Option<&str>, &str)] = &[
        ("*:write", &[], Some("*:read"), "*:read"),
        ("*:write", &["*:read"], None, "*:read"),
        ("*:write", &["*:read", "*:write, storage:none"], None, "*:write, storage:none"),
        ("*:read", &[], Some("comments:write"), "*:read, comments:write"),
        ("", &[], Some("comments:write"), ""),
        (
            "*:read, comments:private:none",
            &["*:read, comments:write"],
            None,
            "*:read, comments:write",
        ),
        ("*:read, comments:private:none", &["*:read"], None, "*:read, comments:private:none"),
        ("*:write, storage:none", &[], Some("*:read"), "*:read, storage:none"),
        ("*:write, feeds:none", &[], Some("*:write"), "*:write, feeds:none"),
        ("*:write", &[""], None, "*:write"),
        (
            "*:read, comments:public:write, comments:private:none",
            &["*:read, comments:public:write, comments:private:write"],
            None,
            "*:read, comments:public:write, comments:private:write",
        ),
        // What sets comments counts for both visibilities before groups are compared.
        (
            "*:read",
            &["*:read, comments:write", "*:read, comments:private:none"],
            None,
            "*:read, comments:write",
        ),
    ];
    for (default, groups, user, expected) in rows {
        let groups: Vec<_> = groups.iter().map(|group| list(group)).collect();
        let user = user.map(list);
        let merged = resolve_identity(&list(default), groups.iter(), user.as_ref());
        assert_eq!(merged, matrix(expected), "{default} / {groups:?} / {user:?}");
        assert_eq!(canonical(merged), *expected, "{default} / {groups:?} / {user:?}");
    }
}

#[test]
fn a_list_from_a_caller_is_checked() {
    let parse = |scopes: &str, rule| {
        let scopes: Vec<_> = scopes.split(", ").filter(|text| !text.is_empty()).collect();
        ScopeList::parse("defaultAccesses", scopes, rule)
            .map(|list| list.iter().map(Scope::as_str).collect::<Vec<_>>().join(", "))
            .map_err(|error| error.public().to_owned())
    };
    use BaseRule::{Optional, Required, Several};
    for rule in [Required, Several, Optional] {
        assert_eq!(parse("", rule).unwrap(), "");
        let order = "comments:write, room:presence:write, room:read, storage:none";
        assert_eq!(parse(order, rule).unwrap(), order, "the caller's order is kept");
        let refusal = parse("*:read, *:none", rule).unwrap_err();
        assert!(refusal.contains("'defaultAccesses': unknown scope '*:none'"), "{refusal}");
        assert!(parse("*:read, presence:write", rule).is_err());
    }
    assert!(parse("comments:write", Required).unwrap_err().contains("must include one of *:read"));
    assert!(parse("comments:write", Several).is_err());
    assert_eq!(parse("comments:write", Optional).unwrap(), "comments:write");
    for rule in [Required, Optional] {
        let refusal = parse("*:read, *:read", rule).unwrap_err();
        assert!(refusal.contains("one scope at most for room"), "{refusal}");
        assert!(parse("*:read, room:write", rule).is_err());
        assert!(parse("*:read, comments:none, comments:read", rule).is_err());
        assert!(parse("*:read, comments:none, comments:private:read", rule).is_ok());
    }
    let twice = "room:write, comments:write, room:read, room:presence:write, room:write";
    assert_eq!(
        parse(twice, Several).unwrap(),
        "room:write, comments:write, room:read, room:presence:write"
    );
}

#[test]
fn a_stored_list_gives_nothing_for_what_is_unknown() {
    let stored = ScopeList::trusted(["voice:write", "*:read", "*:read"]);
    assert_eq!(stored, list("*:read"));
    assert_eq!(format!("{stored:?}"), r#"["*:read"]"#);
    assert_eq!(serde_json::to_string(&stored).unwrap(), r#"["*:read"]"#);
}

fn patterns(raw: &[(&str, &str)]) -> AccessPatterns {
    AccessPatterns::trusted(raw.iter().map(|(text, scopes)| (*text, scopes.split(", "))))
}

#[test]
fn patterns_match_exactly_or_by_prefix() {
    let token = patterns(&[("a:1", "*:write"), ("b:*", "*:read")]);
    for (room, base) in [("a:1", W), ("a:12", N), ("a:", N), ("b:", R), ("b:x", R), ("b", N)] {
        assert_eq!(token.matrix_for(room).level(Room), base, "{room}");
    }
    assert_eq!(patterns(&[("*", "*:read")]).matrix_for("anything").level(Room), R);
    assert_eq!(AccessPatterns::default().matrix_for("a"), Matrix::NONE);
}

#[test]
fn of_matching_patterns_the_base_is_the_strongest_and_the_rest_the_most_specific() {
    let rows: &[(&[(&str, &str)], &str)] = &[
        (&[("*", "*:write"), ("a*", "*:read")], "*:write"),
        (
            &[("*", "*:read, storage:write"), ("ab*", "*:read, storage:none")],
            "*:read, storage:none",
        ),
        (
            &[("ab*", "*:read, storage:none"), ("*", "*:read, storage:write")],
            "*:read, storage:none",
        ),
        // Of equally specific ones the strongest: the exact id and the prefix of the same text.
        (&[("abc", "*:read, feeds:none"), ("abc*", "*:read, feeds:write")], "*:read, feeds:write"),
        // Comments of a more specific pattern count for its visibilities.
        (
            &[("*", "*:read, comments:private:none"), ("a*", "*:read, comments:write")],
            "*:read, comments:write",
        ),
        // A pattern that does not mention a resource does not hide a less specific one.
        (&[("*", "*:write, storage:none"), ("abc", "*:read")], "*:write, storage:none"),
    ];
    for (raw, expected) in rows {
        assert_eq!(canonical(patterns(raw).matrix_for("abc")), *expected, "{raw:?}");
    }
}

#[test]
fn patterns_from_a_caller_are_checked() {
    let parse = |raw: &[(&str, &[&str])]| {
        AccessPatterns::parse("permissions", raw.iter().map(|(text, scopes)| (text, *scopes)))
    };
    let long = "x".repeat(PATTERN_CHARS_MAX);
    let (exact, prefix) = (long.clone(), format!("{long}*"));
    let read: &[&str] = &["*:read"];
    let good = parse(&[("*", read), (&exact, read), (&prefix, read)]).unwrap();
    assert_eq!(good.iter().map(|(text, _)| text).collect::<Vec<_>>(), ["*", &exact, &prefix]);
    assert!(parse(&[]).unwrap().is_empty());

    let (too_long, too_long_prefix) = (format!("{long}x"), format!("{long}x*"));
    for bad in ["", "**", "a**", "*a", "a*b", "a*b*", "a\0", &too_long, &too_long_prefix] {
        assert!(parse(&[(bad, read)]).is_err(), "{bad}");
    }
    let message = |raw: &[(&str, &[&str])]| parse(raw).unwrap_err().public().to_owned();
    assert!(message(&[("a", &[])]).contains("'permissions.a': must not be an empty list"));
    assert!(message(&[("a", &["x"])]).contains("'permissions.a': unknown scope 'x'"));
    assert!(message(&[("a", &["feeds:read"])]).contains("must include one of"));
    assert!(message(&[("a", read), ("a", read)]).contains("twice"));
    let names: Vec<_> = (0..=PATTERNS_MAX).map(|n| n.to_string()).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), read)).collect();
    assert!(parse(&many[..PATTERNS_MAX]).is_ok());
    assert!(message(&many).contains("at most 10"));
}

fn any_scope() -> impl Strategy<Value = Scope> {
    proptest::sample::select(Scope::ALL)
}

fn any_list() -> impl Strategy<Value = ScopeList> {
    proptest::collection::vec(any_scope(), 0..8).prop_map(|scopes| scopes.into_iter().collect())
}

/// The base of a list that has one.
fn explicit_base(list: &ScopeList) -> Level {
    Matrix::from_scopes(list.iter()).level(Room)
}

/// The resources whose level a list decides when it comes as the strongest source.
fn mentions(list: &ScopeList, resource: Resource) -> bool {
    let sets = |wanted| list.iter().any(|scope| scope.sets().is_some_and(|(set, _)| set == wanted));
    match resource {
        CommentsPublic | CommentsPrivate => sets(resource) || sets(Comments),
        Room | Storage | Comments | Feeds | Personal => sets(resource),
    }
}

proptest! {
    #[test]
    fn canonical_scopes_give_the_same_matrix(scopes in any_list()) {
        let matrix = Matrix::from_scopes(scopes.iter());
        let canonical = matrix.canonical_scopes();
        prop_assert_eq!(Matrix::from_scopes(canonical.iter().copied()), matrix);
        if !canonical.is_empty() {
            let texts = canonical.iter().map(|scope| scope.as_str());
            prop_assert!(ScopeList::parse("scopes", texts, BaseRule::Required).is_ok());
        }
    }

    #[test]
    fn without_a_base_there_is_nothing(
        default in any_list(), groups in proptest::collection::vec(any_list(), 0..4),
        user in any_list(),
    ) {
        let granular =
            |list: &ScopeList| list.iter().filter(|s| !s.is_base()).collect::<ScopeList>();
        let groups: Vec<_> = groups.iter().map(granular).collect();
        let merged = resolve_identity(&granular(&default), groups.iter(), Some(&granular(&user)));
        prop_assert_eq!(merged, Matrix::NONE);
        let token = AccessPatterns::trusted([("*", granular(&user).iter().map(Scope::as_str))]);
        prop_assert_eq!(token.matrix_for("a"), Matrix::NONE);
    }

    #[test]
    fn a_default_alone_is_its_own_list(default in any_list()) {
        let merged = resolve_identity(&default, std::iter::empty(), None);
        prop_assert_eq!(merged, Matrix::from_scopes(default.iter()));
        let token = AccessPatterns::trusted([("*", default.iter().map(Scope::as_str))]);
        prop_assert_eq!(token.matrix_for("room"), merged);
    }

    #[test]
    fn the_order_of_groups_and_of_scopes_does_not_matter(
        default in any_list(),
        (groups, shuffled) in proptest::collection::vec(any_list(), 0..6)
            .prop_flat_map(|groups| (Just(groups.clone()), Just(groups).prop_shuffle())),
    ) {
        let reversed: Vec<ScopeList> = shuffled
            .iter()
            .map(|group| group.as_slice().iter().rev().copied().collect())
            .collect();
        prop_assert_eq!(
            resolve_identity(&default, groups.iter(), None),
            resolve_identity(&default, reversed.iter(), None)
        );
    }

    #[test]
    fn a_user_entry_changes_only_what_it_mentions(default in any_list(), user in any_list()) {
        // With a base in the default, a user's base scope must not wipe what was set there.
        let default: ScopeList = default.iter().chain([Scope::BaseRead]).collect();
        let before = resolve_identity(&default, std::iter::empty(), None);
        let after = resolve_identity(&default, std::iter::empty(), Some(&user));
        let alone = Matrix::from_scopes(user.iter().chain([Scope::BaseRead]));
        for resource in Resource::ALL {
            if mentions(&user, resource) {
                prop_assert_eq!(
                    after.level(resource),
                    // The helper scope above is a base as well, so it is left out here.
                    if resource == Room { explicit_base(&user) } else { alone.level(resource) }
                );
            } else if mentions(&default, resource) || !mentions(&user, Room) {
                prop_assert_eq!(after.level(resource), before.level(resource));
            }
        }
    }

    #[test]
    fn another_group_never_lowers_what_groups_give(
        default in any_list(), groups in proptest::collection::vec(any_list(), 1..4),
        added in any_list(),
    ) {
        let one_more: Vec<_> = groups.iter().cloned().chain([added]).collect();
        let before = resolve_identity(&default, groups.iter(), None);
        let after = resolve_identity(&default, one_more.iter(), None);
        for resource in Resource::ALL {
            if groups.iter().any(|group| mentions(group, resource)) {
                prop_assert!(after.level(resource) >= before.level(resource));
            }
        }
    }

    #[test]
    fn of_several_levels_the_strongest_counts(a in any_list(), b in any_list()) {
        // In one list, and likewise in two groups, as far as both mention the resource.
        let both: ScopeList = a.iter().chain(b.iter()).chain([Scope::BaseRead]).collect();
        let matrix = Matrix::from_scopes(both.iter());
        for (resource, level) in both.iter().filter_map(Scope::sets) {
            prop_assert!(matrix.level(resource) >= level);
        }
    }

    #[test]
    fn any_text_is_parsed_without_panic(texts in proptest::collection::vec(".{0,12}", 0..6)) {
        for rule in [BaseRule::Required, BaseRule::Several, BaseRule::Optional] {
            let _ = ScopeList::parse("f", &texts, rule);
        }
        let _ = AccessPatterns::parse("f", texts.iter().map(|text| (text, ["*:read"])));
    }
}
