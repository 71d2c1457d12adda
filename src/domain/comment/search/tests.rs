//! Words, terms, order, snippets and filters of searches.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::comment::CommentMetadata;

fn folded(text: &str) -> Vec<String> {
    words(text).map(|word| word.text).collect()
}

fn searched(text: &str) -> Vec<String> {
    SearchText::parse(text).unwrap().words
}

fn is_found(text: &str, search: &str) -> bool {
    score(text, &searched(search)).is_some()
}

fn terms_of(text: &str) -> BTreeSet<String> {
    let mut found = Vec::new();
    each_text_term(text, |term| found.push(term.to_owned()));
    let terms: BTreeSet<String> = found.iter().cloned().collect();
    assert_eq!(terms.len(), found.len(), "each comes once");
    terms
}

#[test]
fn words_are_compared_without_case_and_marks() {
    assert_eq!(folded("Crème BRÛLÉE, it's 3.5€!"), ["creme", "brulee", "it", "s", "3", "5"]);
    assert_eq!(folded("cafe\u{301} ﬁne İstanbul ½ ™"), ["cafe", "fine", "istanbul", "12"]);
    assert_eq!(folded("東京tower 2"), ["東", "京", "tower", "2"]);
    assert_eq!(folded("Straße ΣΊΣΥΦΟΣ"), ["straße", "σισυφοσ"]);
    assert_eq!(folded(" \u{301}👍 -- "), Vec::<String>::new());
    assert_eq!(folded(&"x".repeat(100)), ["x".repeat(WORD_CHARS_MAX)]);
}

#[test]
fn all_words_must_be_there_and_the_last_may_be_begun() {
    let text = "The quick brown fox";
    for search in ["quick", "QUÍCK", "qui", "fox the", "the f", "brown quick fo"] {
        assert!(is_found(text, search), "{search}");
    }
    for search in ["slow", "quic fox", "ox", "quick fox slow", "foxy"] {
        assert!(!is_found(text, search), "{search}");
    }
}

#[test]
fn better_matches_score_higher() {
    let better = |search: &str, one: &str, other: &str| {
        let (one, other) = (score(one, &searched(search)), score(other, &searched(search)));
        assert!(one > other, "{search}: {one:?} and {other:?}");
    };
    better("fox", "fox fox and hound", "fox and a hound");
    better("fox", "a fox", &format!("a fox {}", "and more ".repeat(50)));
    better("fox", "the fox", "the foxglove");
    better("quick fox", "a quick fox here", "a fox is a quick one");
}

#[test]
fn a_snippet_shows_the_words_and_escapes_everything_else() {
    let snippet = Snippet::of("a <b>Bold</b> & \"bolder\"\nword", &searched("bol"));
    assert_eq!(snippet.text, "a <b>Bold</b> & \"bolder\" word");
    assert_eq!(
        snippet.html,
        "a &lt;b&gt;<mark>Bold</mark>&lt;/b&gt; &amp; &quot;<mark>bolder</mark>&quot; word"
    );
    let long = format!("{}needle {}", "hay ".repeat(200), "straw ".repeat(200));
    let snippet = Snippet::of(&long, &searched("needle"));
    assert!(snippet.text.starts_with("…hay hay ") && snippet.text.ends_with(" straw…"));
    assert!(snippet.text.chars().count() <= 202, "{}", snippet.text);
    assert!(snippet.html.contains(" <mark>needle</mark> "));
    let unbroken = "é".repeat(1_000);
    assert_eq!(Snippet::of(&unbroken, &searched("e")).text.chars().count(), 201);
}

#[test]
fn terms_of_a_search_are_terms_of_what_it_finds() {
    let terms = terms_of("Performance of it");
    for search in ["p", "pe", "perf", "perfo", "performanc", "of it", "it performance"] {
        let wanted = SearchText::parse(search).unwrap().terms();
        assert!(wanted.is_subset(&terms), "{search}");
    }
    assert!(!SearchText::parse("perfect").unwrap().terms().is_subset(&terms));
    assert!(SearchText::parse("👍 !").unwrap().terms().is_empty());
    assert!(SearchText::parse(&"x ".repeat(21)).is_err());
    assert!(SearchText::parse(&"x".repeat(1_001)).is_err());
}

