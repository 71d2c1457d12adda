//! One call over any of the protocols, driven by the descriptors alone, with one kind of outcome.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, BufMut, Bytes};
use futures_util::stream;
use prost::Message;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value as Field,
};
use serde_json::{Value, json};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic_types::StatusExt;

use crate::harness::Server;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Grpc,
    GrpcWeb,
    GrpcWebText,
    ConnectJson,
    ConnectProto,
    TwirpJson,
    TwirpProto,
    Rest,
}

impl Protocol {
    pub const ALL: [Self; 8] = [
        Self::Grpc,
        Self::GrpcWeb,
        Self::GrpcWebText,
        Self::ConnectJson,
        Self::ConnectProto,
        Self::TwirpJson,
        Self::TwirpProto,
        Self::Rest,
    ];
}

/// A refusal: the code by its gRPC name (REST: the status), the reason, the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub code: String,
    pub reason: String,
    pub message: String,
}

/// A reply in canonical JSON, or a refusal.
pub type Outcome = Result<Value, Refused>;

pub async fn call(
    server: &Server,
    protocol: Protocol,
    rpc: &str,
    request: &Value,
    bearer: Option<&str>,
) -> Outcome {
    let (service, name) = rpc.split_once('/').unwrap();
    let service = server.pool.get_service_by_name(service).unwrap();
    let method = service.methods().find(|method| method.name() == name).unwrap();
    let call = Call { server, method: &method, request, bearer };
    match protocol {
        Protocol::Grpc => call.grpc().await,
        Protocol::GrpcWeb => call.grpc_web(false).await,
        Protocol::GrpcWebText => call.grpc_web(true).await,
        Protocol::ConnectJson => call.unary("", "application/json").await,
        Protocol::ConnectProto => call.unary("", "application/proto").await,
        Protocol::TwirpJson => call.unary("/twirp", "application/json").await,
        Protocol::TwirpProto => call.unary("/twirp", "application/protobuf").await,
        Protocol::Rest => call.rest().await,
    }
}

/// The first reply of a streaming method to a stream that begins with `request`, over gRPC.
pub async fn open_stream(
    server: &Server,
    rpc: &str,
    request: &Value,
    bearer: Option<&str>,
) -> Outcome {
    let (service, name) = rpc.split_once('/').unwrap();
    let service = server.pool.get_service_by_name(service).unwrap();
    let method = service.methods().find(|method| method.name() == name).unwrap();
    Call { server, method: &method, request, bearer }.first_of_stream().await
}

struct Call<'a> {
    server: &'a Server,
    method: &'a MethodDescriptor,
    request: &'a Value,
    bearer: Option<&'a str>,
}

