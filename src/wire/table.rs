//! The dispatch table: every unary method, typed inside and of one type outside. Of streaming
//! methods it knows only that they exist: they are tonic's to serve.
//!
//! `build.rs` generates one line per method that fills it; Twirp, Connect and REST call through it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method as Verb, StatusCode};
use prost::Message;

use super::download::{self, Asked, Open};
use super::json::{self, JsonMessage, Profile, ReadJson, ReadOptions, WriteJson, Writer};
use super::pages::{self, Paging};
use super::params::{self, ParamMessage};
use super::pieces::Rest;
use crate::domain::ctx::Ctx;
use crate::error::{Code, Error};
use crate::proto::google::api::HttpBody;
use crate::proto::reply::{self, Form};

/// What is known of a method without calling it.
#[derive(Debug)]
pub struct MethodSpec {
    pub service: &'static str,
    pub method: &'static str,
    /// `package.Service/Method`.
    pub full_name: &'static str,
    /// Whether Twirp and Connect write its JSON in the snake_case profile.
    pub snake_case: bool,
    /// Whether it needs no credential.
    pub open: bool,
    /// Whether its reply has addresses of this server.
    pub addresses: bool,
    pub credentials: Credentials,
}

/// What kinds of credentials a method takes, unless it needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    /// Keys, and tokens that we signed.
    Ours,
    /// As that, and tokens of LiveKit's.
    OursOrLivekit,
    /// As LiveKit's own server takes them, and the project's keys.
    Livekit,
}

#[derive(Debug, Clone, Copy)]
pub enum Segment {
    Literal(&'static str),
    Variable(&'static str),
}

/// Where a REST body goes.
pub enum Body<Req> {
    None,
    Whole,
    Field(&'static str),
    Raw(fn(&mut Req, &str, Bytes)),
}

/// What a REST reply is made of.
pub enum Reply<Req, Resp> {
    Empty,
    Whole,
    Field(fn(&Resp, &mut Writer)),
    Raw(fn(Resp) -> HttpBody),
    /// All pages of a list.
    Pages(Paging<Req, Resp>),
    /// A file, piece by piece.
    File(Open<Req>),
}

/// One way to reach a method over REST.
pub struct Rule<Req, Resp> {
    pub verb: Verb,
    pub segments: &'static [Segment],
    pub path: &'static str,
    pub success: u16,
    pub body: Body<Req>,
    pub reply: Reply<Req, Resp>,
}

/// A request as it came, for the method to decode.
pub enum Input<'a> {
    Json(Bytes, ReadOptions),
    Proto(Bytes),
    Rest(RestInput<'a>),
}

pub struct RestInput<'a> {
    pub rule: usize,
    /// The raw text of the path's variables, in order.
    pub variables: &'a [&'a str],
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    pub content_type: &'a str,
    pub body: Bytes,
}

/// A reply, encoded.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub content_type: Cow<'static, str>,
    pub body: Bytes,
    /// What comes after `body`, in REST.
    pub rest: Option<Rest>,
    /// Besides the content type, in REST.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

pub type Call = Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send>>;

pub trait Method: Send + Sync {
    fn spec(&self) -> &'static MethodSpec;
    fn routes(&self) -> Vec<(Verb, &'static [Segment])>;

    /// Decodes at once, so that `Err` here is the body's fault; the future is the handler.
    fn call(&self, ctx: Ctx, input: Input<'_>) -> Result<Call, Error>;
}

#[derive(Default)]
pub struct Table {
    methods: HashMap<&'static str, Arc<dyn Method>>,
    /// Streaming methods, which only tonic serves.
    streams: HashMap<&'static str, &'static MethodSpec>,
}

impl Table {
    /// Called by the generated code, once for each method.
    pub fn add<Req, Resp, R, F, Fut>(
        &mut self,
        spec: &'static MethodSpec,
        rules: Vec<Rule<Req, Resp>>,
        handler: F,
    ) where
        Req: Message + JsonMessage + ReadJson + ParamMessage + Clone + 'static,
        Resp: Message + WriteJson + Clone + 'static,
        R: Into<reply::Reply<Resp>> + 'static,
        F: Fn(Ctx, Req) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Error>> + Send + 'static,
    {
        let method = Typed {
            spec,
            rules: rules.into(),
            handler: Arc::new(handler),
            size: Arc::default(),
            types: PhantomData::<fn(Req, R) -> Resp>,
        };
        self.methods.insert(spec.full_name, Arc::new(method));
    }

    /// Called by the generated code, once for each streaming method.
    pub fn add_stream(&mut self, spec: &'static MethodSpec) {
        self.streams.insert(spec.full_name, spec);
    }

    pub fn find_stream(&self, name: &str) -> Option<&'static MethodSpec> {
        self.streams.get(name).copied()
    }

    /// By `package.Service/Method`.
    pub fn find(&self, name: &str) -> Option<&Arc<dyn Method>> {
        self.methods.get(name)
    }

    pub fn methods(&self) -> impl Iterator<Item = &Arc<dyn Method>> {
        self.methods.values()
    }

    /// The names of all services, in order.
    pub fn services(&self) -> impl Iterator<Item = &'static str> {
        let unary = self.methods.values().map(|method| method.spec().service);
        let names = unary.chain(self.streams.values().map(|spec| spec.service));
        names.collect::<std::collections::BTreeSet<_>>().into_iter()
    }
}

struct Typed<Req, Resp, R, F> {
    spec: &'static MethodSpec,
    rules: Arc<[Rule<Req, Resp>]>,
    handler: Arc<F>,
    /// The size of the last JSON reply: the guess for the next one's buffer.
    size: Arc<AtomicUsize>,
    types: PhantomData<fn(Req, R) -> Resp>,
}

impl<Req, Resp, R, F, Fut> Method for Typed<Req, Resp, R, F>
where
    Req: Message + JsonMessage + ReadJson + ParamMessage + Clone + 'static,
    Resp: Message + WriteJson + Clone + 'static,
    R: Into<reply::Reply<Resp>> + 'static,
    F: Fn(Ctx, Req) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, Error>> + Send + 'static,
{
    fn spec(&self) -> &'static MethodSpec {
        self.spec
    }

