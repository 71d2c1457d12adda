//! The generated table, on a service that has one of every kind of route.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Method as Verb, StatusCode};

use super::grpc::{GrpcLimits, Services};
use super::json::ReadOptions;
use super::routes::{Match, Routes};
use super::table::{Answer, Input, RestInput, Table};
use crate::domain::ctx::{Clock, Ctx, TokenTimes};
use crate::error::{Code, Error};
use crate::proto::google::api::HttpBody;
use crate::proto::stream::{Replies, Requests};
use crate::proto::testing::handlers::{testing_v1_echo_service, testing_v1_snake_service};
use crate::proto::testing::testing::v1::{
    CountReply, CountRequest, FailRequest, Kinds, ListReply, ListRequest, NothingRequest,
    SnakeRequest, UploadRequest,
};

#[allow(clippy::all, reason = "generated code")]
mod services {
    include!(concat!(env!("OUT_DIR"), "/testing/dispatch.rs"));
}

struct Echo;

impl testing_v1_echo_service::EchoService for Echo {
    async fn echo(&self, _: &Ctx, request: Kinds) -> Result<Kinds, Error> {
        Ok(request)
    }

    async fn upload(&self, _: &Ctx, request: UploadRequest) -> Result<HttpBody, Error> {
        let body = request.data.unwrap_or_default();
        let text = format!("{}{}{}", request.name, request.number, body.content_type);
        Ok(HttpBody { content_type: "text/x-echo".to_owned(), data: text.into() })
    }

    async fn fail(&self, _: &Ctx, request: FailRequest) -> Result<(), Error> {
        match request.how.as_str() {
            "panic" => panic!("the secret text of a panic"),
            "never" => std::future::pending().await,
            _ => Ok(()),
        }
    }

    async fn count(&self, _: &Ctx, request: CountRequest) -> Result<Replies<CountReply>, Error> {
        let reply = |number| match number {
            13 => Err(Error::invalid("number", "is unlucky")),
            14 => panic!("the secret text of a panic"),
            _ => Ok(CountReply { number }),
        };
        Ok(Box::pin(stream::iter(request.number..).map(reply)))
    }

    async fn list(&self, _: &Ctx, request: ListRequest) -> Result<ListReply, Error> {
        let first = request.cursor.parse().unwrap_or(1);
        // Of three pages, the second is empty.
        match first {
            1 => Ok(ListReply { next_cursor: Some("3".to_owned()), numbers: vec![1, 2] }),
            3 => Ok(ListReply { next_cursor: Some("4".to_owned()), numbers: Vec::new() }),
            _ if request.last == 13 => Err(Error::invalid("last", "is unlucky")),
            _ => Ok(ListReply { next_cursor: None, numbers: vec![4, request.last] }),
        }
    }

    async fn sum(
        &self,
        _: &Ctx,
        requests: Requests<CountRequest>,
    ) -> Result<Replies<CountReply>, Error> {
        let sums = requests.scan(0, |sum, request| {
            let reply = request.map(|request| {
                *sum += request.number;
                CountReply { number: *sum }
            });
            std::future::ready(Some(reply))
        });
        Ok(Box::pin(sums))
    }

    async fn over_rpc_only(&self, _: &Ctx, _: NothingRequest) -> Result<(), Error> {
        Ok(())
    }
}

struct Snake;

impl testing_v1_snake_service::SnakeService for Snake {
    async fn echo(&self, _: &Ctx, request: SnakeRequest) -> Result<Kinds, Error> {
        Ok(request.kinds.unwrap_or_default())
    }
}

fn table() -> Table {
    let mut table = Table::default();
    let mut grpc = Services::new(GrpcLimits { message_bytes_max: 1024 });
    services::add_testing_v1_echo_service(&mut table, &mut grpc, Arc::new(Echo));
    services::add_testing_v1_snake_service(&mut table, &mut grpc, Arc::new(Snake));
    table
}

fn ctx() -> Ctx {
    let clock = Clock::from_fn(|| 0);
    Ctx {
        caller: None,
        request_id: "id".into(),
        deadline: None,
        clock,
        origin: None,
        token: TokenTimes::default(),
    }
}

async fn rest(verb: Verb, url: &str, content_type: &str, body: &str) -> Result<Answer, Error> {
    let table = table();
    let routes = Routes::new(&table);
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (url, None),
    };
    let Match::Found { method, rule, variables } = routes.find(&verb, path) else {
        return Err(Error::not_found("ROUTE_NOT_FOUND", "no route"));
    };
    let body = Bytes::copy_from_slice(body.as_bytes());
    let variables = &variables;
    let headers = &http::HeaderMap::new();
    let input = RestInput { rule, variables, query, headers, content_type, body };
    super::call::guard(None, method.call(ctx(), Input::Rest(input))?).await
}