#[test]
fn scopes_differ_from_each_other_and_from_words() {
    let project = ProjectId::trusted("p'\" é");
    let scopes = [
        ScopeTerm::Room("ab", None).to_text(),
        ScopeTerm::Room("ab", Some(Visibility::Public)).to_text(),
        ScopeTerm::Room("ab", Some(Visibility::Private)).to_text(),
        ScopeTerm::Project(&project).to_text(),
        attachments_term(true),
        attachments_term(false),
        mentions_term(true),
        mentions_term(false),
    ];
    assert_eq!(scopes.iter().collect::<BTreeSet<_>>().len(), scopes.len());
    let is_plain = |text: &str| text.chars().skip(1).all(|c| c.is_ascii_alphanumeric());
    assert!(scopes.iter().all(|scope| is_plain(scope)), "{scopes:?}");
    assert_eq!(folded("\u{E000}rab \u{E001}x"), ["rab", "x"]);
}

#[test]
fn filters_are_read_as_clients_write_them() {
    let metadata = json!({"color": "blue", "n": 3, "done": true});
    let metadata = CommentMetadata::stored(&metadata.to_string()).unwrap();
    let matches =
        |query: &str| CommentFilter::from_query(query).unwrap().matches_thread(true, &metadata);
    for query in [
        "",
        "threadResolved:true",
        "threadMetadata[\"color\"]:\"blue\" threadMetadata['n']>=3",
        "threadMetadata['color']^'bl' AND threadMetadata['done']:true",
        "threadMetadata['nothing']:null threadMetadata['n']:3",
    ] {
        assert!(matches(query), "{query}");
    }
    for query in [
        "threadResolved:false",
        "threadMetadata['color']:'red'",
        "threadMetadata['n']:'3'",
        "threadMetadata['n']<3",
        "threadMetadata['nothing']^'x'",
        "threadMetadata['color']:null",
    ] {
        assert!(!matches(query), "{query}");
    }
    let filter = CommentFilter::from_query("hasMentions:true hasAttachments:false roomId:'r'");
    let filter = filter.unwrap();
    assert_eq!((filter.mentions, filter.attachments), (Some(true), Some(false)));
    assert_eq!(filter.room_id.unwrap().as_str(), "r");
    for query in ["resolved:true", "hasMentions:1", "hasMentions['x']:true", "threadMetadata:1"] {
        assert!(CommentFilter::from_query(query).is_err(), "{query}");
    }
}

#[test]
fn cursors_are_read_back() {
    for cursor in [SearchCursor::FIRST, SearchCursor { before: 7, skipped: 50 }] {
        assert_eq!(SearchCursor::parse(&cursor.to_text()).unwrap(), cursor);
    }
    assert_eq!(SearchCursor::parse("").unwrap(), SearchCursor::FIRST);
    for raw in ["x", "Nw", "Ny4", "Ny4tMQ", &"x".repeat(99)] {
        assert!(SearchCursor::parse(raw).is_err(), "{raw}");
    }
}

proptest! {
    #[test]
    fn whatever_is_found_has_the_terms(text in ".{0,80}", search in "[^\\x00]{1,12}") {
        let searched = SearchText::parse(&search).unwrap();
        if score(&text, &searched.words).is_some() {
            prop_assert!(searched.terms().is_subset(&terms_of(&text)));
        }
    }

    #[test]
    fn terms_have_no_characters_that_databases_split_at(text in ".{0,80}") {
        for term in terms_of(&text) {
            let splits = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric();
            prop_assert!(!term.contains(splits), "{term:?}");
            prop_assert_eq!(term.to_ascii_lowercase(), term.clone());
        }
    }

    #[test]
    fn snippets_of_any_text_are_parts_of_it(text in "(.|[ab<&]{1,9}| ){0,300}", search in "[^\\x00]{0,8}") {
        let searched = SearchText::parse(&search).unwrap();
        let snippet = Snippet::of(&text, &searched.words);
        let plain: String =
            text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
        let inner = snippet.text.trim_start_matches('…').trim_end_matches('…');
        prop_assert!(plain.contains(inner));
        let unmarked = snippet.html.replace("<mark>", "").replace("</mark>", "");
        prop_assert!(!unmarked.contains(['<', '>', '"']));
    }
}