    fn routes(&self) -> Vec<(Verb, &'static [Segment])> {
        self.rules.iter().map(|rule| (rule.verb.clone(), rule.segments)).collect()
    }

    fn call(&self, ctx: Ctx, input: Input<'_>) -> Result<Call, Error> {
        match input {
            Input::Proto(body) => {
                let request = Req::decode(body).map_err(malformed_proto)?;
                let reply = (self.handler)(ctx, request);
                Ok(Box::pin(async move { Ok(proto_answer(&reply.await?.into())) }))
            }
            Input::Json(body, options) => {
                let request = json::parse(&body, options)?;
                let reply = (self.handler)(ctx, request);
                let snake_case = self.spec.snake_case;
                let profile = if snake_case { Profile::SnakeCase } else { Profile::Canonical };
                let size = self.size.clone();
                Ok(Box::pin(async move {
                    let reply = reply.await?.into();
                    let body = reply.bytes(Some(Form::Json), |message| {
                        write_json(profile, &size, |w| message.write_json(w))
                    });
                    Ok(json_answer(StatusCode::OK, body))
                }))
            }
            Input::Rest(input) => {
                let index = input.rule;
                let Some(rule) = self.rules.get(index) else {
                    return Err(Error::internal("a route without a rule"));
                };
                let request = decode_rest(rule, &input)?;
                if let Reply::Pages(paging) = rule.reply {
                    let status = success(rule);
                    let pages = pages::whole(paging, self.handler.clone(), ctx, request);
                    return Ok(Box::pin(async move {
                        let (body, rest) = pages.await?;
                        Ok(Answer { rest, ..json_answer(status, body) })
                    }));
                }
                if let Reply::File(open) = &rule.reply {
                    let asked = Asked::new(&rule.verb, input.headers);
                    return Ok(Box::pin(download::answer(open.clone(), ctx, request, asked)));
                }
                let reply = (self.handler)(ctx, request);
                let (rules, size) = (self.rules.clone(), self.size.clone());
                let form = (index == 0).then_some(Form::Rest);
                Ok(Box::pin(async move {
                    let reply = reply.await?.into();
                    Ok(rest_answer(&rules[index], form, reply, &size))
                }))
            }
        }
    }
}

fn malformed_proto(cause: prost::DecodeError) -> Error {
    Error::malformed("The body is not a valid protobuf message.").because(cause)
}