async fn text(verb: Verb, url: &str, body: &str) -> String {
    let answer = rest(verb, url, "application/json", body).await.expect(url);
    assert_eq!(answer.status, StatusCode::OK);
    let text = std::str::from_utf8(&answer.body).expect("UTF-8").to_owned();
    text.replace(",\"nullText\":null,\"alwaysList\":[],\"alwaysObject\":{}", "")
}

#[tokio::test]
async fn path_variables_are_matched_raw_and_decoded_afterwards() {
    assert_eq!(text(Verb::GET, "/echo/a%2Fb%20c%25", "").await, r#"{"text":"a/b c%"}"#);
    assert_eq!(
        text(Verb::GET, "/echo/+", "").await,
        r#"{"text":"+"}"#,
        "no form encoding in paths"
    );
    let broken = rest(Verb::GET, "/echo/%ff", "", "").await.expect_err("not UTF-8");
    assert_eq!(broken.code(), Code::Malformed);
    let wrong = rest(Verb::PUT, "/files/f/x", "", "").await.expect_err("not a number");
    assert!(wrong.public().contains("'number'"), "{wrong}");
}

#[tokio::test]
async fn query_parameters_fill_fields_of_every_kind() {
    for (query, json) in [
        ("small=5&big=-9&truth", r#"{"text":"t","small":5,"big":"-9","truth":true}"#),
        ("truth=false", r#"{"text":"t"}"#),
        ("numbers=1&numbers=2", r#"{"text":"t","numbers":[1,2]}"#),
        (
            "color=COLOR_RED&colors=1&colors=COLOR_RED",
            r#"{"text":"t","color":"COLOR_RED","colors":["COLOR_RED","COLOR_RED"]}"#,
        ),
        ("maybeText=&maybe_small=0", r#"{"text":"t","maybeText":"","maybeSmall":0}"#),
        ("words.a.b=c+d&words.x=%26", r#"{"text":"t","words":{"a.b":"c d","x":"&"}}"#),
        ("inner.inner.text=deep", r#"{"text":"t","inner":{"inner":{"text":"deep"}}}"#),
        ("at=2026-01-02T03:04:05Z", r#"{"text":"t","at":"2026-01-02T03:04:05.000Z"}"#),
        ("unknown=1&text=other", r#"{"text":"t"}"#),
    ] {
        let reply = text(Verb::GET, &format!("/echo/t?{query}"), "").await;
        let reply = reply.replace(",\"nullText\":null,\"alwaysList\":[],\"alwaysObject\":{}", "");
        let reply = reply.replace("\"nullText\":null,\"alwaysList\":[],\"alwaysObject\":{}", "");
        assert_eq!(reply.replace(",}", "}"), json, "{query}");
    }
    for (query, problem) in [
        ("small=x", "'small': must be a whole number of 32 bits, got `x`"),
        ("small.x=1", "'small.x': has no field `x`"),
        ("inner=1", "'inner': is an object"),
        ("words=1", "'words': needs a key"),
        ("color=BLUE", "'color': no such value"),
        ("truth=maybe", "'truth': must be true or false"),
        ("inner.inner.inner.inner.inner.inner.inner.inner.inner.text=x", "names deep"),
    ] {
        let url = format!("/echo/t?{query}");
        let error = rest(Verb::GET, &url, "", "").await.expect_err(query);
        assert!(error.public().contains(problem), "{query}: {error}");
    }
}

#[tokio::test]
async fn bodies_go_where_the_route_says() {
    let whole = text(Verb::POST, "/echo/t?small=1", r#"{"must":"","text":"x","small":2}"#).await;
    assert_eq!(whole, r#"{"text":"t","small":1}"#, "the path wins, then the query, then the body");
    let missing = rest(Verb::POST, "/echo/t", "", "").await.expect_err("must is required");
    assert_eq!(missing.public(), "Missing key: 'must'.");
    let inner = text(Verb::POST, "/echo/t/inner", r#"{"must":"m","small":2}"#).await;
    assert_eq!(inner, r#"{"small":2,"must":"m"}"#);
    assert_eq!(text(Verb::POST, "/echo/t/list", "[1,2]").await, "[1,2]");
    let error = rest(Verb::POST, "/echo/t/list", "", r#"{"a":1}"#).await.expect_err("no list");
    assert!(error.public().contains("expected an array"), "{error}");
}

#[tokio::test]
async fn a_list_that_is_paged_comes_whole() {
    let whole = async |url: &str| {
        let answer = rest(Verb::GET, url, "", "").await.expect("the first page");
        let rest = answer.rest.expect("more pages").collect().await?;
        Ok::<_, Error>(String::from_utf8([&answer.body[..], &rest].concat()).expect("UTF-8"))
    };
    assert_eq!(whole("/list?last=5").await.expect("all pages"), r#"{"numbers":[1,2,4,5]}"#);
    let late = whole("/list?last=13").await.expect_err("the third page fails");
    assert!(late.public().contains("unlucky"), "{late}");
    let last = rest(Verb::GET, "/list?last=7&cursor=4", "", "").await.expect("a page");
    assert!(last.rest.is_none());
    assert_eq!(last.body, r#"{"numbers":[4,7]}"#);
}

#[tokio::test]
async fn raw_bodies_pass_as_they_are() {
    let answer = rest(Verb::PUT, "/files/f/7", "image/png", "bytes").await.expect("an upload");
    assert_eq!(answer.content_type, "text/x-echo");
    assert_eq!(answer.body, "f7image/png");
    let nothing = rest(Verb::POST, "/fail/not", "application/json", "{}").await.expect("fine");
    assert_eq!((nothing.status, nothing.body.len()), (StatusCode::NO_CONTENT, 0));
}

#[tokio::test]
async fn a_panic_is_an_internal_error_that_keeps_its_text() {
    let error = rest(Verb::POST, "/fail/panic", "", "{}").await.expect_err("a panic");
    assert_eq!(error.code(), Code::Internal);
    assert!(!error.public().contains("secret"), "{error}");
    assert!(crate::error::chain(&error).contains("the secret text of a panic"));
    let late = std::time::Instant::now();
    let never = super::call::guard(Some(late), std::future::pending::<Result<(), Error>>()).await;
    assert_eq!(never.expect_err("late").code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn the_snake_case_profile_belongs_to_the_service() {
    let table = table();
    let body = r#"{"kinds":{"smallUnsigned":7,"color":"NOPE"}} trailing"#;
    let options = ReadOptions { unknown_enums: true, trailing: true, required: false };
    let call = async |name: &str, body: &'static str| {
        let method = table.find(name).expect(name);
        let call = method.call(ctx(), Input::Json(Bytes::from_static(body.as_bytes()), options));
        String::from_utf8(call.expect("decoded").await.expect(name).body.to_vec()).expect("UTF-8")
    };
    let snake = call("testing.v1.SnakeService/Echo", body).await;
    assert!(snake.contains(r#""small_unsigned":7"#) && snake.contains(r#""big":"0""#), "{snake}");
    let camel = call("testing.v1.EchoService/Echo", r#"{"small_unsigned":7}"#).await;
    assert!(camel.starts_with(r#"{"smallUnsigned":7"#), "{camel}");
    assert_eq!(call("testing.v1.EchoService/OverRpcOnly", r#"{"x":1}"#).await, "{}");
}

#[test]
fn only_exact_paths_match() {
    let table = table();
    let routes = Routes::new(&table);
    for path in ["", "/", "/echo", "/echo/", "/echo/a/", "/echo/a/b", "//echo/a", "/ECHO/a"] {
        assert!(matches!(routes.find(&Verb::GET, path), Match::None), "{path}");
    }
    let Match::WrongVerb(verbs) = routes.find(&Verb::DELETE, "/echo/a") else {
        panic!("another verb is served there");
    };
    assert_eq!(verbs, [&Verb::GET, &Verb::POST]);
    let long = "/a".repeat(10_000);
    assert!(matches!(routes.find(&Verb::GET, &long), Match::None));
}

#[tokio::test]
async fn a_stream_ends_with_its_first_error_its_deadline_or_a_panic() {
    let numbers = async |from: i32, handler: Option<Replies<CountReply>>, deadline| {
        let mut request = tonic::Request::new(CountRequest { number: from });
        request.extensions_mut().insert(Ctx { deadline, ..ctx() });
        let replies = super::grpc_stream::replies(request, async |ctx, request| match handler {
            Some(replies) => Ok(replies),
            None => testing_v1_echo_service::EchoService::count(&Echo, &ctx, request).await,
        });
        let replies = replies.await.expect("a stream").into_inner();
        let replies = replies.map(|reply| reply.map(|reply| reply.number).map_err(|e| e.code()));
        replies.take(9).collect::<Vec<_>>().await
    };
    let invalid = Err(tonic::Code::InvalidArgument);
    assert_eq!(numbers(11, None, None).await, [Ok(11), Ok(12), invalid]);
    assert_eq!(numbers(14, None, None).await, [Err(tonic::Code::Internal)]);
    let soon = std::time::Instant::now() + std::time::Duration::from_millis(1);
    let silent = numbers(1, Some(Box::pin(stream::pending())), Some(soon)).await;
    assert_eq!(silent, [Err(tonic::Code::DeadlineExceeded)]);
    assert!(table().find_stream("testing.v1.EchoService/Sum").is_some_and(|spec| !spec.open));
    assert!(table().find("testing.v1.EchoService/Sum").is_none());
}
