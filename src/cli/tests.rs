use clap::error::ErrorKind;

use super::*;
use crate::config::options::OPTIONS;

fn plan(args: &[&str], env: &[(&str, &str)]) -> Result<Plan, ConfigError> {
    let args = std::iter::once("roomd").chain(args.iter().copied());
    let pairs = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Cli::try_parse_from(args).unwrap().plan(&pairs.collect())
}

fn help(args: &[&str]) -> String {
    let args = std::iter::once("roomd").chain(args.iter().copied());
    let error = Cli::try_parse_from(args).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DisplayHelp);
    error.to_string()
}

#[test]
fn the_definition_of_the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn serving_is_the_default_and_flags_may_stand_anywhere() {
    let bare = plan(&["--listen", "127.0.0.1:1"], &[]).unwrap();
    assert!(matches!(bare.task, Task::Serve));
    assert_eq!(bare.loaded.config.listen.to_string(), "127.0.0.1:1");

    let both = plan(&["--data-dir", "a", "--listen", "a:1", "serve", "--listen", "b:2"], &[]);
    let config = both.unwrap().loaded.config;
    assert_eq!(
        (config.listen.to_string().as_str(), config.data_dir.as_path()),
        ("b:2", "a".as_ref())
    );

    let tool = plan(&["--data-dir", "a", "keys", "list"], &[]).unwrap();
    assert_eq!(tool.loaded.config.data_dir.as_path(), "a".as_ref() as &std::path::Path);
    assert_eq!(tool.loaded.config.log_filter, "warn");
}

#[test]
fn every_option_is_documented_with_unit_default_and_variable() {
    let whole = help(&["serve", "--help"]);
    let words = whole.split_whitespace().collect::<Vec<_>>().join(" ");
    for option in OPTIONS {
        let default = (option.show)(&crate::config::Config::default());
        let default = if default.is_empty() { "none" } else { &default };
        let expected = [
            format!("--{} ", option.flag()),
            option.help.to_owned(),
            format!("({}) [default: {default}] [env: {}", option.unit, option.env()),
        ];
        for part in expected {
            assert!(words.contains(&part), "`{part}` is missing in the help");
        }
    }
    let short = help(&["-h"]);
    assert!(short.contains("--listen") && !short.contains("--json-depth-max"), "{short}");
    let dev = help(&["dev", "--help"]);
    assert!(dev.split_whitespace().collect::<String>().contains("[default:.roomd]"), "{dev}");
    let keys = help(&["keys", "--help"]);
    assert!(keys.contains("--data-dir") && !keys.contains("--tls-cert"), "{keys}");
}

#[test]
fn wrong_configuration_is_told_before_anything_starts() {
    let error = plan(&["serve", "--token-ttl-seconds", "1"], &[("ROOMD_LISTEN", "x")]);
    let text = error.unwrap_err().to_string();
    assert!(text.contains("flag --token-ttl-seconds") && text.contains("variable ROOMD_LISTEN"));
    let typo = Cli::try_parse_from(["roomd", "--lisen", "a:1"]).unwrap_err();
    assert_eq!(typo.exit_code(), 2);
    assert!(typo.to_string().contains("--listen"), "{typo}");
}

#[test]
fn development_has_its_own_folder_and_its_own_port() {
    let dev = |args: &[&str], env: &[(&str, &str)]| {
        let plan = plan(&[&["dev"], args].concat(), env).unwrap();
        let Task::Dev(_) = plan.task else { panic!("{plan:?}") };
        let config = plan.loaded.config;
        let database = config.database_shown();
        (config.listen.to_string(), database, format!("{:?}", plan.task))
    };
    let shared = [("DATABASE_URL", "postgres://app/app")];
    let (listen, database, task) = dev(&[], &shared);
    assert_eq!(listen, "127.0.0.1:1153");
    assert_eq!(database, "SQLite, .roomd/roomd.db", "the app's own database is left alone");
    assert!(task.contains("is_ephemeral: false"), "{task}");

    let (listen, _, task) = dev(&["--cmd", "true"], &[]);
    assert!(listen == "127.0.0.1:0" && task.contains("is_ephemeral: true"), "{listen} {task}");
    let (listen, _, task) = dev(&["--cmd", "true", "--listen", "a:1", "--data-dir", "d"], &[]);
    assert!(listen == "a:1" && task.contains("is_ephemeral: false"), "{listen} {task}");

    let own = [("ROOMD_DATABASE_URL", "postgres://dev/dev")];
    assert_eq!(dev(&[], &own).1, "PostgreSQL, postgres://dev/dev");
    assert!(plan(&["dev", "--ephemeral"], &own).is_err());
    assert!(Cli::try_parse_from(["roomd", "dev", "--ephemeral", "--data-dir", "d"]).is_err());
}

#[test]
fn a_flag_of_several_values_may_be_given_for_each() {
    let args = ["serve", "--livekit-key", "one: s1", "--livekit-key", "two: s2"];
    let keys = plan(&args, &[]).unwrap().loaded.config.livekit_keys;
    let ids: Vec<_> = keys.iter().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, ["one", "two"]);
    let whole = plan(&["serve", "--livekit-keys", "one: s1, two: s2"], &[]).unwrap();
    assert_eq!(whole.loaded.config.livekit_keys, keys);
}

#[test]
fn nothing_but_development_takes_the_well_known_keys() {
    for args in [&["serve"][..], &["dev"], &["check-config"]] {
        assert!(!plan(args, &[]).unwrap().loaded.config.takes_well_known_keys, "{args:?}");
    }
}

#[test]
fn the_report_is_a_file_that_can_be_used_and_holds_no_password() {
    let env = [("DATABASE_URL", "postgres://ann:s3cret@db/roomd"), ("ROOMD_LISTN", "x")];
    let plan = plan(&["check-config", "--group-commit-max", "7"], &env).unwrap();
    let report = check_config::report(&plan.loaded);
    assert!(!report.contains("s3cret"), "{report}");
    let line = |name: &str| {
        let found = report.lines().find(|line| line.contains(name)).unwrap();
        found.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("group_commit_max"), "group_commit_max = 7 # flag --group-commit-max");
    assert!(line("database_url").ends_with("ann:***@db/roomd\" # variable DATABASE_URL"));
    assert_eq!(line("tls_cert"), "# tls_cert = # default");
    assert!(report.contains("did you mean ROOMD_LISTEN?"));
    let table: toml::Table = report.parse().unwrap();
    assert!(table.keys().all(|key| OPTIONS.iter().any(|option| option.name == key)));
}

#[test]
fn completions_know_the_subcommands() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let script = completions(shell);
        assert!(script.contains("check-config") && script.contains("database-url"), "{shell}");
    }
}