impl Call<'_> {
    fn path(&self) -> String {
        format!("/{}/{}", self.method.parent_service().full_name(), self.method.name())
    }

    fn message(&self) -> DynamicMessage {
        DynamicMessage::deserialize(self.method.input(), self.request.clone()).unwrap()
    }

    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.authorized(self.server.http.post(self.server.url(path)))
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match self.bearer {
            Some(bearer) => request.header("authorization", format!("Bearer {bearer}")),
            None => request,
        }
    }

    async fn grpc_client(&self) -> tonic::client::Grpc<tonic::transport::Channel> {
        let endpoint = tonic::transport::Endpoint::from_shared(self.server.url("")).unwrap();
        let mut client = tonic::client::Grpc::new(endpoint.connect().await.unwrap());
        client.ready().await.unwrap();
        client
    }

    fn grpc_request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        if let Some(bearer) = self.bearer {
            let value = format!("Bearer {bearer}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        request
    }

    async fn first_of_stream(&self) -> Outcome {
        let mut client = self.grpc_client().await;
        // Open for as long as the reply is waited for.
        let (requests, mut outgoing) = tokio::sync::mpsc::unbounded_channel();
        requests.send(self.message()).unwrap();
        let outgoing = stream::poll_fn(move |context| outgoing.poll_recv(context));
        let (path, codec) = (self.path().parse().unwrap(), Dynamic(self.method.output()));
        let replies = client.streaming(self.grpc_request(outgoing), path, codec).await;
        let mut replies = replies.map_err(|status| refused(&status))?.into_inner();
        let reply = replies.message().await;
        drop(requests);
        match reply {
            Ok(reply) => Ok(to_json(&reply.expect("a reply"))),
            Err(status) => Err(refused(&status)),
        }
    }

    async fn grpc(&self) -> Outcome {
        let mut client = self.grpc_client().await;
        let request = self.grpc_request(self.message());
        let path = self.path().parse().unwrap();
        let codec = Dynamic(self.method.output());
        match client.unary(request, path, codec).await {
            Ok(reply) => Ok(to_json(&reply.into_inner())),
            Err(status) => Err(refused(&status)),
        }
    }

    async fn grpc_web(&self, text: bool) -> Outcome {
        let message = self.message().encode_to_vec();
        let mut frame = vec![0];
        frame.put_u32(u32::try_from(message.len()).unwrap());
        frame.extend(message);
        let (kind, frame) = match text {
            true => ("application/grpc-web-text+proto", STANDARD.encode(frame).into_bytes()),
            false => ("application/grpc-web+proto", frame),
        };
        let request = self.post(&self.path()).header("content-type", kind);
        let reply = request.header("accept", kind).body(frame).send().await.unwrap();
        let mut headers = reply.headers().clone();
        let mut body = reply.bytes().await.unwrap();
        if text {
            body = decode_base64_pieces(&body);
        }
        let mut message = None;
        while body.has_remaining() {
            let (flags, length) = (body.get_u8(), body.get_u32());
            let part = body.copy_to_bytes(usize::try_from(length).unwrap());
            if flags & 0x80 == 0 {
                message = Some(part);
                continue;
            }
            for line in std::str::from_utf8(&part).unwrap().lines() {
                let (name, value) = line.split_once(':').unwrap();
                let name: http::HeaderName = name.parse().unwrap();
                headers.insert(name, value.trim().parse().unwrap());
            }
        }
        let status = tonic::Status::from_header_map(&headers).expect("a grpc-status");
        match status.code() {
            tonic::Code::Ok => Ok(self.decode(message.expect("a message"))),
            _ => Err(refused(&status)),
        }
    }

    fn decode(&self, bytes: Bytes) -> Value {
        to_json(&DynamicMessage::decode(self.method.output(), bytes).unwrap())
    }

    /// Connect and Twirp, which differ in the prefix and in the shape of an error.
    async fn unary(&self, prefix: &str, kind: &str) -> Outcome {
        let json = kind == "application/json";
        let body = match json {
            true => self.request.to_string().into_bytes(),
            false => self.message().encode_to_vec(),
        };
        let path = format!("{prefix}{}", self.path());
        let reply = self.post(&path).header("content-type", kind).body(body).send().await.unwrap();
        let (status, headers) = (reply.status(), reply.headers().clone());
        let body = reply.bytes().await.unwrap();
        if status.is_success() {
            assert_eq!(headers["content-type"], kind, "{path}");
            return Ok(match json {
                true => canonical(&self.method.output(), serde_json::from_slice(&body).unwrap()),
                false => self.decode(body),
            });
        }
        if prefix == "/twirp" && headers["content-type"] == "text/plain; charset=utf-8" {
            // What stands in front of LiveKit's Twirp.
            assert_eq!(status, 401, "{path}");
            let message = String::from_utf8(body.to_vec()).unwrap();
            let code = "unauthenticated".to_owned();
            return Err(Refused { code, reason: String::new(), message });
        }
        assert_eq!(headers["content-type"], "application/json", "{path}");
        let error: Value = serde_json::from_slice(&body).unwrap();
        let text = |found: &Value| found.as_str().unwrap_or_default().to_owned();
        let code = text(&error["code"]);
        if prefix.is_empty() {
            let details = error["details"].as_array().cloned().unwrap_or_default();
            let info = details.iter().find(|any| any["type"] == "google.rpc.ErrorInfo").unwrap();
            let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
            let info = engine.decode(info["value"].as_str().unwrap()).unwrap();
            let info = tonic_types::pb::ErrorInfo::decode(&info[..]).unwrap();
            return Err(Refused { code, reason: info.reason, message: text(&error["message"]) });
        }
        let reason = text(&error["meta"]["reason"]);
        Err(Refused { code, reason, message: text(&error["msg"]) })
    }

    async fn rest(&self) -> Outcome {
        let rule = Rule::of(self.method);
        let mut request = self.request.clone();
        let fields = request.as_object_mut().unwrap();
        let mut path = String::new();
        for segment in rule.path.split('/').skip(1) {
            path.push('/');
            match segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}')) {
                None => path.push_str(segment),
                Some(variable) => {
                    let field = self.method.input().get_field_by_name(variable).unwrap();
                    let value = fields.remove(field.json_name()).unwrap_or_default();
                    path.push_str(&percent(&text_of(&value)));
                }
            }
        }
        let json = |body: Value| ("application/json".to_owned(), body.to_string().into_bytes());
        let body = match rule.body.as_str() {
            "" => None,
            "*" => Some(json(Value::Object(std::mem::take(fields)))),
            name => {
                let field = self.method.input().get_field_by_name(name).unwrap();
                let value = fields.remove(field.json_name()).unwrap_or_default();
                Some(if is_raw(&field) { raw_body(&value) } else { json(value) })
            }
        };
        let query = query_of(fields);
        if !query.is_empty() {
            path = format!("{path}?{query}");
        }
        let verb = rule.verb.parse().unwrap();
        let mut request = self.server.http.request(verb, self.server.url(&path));
        if let Some((content_type, body)) = body {
            request = request.header("content-type", content_type).body(body);
        }
        let reply = self.authorized(request).send().await.unwrap();
        self.rest_outcome(&rule, reply).await
    }

    async fn rest_outcome(&self, rule: &Rule, reply: reqwest::Response) -> Outcome {
        let status = reply.status().as_u16();
        let content_type = reply.headers().get("content-type").cloned();
        let body = reply.bytes().await.unwrap();
        if status >= 400 {
            let error: Value = serde_json::from_slice(&body).unwrap();
            let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
            let (reason, message) = (text("error"), text("message"));
            return Err(Refused { code: status.to_string(), reason, message });
        }
        assert_eq!(status, rule.success, "{}", rule.path);
        if status == 204 {
            assert!(body.is_empty(), "{} answers 204 with a body", rule.path);
            return Ok(json!({}));
        }
        let field = self.method.output().get_field_by_name(&rule.response_body);
        let body: Value = match field.is_some_and(|field| is_raw(&field)) {
            true => {
                let content_type = content_type.unwrap();
                json!({"contentType": content_type.to_str().unwrap(), "data": STANDARD.encode(body)})
            }
            false => serde_json::from_slice(&body).unwrap(),
        };
        let whole = match rule.response_body.as_str() {
            "" => body,
            field => json!({ field: body }),
        };
        Ok(canonical(&self.method.output(), whole))
    }
}

