use super::*;

fn filter(text: &str) -> ThreadFilter {
    ThreadFilter::from_query(text).unwrap()
}

#[test]
fn every_field_is_read() {
    let text = "resolved:false visibility:'private' subscribed:true metadata['a']:\"it's\" \
                metadata['b']^'x' metadata['n']>=-3 metadata['f']:true metadata['z']:null \
                metadata['m']:5";
    let key = |key: &str| key.to_owned();
    assert_eq!(
        filter(text),
        ThreadFilter {
            resolved: Some(false),
            visibility: Some(Visibility::Private),
            subscribed: Some(true),
            is_nothing: false,
            metadata: vec![
                MetadataTerm::Equals {
                    key: key("a"),
                    value: MetadataScalar::Text("it's".to_owned())
                },
                MetadataTerm::Prefix { key: key("b"), prefix: "x".to_owned() },
                MetadataTerm::Number { key: key("n"), op: NumberOp::GreaterOrEqual, number: -3.0 },
                MetadataTerm::Equals { key: key("f"), value: MetadataScalar::Flag(true) },
                MetadataTerm::Absent { key: key("z") },
                MetadataTerm::Equals { key: key("m"), value: MetadataScalar::Number(5.0) },
            ],
        }
    );
    assert_eq!(filter(""), ThreadFilter::default());
}

#[test]
fn terms_that_contradict_each_other_find_nothing() {
    assert!(filter("resolved:true resolved:false").is_nothing);
    assert!(filter("visibility:'public' AND visibility:'private'").is_nothing);
    assert!(!filter("resolved:true resolved:true").is_nothing);
}

#[test]
fn what_means_nothing_is_refused_with_its_place() {
    let long = format!("metadata['a']:'{}'", "x".repeat(QUERIED_TEXT_CHARS_MAX + 1));
    for text in [
        "resolved:'yes'",
        "resolved:null",
        "visibility:'secret'",
        "visibility:''",
        "visibility^'p'",
        "subscribed:1",
        "metadata:1",
        "resolved['a']:true",
        "color:'red'",
        &long,
        &format!("metadata['{}']:1", "k".repeat(METADATA_KEY_CHARS_MAX + 1)),
    ] {
        let error = ThreadFilter::from_query(text).unwrap_err();
        assert_eq!(error.fields()[0].field, "query", "{text}");
    }
}