fn proto_answer<Resp: Message>(reply: &reply::Reply<Resp>) -> Answer {
    Answer {
        status: StatusCode::OK,
        content_type: Cow::Borrowed("application/protobuf"),
        body: reply.bytes(Some(Form::Proto), |message| message.encode_to_vec().into()),
        rest: None,
        headers: Vec::new(),
    }
}

fn json_answer(status: StatusCode, body: Bytes) -> Answer {
    let content_type = Cow::Borrowed("application/json");
    Answer { status, content_type, body, rest: None, headers: Vec::new() }
}

fn write_json(profile: Profile, size: &AtomicUsize, write: impl FnOnce(&mut Writer)) -> Bytes {
    // A little more than last time, so that replies which differ slightly do not grow the buffer.
    let mut w = Writer::new(profile, size.load(Ordering::Relaxed) + 64);
    write(&mut w);
    let body = w.finish();
    size.store(body.len(), Ordering::Relaxed);
    body
}

fn decode_rest<Req, Resp>(rule: &Rule<Req, Resp>, input: &RestInput<'_>) -> Result<Req, Error>
where
    Req: JsonMessage + ReadJson + ParamMessage,
{
    let options = ReadOptions { required: true, ..ReadOptions::default() };
    check_media_type(rule, input)?;
    // SDKs send some POSTs without a body where all of its fields are optional.
    let body = if input.body.is_empty() { &Bytes::from_static(b"{}") } else { &input.body };
    let mut request = match &rule.body {
        Body::None | Body::Raw(_) => Req::default(),
        Body::Whole => json::parse(body, options)?,
        Body::Field(name) if input.body.is_empty() => return Err(Error::missing(name)),
        Body::Field(name) => json::parse_field(name, body, options)?,
    };
    if let Body::Raw(set) = rule.body {
        set(&mut request, input.content_type, input.body.clone());
    }
    if let Some(query) = input.query {
        params::apply_query(&mut request, query)?;
    }
    // The path comes last: nothing in a body or query may redirect a call.
    let names = rule.segments.iter().filter_map(|segment| match segment {
        Segment::Variable(name) => Some(*name),
        Segment::Literal(_) => None,
    });
    for (name, raw) in names.zip(input.variables) {
        params::apply(&mut request, name, &params::decode(raw)?)?;
    }
    Ok(request)
}

/// A JSON body may come without a type, and not under another's name.
fn check_media_type<Req, Resp>(rule: &Rule<Req, Resp>, input: &RestInput<'_>) -> Result<(), Error> {
    let media_type = input.content_type.split(';').next().unwrap_or_default().trim();
    let json = media_type.is_empty()
        || media_type.eq_ignore_ascii_case("application/json")
        || media_type.to_ascii_lowercase().ends_with("+json");
    match rule.body {
        Body::Whole | Body::Field(_) if !json && !input.body.is_empty() => {
            let problem = "The Content-Type must be application/json.";
            Err(Error::new(Code::Malformed, "UNSUPPORTED_MEDIA_TYPE", problem))
        }
        _ => Ok(()),
    }
}

fn rest_answer<Req, Resp: WriteJson + Clone>(
    rule: &Rule<Req, Resp>,
    form: Option<Form>,
    reply: reply::Reply<Resp>,
    size: &AtomicUsize,
) -> Answer {
    let status = success(rule);
    let profile = Profile::Canonical;
    match &rule.reply {
        Reply::Empty => {
            Answer { content_type: Cow::Borrowed(""), ..json_answer(status, Bytes::new()) }
        }
        // Several pages and files are none of this function's; one message is a reply like others.
        Reply::Whole | Reply::Pages(_) | Reply::File(_) => {
            let write = |message: &Resp| write_json(profile, size, |w| message.write_json(w));
            json_answer(status, reply.bytes(form, write))
        }
        Reply::Field(field) => {
            let write = |message: &Resp| write_json(profile, size, |w| field(message, w));
            json_answer(status, reply.bytes(form, write))
        }
        Reply::Raw(raw) => {
            let HttpBody { content_type, data } = raw(reply.into_message());
            Answer { content_type: Cow::Owned(content_type), ..json_answer(status, data) }
        }
    }
}

fn success<Req, Resp>(rule: &Rule<Req, Resp>) -> StatusCode {
    StatusCode::from_u16(rule.success).unwrap_or(StatusCode::OK)
}

/// Used by the generated code for raw request bodies.
pub fn http_body(content_type: &str, data: Bytes) -> HttpBody {
    HttpBody { content_type: content_type.to_owned(), data }
}
