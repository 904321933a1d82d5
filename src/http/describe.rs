//! What a handler takes and answers, read from its type.
//!
//! An extractor that cannot describe itself makes a handler that no route takes, so the description of the API forgets
//! nothing. Hazard: [`Described`] names its handlers by the marker types that axum 0.8 uses for them.

use std::collections::BTreeSet;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use serde_json::{Value, json};

use super::answer::Answer;
use super::body::{ApiJson, TextRequest};
use super::caller::Caller;
use super::error::ApiError;
use super::load::Load;
use super::path::{AgentPath, JobPath, JobTextPath, QueuePath, TextPath, TextPaths};
use super::query::ApiQuery;
use super::shape::kind::NAME;
use super::shape::{Input, Output};
use super::upload::FileRequest;
use crate::auth::{MayAdminister, MayManage};
use crate::ops::By;

/// What a handler takes and answers.
#[derive(Clone, Debug, Default)]
pub struct Operation {
    /// The schemas of the parameters in its path, in order.
    pub path: Vec<Value>,
    /// Its query, as parameters of OpenAPI.
    pub query: Vec<Value>,
    /// Its body, as OpenAPI's `requestBody`.
    pub body: Option<Value>,
    /// What a successful answer has for content, as OpenAPI's `content`.
    pub content: Value,
    /// The statuses that follow from what it takes.
    pub statuses: BTreeSet<u16>,
}

/// A part of a request that a handler takes.
pub trait Takes {
    /// Adds it.
    fn describe(operation: &mut Operation);
}

/// What a handler answers.
pub trait Answers {
    /// Adds it.
    fn describe(operation: &mut Operation);
}

/// A handler. `T` is axum's own marker for it.
pub trait Described<T> {
    /// What it takes and answers.
    fn operation() -> Operation;
}

macro_rules! described {
    ($($part:ident),*) => {
        impl<F, Fut, R, M, $($part),*> Described<(M, $($part,)*)> for F
        where
            F: FnOnce($($part),*) -> Fut,
            Fut: Future<Output = R>,
            R: Answers,
            $($part: Takes,)*
        {
            fn operation() -> Operation {
                let mut operation = Operation::default();
                $($part::describe(&mut operation);)*
                R::describe(&mut operation);
                operation
            }
        }
    };
}

described!();
described!(A);
described!(A, B);
described!(A, B, C);
described!(A, B, C, D);
described!(A, B, C, D, E);

macro_rules! takes {
    ($([$($generic:tt)*] $type:ty => |$operation:ident| $describe:expr;)*) => {$(
        impl<$($generic)*> Takes for $type {
            fn describe($operation: &mut Operation) {
                $describe
            }
        }
    )*};
}

takes! {
    [S] State<S> => |_operation| ();
    [T] Extension<T> => |_operation| ();
    [] By => |_operation| ();
    [] Caller => |_operation| ();
    [] MayManage => |_operation| ();
    [] MayAdminister => |_operation| ();
    [] HeaderMap => |_operation| ();
    [] Method => |_operation| ();
    [] Load => |_operation| ();
    [T: Takes] Result<T, ApiError> => |operation| T::describe(operation);
    [] JobPath => |operation| operation.parameter(job_id(), 400);
    [] JobTextPath => |operation| operation.parameter(job_id(), 400);
    [] AgentPath => |operation| operation.parameter(NAME.schema(), 400);
    [] QueuePath => |operation| operation.parameter(NAME.schema(), 400);
    [] TextPath => |operation| operation.parameter(json!({ "type": "string" }), 404);
    [const N: usize] TextPaths<N> => |operation| {
        for _ in 0..N {
            operation.parameter(json!({ "type": "string" }), 404);
        }
    };
    [T: Input] ApiQuery<T> => |operation| {
        operation.query = T::SHAPE.parameters();
        operation.statuses.insert(422);
    };
    [T: Input] ApiJson<T> => |operation| {
        let content = json!({ "schema": T::SHAPE.schema(), "example": T::SHAPE.example() });
        operation.body("application/json", &content, &[400, 408, 413, 422, 507]);
    };
    [] TextRequest => |operation| {
        let content = json!({ "schema": { "type": "string" }, "example": "a line\n" });
        operation.body("text/plain", &content, &[400, 408, 413, 507]);
    };
    [] FileRequest => |operation| {
        let schema = json!({
            "type": "object",
            "properties": { "file": { "type": "string", "contentMediaType": "application/gzip" } },
            "required": ["file"],
        });
        operation.body("multipart/form-data", &json!({ "schema": schema }), &[400, 408, 413, 507]);
    };
}

/// The id of a job in a path, which takes any spelling of a UUID.
#[must_use]
pub fn job_id() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

impl Operation {
    /// Adds the next parameter of the path, and the status for one that is wrong.
    pub fn parameter(&mut self, schema: Value, wrong: u16) {
        self.path.push(schema);
        self.statuses.insert(wrong);
    }

    fn body(&mut self, kind: &str, content: &Value, statuses: &[u16]) {
        let required = content["schema"]["required"].as_array().is_some_and(|all| !all.is_empty());
        self.body = Some(json!({ "required": required, "content": { kind: content } }));
        self.statuses.extend(statuses);
    }
}

impl Answers for Response {
    fn describe(operation: &mut Operation) {
        operation.content = sentence();
    }
}

impl<T: Output> Answers for Answer<T> {
    fn describe(operation: &mut Operation) {
        let schema = |kind: &str| {
            let is_text = kind.starts_with("text/");
            if is_text { json!({ "type": "string" }) } else { T::KIND.schema() }
        };
        let content = T::MEDIA.iter().map(|kind| (*kind, json!({ "schema": schema(kind) })));
        operation.content = content.collect();
    }
}

impl<T: Answers> Answers for Result<T, ApiError> {
    fn describe(operation: &mut Operation) {
        T::describe(operation);
    }
}

/// The content of an answer that is a sentence.
#[must_use]
pub fn sentence() -> Value {
    json!({ "text/html": { "schema": { "type": "string" } } })
}
