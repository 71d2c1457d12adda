use std::collections::BTreeMap;

use super::nearest::nearest;
use super::options::OPTIONS;
use super::*;

fn load_from(
    flags: &[(&'static str, &str)],
    env: &[(&str, &str)],
    file: Option<&str>,
) -> Result<Loaded, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roomd.toml");
    if let Some(text) = file {
        std::fs::write(&path, text).unwrap();
    }
    let flags: BTreeMap<_, _> = flags.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
    let pairs = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    load(Source {
        flags: &flags,
        file: file.map(|_| path.as_path()),
        environment: &pairs.collect(),
        defaults: Config::default(),
    })
}

fn problem(flags: &[(&'static str, &str)], env: &[(&str, &str)], file: Option<&str>) -> String {
    load_from(flags, env, file).unwrap_err().to_string()
}

#[test]
fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
    let file = Some("token_ttl_seconds = 100\nlog_filter = 'warn'\nlisten = '[::1]:80'");
    let env = [("ROOMD_TOKEN_TTL_SECONDS", "200"), ("ROOMD_LOG_FILTER", "debug")];
    let loaded = load_from(&[("token_ttl_seconds", "300")], &env, file).unwrap();
    assert_eq!(loaded.config.token_ttl_seconds, 300);
    assert_eq!(loaded.config.log_filter, "debug");
    assert_eq!(loaded.config.listen.to_string(), "[::1]:80");
    assert_eq!(loaded.config.group_commit_max, Config::default().group_commit_max);

    let origin = |name: &str| {
        let found = loaded.origins.iter().find(|(option, _)| option.name == name);
        found.unwrap().1.to_string()
    };
    assert_eq!(origin("token_ttl_seconds"), "flag --token-ttl-seconds");
    assert_eq!(origin("log_filter"), "variable ROOMD_LOG_FILTER");
    assert!(origin("listen").starts_with("file "));
    assert_eq!(origin("group_commit_max"), "default");
    assert!(loaded.is_set("listen") && !loaded.is_set("data_dir"));
}

#[test]
fn variables_of_other_programs_come_last_among_variables() {
    let shared = ("DATABASE_URL", "postgres://shared/a");
    let own = ("ROOMD_DATABASE_URL", "postgres://own/b");
    let url = |env: &[(&str, &str)]| {
        let file = Some("database_url = 'postgres://file/c'");
        load_from(&[], env, file).unwrap().config.database_url.unwrap().to_string()
    };
    assert_eq!(url(&[shared, own]), "postgres://own/b");
    assert_eq!(url(&[shared]), "postgres://shared/a");
    assert_eq!(url(&[("ROOMD_DATABASE_URL", "")]), "postgres://file/c");
}

#[test]
fn every_problem_is_named_at_once() {
    let file = Some("lisen = 'x'\nlog_format = 'xml'\ntoken_ttl_seconds = 1\ndata_dir = [1]");
    let text = problem(&[("group_commit_max", "many")], &[], file);
    let expected = [
        "`lisen` is no option; did you mean `listen`?",
        "`log_format`",
        "must be one of auto, pretty, json, got 'xml'",
        "`token_ttl_seconds`",
        "must be a whole number from 10 to 86400, got '1'",
        "`data_dir`",
        "got: array",
        "option `group_commit_max` (flag --group-commit-max)",
    ];
    for part in expected {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn a_broken_file_names_its_line_and_shows_nothing_of_it() {
    let text = problem(&[], &[], Some("listen = 'a:1'\ndatabase_url = 'postgres://a:s3cret@b/c"));
    assert!(text.contains("line 2") && !text.contains("s3cret"), "{text}");
    let missing = load(Source {
        flags: &BTreeMap::new(),
        file: Some(std::path::Path::new("no/such/roomd.toml")),
        environment: &Environment::default(),
        defaults: Config::default(),
    });
    assert!(missing.unwrap_err().to_string().contains("no/such/roomd.toml"));
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    assert!(problem(&[("tls_cert", "a.pem")], &[], None).contains("needs `tls_key`"));
    let text = problem(&[("request_timeout_ms", "400000")], &[], None);
    assert!(text.contains("must not be above `request_timeout_ms_max` (300000)"), "{text}");
    let text = problem(&[("webhook_urls", "http://a/")], &[], None);
    assert!(text.contains("needs `livekit_webhook_api_key`"), "{text}");
    let text = problem(&[("livekit_webhook_api_key", "s3cret key")], &[], None);
    assert!(text.contains("must be 1 to 128 letters") && !text.contains("s3cret"), "{text}");
}

#[test]
fn a_mistyped_variable_is_a_warning() {
    let env = [("ROOMD_LISTN", "a:1"), ("ROOMD_SERVICE_HOST_OF_KUBERNETES", "1")];
    let warnings = load_from(&[], &env, None).unwrap().warnings;
    assert_eq!(warnings, ["variable ROOMD_LISTN is no option; did you mean ROOMD_LISTEN?"]);
}

#[test]
fn each_option_shows_what_it_read() {
    let mut config = Config::default();
    let samples = [
        ("tls_cert", "cert.pem"),
        ("tls_key", "key.pem"),
        ("database_url", "postgres://db/roomd"),
        ("otlp_endpoint", "http://collector:4317"),
        ("webhook_urls", "https://example.com/hook,http://localhost:8080/"),
        ("livekit_webhook_api_key", "APIkey"),
        ("livekit_keys", "APIone: ***, APItwo: ***"),
    ];
    for option in OPTIONS {
        let default = (option.show)(&Config::default());
        let sample = samples.iter().find(|(name, _)| *name == option.name);
        let raw = sample.map_or(default.as_str(), |(_, raw)| raw);
        (option.set)(&mut config, raw).unwrap_or_else(|e| panic!("{}: {e}", option.name));
        assert_eq!((option.show)(&config), raw, "{}", option.name);
        assert!(!option.help.ends_with('.') && !option.unit.is_empty(), "{}", option.name);
    }
    let expected = Config {
        tls_cert: Some("cert.pem".into()),
        tls_key: Some("key.pem".into()),
        database_url: Some("postgres://db/roomd".parse().unwrap()),
        otlp_endpoint: Some("http://collector:4317".to_owned()),
        webhook_urls: "https://example.com/hook,http://localhost:8080/".parse().unwrap(),
        livekit_webhook_api_key: Some("APIkey".to_owned()),
        livekit_keys: vec![LiveKeyPair::new("APIone", "***"), LiveKeyPair::new("APItwo", "***")],
        ..Config::default()
    };
    assert_eq!(config, expected);
}

#[test]
fn secrets_of_keys_are_not_shown_and_short_ones_are_warned_of() {
    let long = "s".repeat(32);
    let keys = format!("APIone: {long}, APItwo: tiny-s3cret");
    let loaded = load_from(&[], &[("LIVEKIT_KEYS", &keys)], None).unwrap();
    assert_eq!(loaded.config.livekit_keys[1].secret.expose(), "tiny-s3cret");
    let [warning] = &loaded.warnings[..] else { panic!("{:?}", loaded.warnings) };
    assert!(warning.contains("`APItwo` is shorter than 32"), "{warning}");
    let shown = format!("{:?} {warning}", loaded.config);
    assert!(!shown.contains("s3cret") && !shown.contains(&long), "{shown}");
    let wrong = load_from(&[("livekit_keys", "s3cret")], &[], None).unwrap_err().to_string();
    assert!(wrong.contains("must be `key: secret`") && !wrong.contains("s3cret"), "{wrong}");
}

#[test]
fn the_nearest_option_is_a_guess_and_not_a_wild_one() {
    assert_eq!(nearest("Database-Url").unwrap().name, "database_url");
    assert_eq!(nearest("request_body_max_bytes").unwrap().name, "request_body_bytes_max");
    assert!(nearest("xyzzy").is_none());
}

/// The options as docs/operate.md lists them.
fn table_for_docs() -> String {
    let mut text = "| Option | Value | Default | Meaning |\n|---|---|---|---|\n".to_owned();
    for option in OPTIONS {
        let default = (option.show)(&Config::default());
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        let mut help = option.help.to_owned();
        for borrowed in option.borrowed_env {
            help.push_str(&format!(". `{borrowed}` is heeded when `{}` is not set", option.env()));
        }
        let line = format!("| `{}` | {} | {default} | {help}. |\n", option.name, option.unit);
        text.push_str(&line);
    }
    text
}

#[test]
fn the_guide_lists_every_option_as_it_is() {
    const BEGIN: &str = "<!-- options: made by `UPDATE_DOCS=1 cargo test the_guide` -->\n";
    const END: &str = "<!-- end of options -->\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operate.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let (before, rest) = guide.split_once(BEGIN).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    let expected = table_for_docs();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
    } else {
        assert_eq!(table, expected, "run `UPDATE_DOCS=1 cargo test the_guide`");
    }
}
