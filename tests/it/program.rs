//! The built program as its users run it: exit statuses, first start, signals, `--cmd`, the tools.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::livekit_tokens::sign;

/// A start on a slow machine is well below this.
const PATIENCE: Duration = Duration::from_secs(30);

fn roomd(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomd"));
    command.args(args).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars() {
        let is_option = name.starts_with("ROOMD_") || name.starts_with("OTEL_");
        if is_option || ["DATABASE_URL", "RUST_LOG", "LIVEKIT_KEYS"].contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    roomd(folder, args).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap().trim()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// A server that runs, stopped at the end of the test whatever happens.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(folder: &Path, args: &[&str]) -> Self {
        let args = [&["serve", "--listen", "127.0.0.1:0"], args].concat();
        let mut command = roomd(folder, &args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let url = loop {
            let line = log.next().expect("the server ended").unwrap();
            let line: Value = serde_json::from_str(&line).expect("a log line is JSON");
            if line["message"] == "started" {
                break line["url"].as_str().unwrap().to_owned();
            }
        };
        // A pipe that nobody reads would stop the server once it is full.
        std::thread::spawn(move || log.for_each(drop));
        Self { process, url }
    }

    fn stop(mut self) -> (ExitStatus, String) {
        signal(&self.process, Signal::TERM);
        let status = wait(&mut self.process);
        let mut printed = String::new();
        self.process.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        (status, printed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn signal(process: &Child, signal: Signal) {
    let pid = Pid::from_raw(process.id().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

fn wait(process: &mut Child) -> ExitStatus {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(status) = process.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    process.kill().unwrap();
    panic!("the program did not end");
}

async fn status_of(url: &str, credential: &str) -> u16 {
    let call = reqwest::Client::new().get(format!("{url}/v2/rooms")).bearer_auth(credential);
    call.send().await.unwrap().status().as_u16()
}

fn key_after(text: &str, label: &str) -> String {
    let line = text.lines().find(|line| line.contains(label)).expect(text);
    line.split_whitespace().nth(2).unwrap().to_owned()
}

#[test]
fn wrong_usage_and_wrong_configuration_exit_with_2() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), &["--no-such-flag"]).status.code(), Some(2));
    std::fs::write(folder.path().join("roomd.toml"), "lisen = '127.0.0.1:1'").unwrap();
    let wrong = run(folder.path(), &["serve"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("`lisen` is no option; did you mean `listen`?"));
    assert!(std::fs::read_dir(folder.path()).unwrap().count() == 1, "nothing was created");

    std::fs::write(folder.path().join("roomd.toml"), "listen = '127.0.0.1:1'").unwrap();
    let checked = run(folder.path(), &["check-config"]);
    assert_eq!(checked.status.code(), Some(0));
    assert!(stdout(&checked).contains("file roomd.toml"), "{}", stdout(&checked));
    assert_eq!(run(folder.path(), &["--version"]).status.code(), Some(0));
}

#[tokio::test]
async fn the_first_start_prints_keys_that_work_and_a_later_one_none() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let url = server.url.clone();
    let address = url.strip_prefix("http://").unwrap().to_owned();

    let second = run(folder.path(), &["--listen", &address]);
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains("option `listen`"), "{}", stderr(&second));

    let made = run(folder.path(), &["keys", "create"]);
    assert_eq!(status_of(&url, stdout(&made)).await, 200, "{}", stderr(&made));
    let (status, printed) = server.stop();
    assert_eq!(status.code(), Some(0));
    let (secret, public) = (key_after(&printed, "Secret"), key_after(&printed, "Public"));
    assert!(secret.starts_with("sk_") && public.starts_with("pk_"), "{printed}");

    let server = Server::start(folder.path(), &[]);
    assert_eq!(status_of(&server.url, &secret).await, 200);
    assert_ne!(status_of(&server.url, "sk_localdev").await, 200, "only `roomd dev` takes this");
    let (_, printed) = server.stop();
    assert_eq!(printed, "");
}

#[tokio::test]
async fn keys_and_tokens_are_made_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let args = ["token", "--user", "ann", "--room", "team:*=room:write", "--ttl", "60"];
    let token = run(folder.path(), &args);
    assert_eq!(stdout(&token).split('.').count(), 3, "{}", stderr(&token));
    assert_eq!(status_of(&server.url, stdout(&token)).await, 200);
    let forged = format!("{}x", stdout(&token));
    assert_ne!(status_of(&server.url, &forged).await, 200);

    let public = run(folder.path(), &["keys", "create", "--public"]);
    let list = run(folder.path(), &["keys", "list"]);
    let line = stdout(&list).lines().find(|line| line.contains(stdout(&public)));
    let id = line.unwrap().split_whitespace().next().unwrap().to_owned();
    assert_eq!(run(folder.path(), &["keys", "revoke", &id]).status.code(), Some(0));
    assert!(stdout(&run(folder.path(), &["keys", "list"])).contains("revoked"));
    assert_eq!(run(folder.path(), &["keys", "revoke", "key_none"]).status.code(), Some(2));
    assert_eq!(run(folder.path(), &["keys", "rotate-signing"]).status.code(), Some(0));

    let twice = ["token", "--user", "", "--room", "x"];
    assert_eq!(run(folder.path(), &twice).status.code(), Some(2));
    let elsewhere = ["token", "--user", "ann", "--project", "nowhere"];
    assert_eq!(run(folder.path(), &elsewhere).status.code(), Some(2));
    assert_eq!(server.stop().0.code(), Some(0));
}