/// The first route of a method, read again from the annotations.
struct Rule {
    verb: String,
    path: String,
    body: String,
    response_body: String,
    success: u16,
}

impl Rule {
    fn of(method: &MethodDescriptor) -> Self {
        let pool = method.parent_pool();
        let options = method.options();
        let http = pool.get_extension_by_name("google.api.http").unwrap();
        let http = options.get_extension(&http).into_owned();
        let http = http.as_message().unwrap();
        let text = |name: &str| match http.get_field_by_name(name).as_deref() {
            Some(Field::String(text)) => text.clone(),
            _ => String::new(),
        };
        let verbs = ["get", "put", "post", "delete", "patch"];
        let verb = verbs.into_iter().find(|verb| http.has_field_by_name(verb)).unwrap();
        let success = pool.get_extension_by_name("roomd.success").unwrap();
        let success = match options.get_extension(&success).as_ref() {
            Field::U32(0) => 200,
            Field::U32(status) => u16::try_from(*status).unwrap(),
            other => panic!("{other:?}"),
        };
        Self {
            verb: verb.to_uppercase(),
            path: text(verb),
            body: text("body"),
            response_body: text("response_body"),
            success,
        }
    }
}

fn query_of(fields: &serde_json::Map<String, Value>) -> String {
    let mut pairs = Vec::new();
    let mut add = |name: &str, value: &Value| {
        pairs.push(format!("{}={}", percent(name), percent(&text_of(value))));
    };
    for (name, value) in fields {
        match value {
            Value::Array(values) => values.iter().for_each(|value| add(name, value)),
            Value::Object(entries) => {
                entries.iter().for_each(|(key, value)| add(&format!("{name}.{key}"), value));
            }
            _ => add(name, value),
        }
    }
    pairs.join("&")
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn is_raw(field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Kind::Message(found) if found.full_name() == "google.api.HttpBody")
}