#[tokio::test]
async fn a_livekit_key_is_made_listed_and_revoked_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let made = run(folder.path(), &["keys", "create", "--livekit"]);
    let made: Vec<&str> = stdout(&made).split_whitespace().collect();
    let ["API", "key:", id, "API", "secret:", secret] = made[..] else { panic!("{made:?}") };
    // Long before its end, and without a claim of when it was made.
    let claims = json!({"iss": id, "exp": 4_000_000_000_i64, "video": {"roomList": true}});
    let token = sign(&claims, secret);
    let status = async || {
        let url = format!("{}/twirp/livekit.RoomService/ListRooms", server.url);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(url).header("content-type", "application/json").body("{}");
        request.bearer_auth(&token).send().await.unwrap().status().as_u16()
    };
    assert_ne!(status().await, 401);
    let list = run(folder.path(), &["keys", "list"]);
    let line = stdout(&list).lines().find(|line| line.starts_with(id)).unwrap();
    assert!(line.contains("livekit") && line.ends_with("active"), "{line}");
    assert!(!stdout(&list).contains(secret));
    assert_eq!(run(folder.path(), &["keys", "revoke", id]).status.code(), Some(0));
    let list = run(folder.path(), &["keys", "list"]);
    let line = stdout(&list).lines().find(|line| line.starts_with(id)).unwrap();
    assert!(line.contains("revoked"), "{line}");
    assert_eq!(server.stop().0.code(), Some(0));
}

/// A collector that takes one export and tells its path and its body.
async fn collect_one(listener: tokio::net::TcpListener) -> (String, Vec<u8>) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let (request, mut respond) = connection.accept().await.unwrap().unwrap();
    let (head, mut body) = request.into_parts();
    let driver = tokio::spawn(async move { while connection.accept().await.is_some() {} });
    let mut bytes = Vec::new();
    while let Some(chunk) = body.data().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    let answer = http::Response::builder().header("content-type", "application/grpc");
    let mut stream = respond.send_response(answer.body(()).unwrap(), false).unwrap();
    stream.send_data(vec![0; 5].into(), false).unwrap();
    let done = http::HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
    stream.send_trailers(done).unwrap();
    // Dropping the connection now would cut the answer off.
    let _ = tokio::time::timeout(PATIENCE, driver).await;
    (head.uri.path().to_owned(), bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_are_exported_at_the_latest_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let collector = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let collected = tokio::spawn(collect_one(collector));
    let server = Server::start(folder.path(), &["--otlp-endpoint", &endpoint]);
    assert_ne!(status_of(&server.url, "sk_wrong").await, 200);
    assert_eq!(server.stop().0.code(), Some(0));
    let (path, body) = collected.await.unwrap();
    assert_eq!(path, "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    let body = String::from_utf8_lossy(&body);
    assert!(body.contains("roomd.v1.RoomService/ListRooms"), "{body}");
    assert!(!body.contains("sk_wrong"), "{body}");
}

#[test]
fn a_command_runs_against_a_fresh_server_and_gives_the_status() {
    let folder = tempfile::tempdir().unwrap();
    let check = "test $LIVEBLOCKS_SECRET_KEY = sk_localdev && echo $ROOMD_URL && exit 7";
    let ran = run(folder.path(), &["dev", "--cmd", check]);
    assert_eq!(ran.status.code(), Some(7), "{}", stderr(&ran));
    assert!(stdout(&ran).starts_with("http://127.0.0.1:"), "{}", stdout(&ran));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn a_signal_reaches_the_command_and_everything_ends() {
    let folder = tempfile::tempdir().unwrap();
    let command = "trap 'exit 42' TERM; echo ready; while :; do sleep 0.05; done";
    let mut dev = roomd(folder.path(), &["dev", "--cmd", command]);
    let mut process = dev.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    assert_eq!(ready, "ready\n");
    signal(&process, Signal::TERM);
    assert_eq!(wait(&mut process).code(), Some(42));
}

#[test]
fn a_file_store_that_cannot_be_used_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("taken"), "").unwrap();
    let under_a_file = format!("file://{}/taken/files", folder.path().display());
    // A port on which nobody listens.
    let aws = [
        ("AWS_ENDPOINT", "http://127.0.0.1:9"),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "nowhere"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "hidden"),
    ];
    for place in ["s3://no-bucket-of-ours", under_a_file.as_str()] {
        let args = ["serve", "--listen", "127.0.0.1:0", "--file-store", place];
        let failed = roomd(folder.path(), &args).envs(aws).output().unwrap();
        assert_eq!(failed.status.code(), Some(1), "{}", stderr(&failed));
        assert!(stderr(&failed).contains("file_store"), "{}", stderr(&failed));
        assert!(!stderr(&failed).contains("hidden"), "{}", stderr(&failed));
    }
    let wrong = run(folder.path(), &["check-config", "--file-store", "gs://bucket"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("s3://bucket/prefix"), "{}", stderr(&wrong));
}