/// The type and the bytes of an `HttpBody` in JSON.
fn raw_body(value: &Value) -> (String, Vec<u8>) {
    let data = STANDARD.decode(value["data"].as_str().unwrap_or_default()).unwrap();
    (value["contentType"].as_str().unwrap_or("application/octet-stream").to_owned(), data)
}

fn percent(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn refused(status: &tonic::Status) -> Refused {
    let info = status.get_details_error_info();
    // The enum's own names are in CamelCase.
    let mut code = String::new();
    for letter in format!("{:?}", status.code()).replace("Cancelled", "Canceled").chars() {
        if letter.is_uppercase() && !code.is_empty() {
            code.push('_');
        }
        code.push(letter.to_ascii_lowercase());
    }
    let reason = info.map(|info| info.reason).unwrap_or_default();
    Refused { code, reason, message: status.message().to_owned() }
}

/// gRPC-Web text is base64 in pieces, each with its own padding.
fn decode_base64_pieces(body: &[u8]) -> Bytes {
    let pieces = body.chunks(4).flat_map(|piece| STANDARD.decode(piece).unwrap());
    pieces.collect::<Vec<_>>().into()
}

/// JSON as another implementation of proto JSON writes the same message.
fn canonical(message: &MessageDescriptor, json: Value) -> Value {
    to_json(&DynamicMessage::deserialize(message.clone(), json).unwrap())
}

fn to_json(message: &DynamicMessage) -> Value {
    serde_json::to_value(message).unwrap()
}

/// Any message, by its descriptor.
struct Dynamic(MessageDescriptor);

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self(self.0.clone())
    }

    fn decoder(&mut self) -> Self {
        Self(self.0.clone())
    }
}

impl Encoder for Dynamic {
    type Item = DynamicMessage;
    type Error = tonic::Status;

    fn encode(
        &mut self,
        item: DynamicMessage,
        to: &mut EncodeBuf<'_>,
    ) -> Result<(), tonic::Status> {
        item.encode(to).map_err(|error| tonic::Status::internal(error.to_string()))
    }
}

impl Decoder for Dynamic {
    type Item = DynamicMessage;
    type Error = tonic::Status;

    fn decode(
        &mut self,
        from: &mut DecodeBuf<'_>,
    ) -> Result<Option<DynamicMessage>, tonic::Status> {
        let message = DynamicMessage::decode(self.0.clone(), from);
        message.map(Some).map_err(|error| tonic::Status::internal(error.to_string()))
    }
}
