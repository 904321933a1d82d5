//! `/openapi.json`: the description of the API, made from the route table, the types of the handlers, the shapes of what
//! goes over the wire, the policy, and what `docs/API.md` says to people.

mod prose;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use axum::Extension;
use serde_json::{Map, Value, json};

use self::prose::Section;
use crate::auth::Action;
use crate::domain::Access;
use crate::http::describe::{Operation, sentence};
use crate::http::shape::{Kind, Output};
use crate::http::{Answer, ApiResult, json as text};

/// A route, as it is described.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) action: Action,
    pub(super) operation: Operation,
}

/// The description, made when somebody asks for it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Document(Arc<(Vec<Route>, OnceLock<String>)>);

impl Document {
    pub(super) fn of(routes: Vec<Route>) -> Self {
        Self(Arc::new((routes, OnceLock::new())))
    }

    fn text(&self) -> &str {
        let (routes, made) = &*self.0;
        made.get_or_init(|| text::text(&document(routes)))
    }
}

/// A description in OpenAPI 3.1.
pub(super) enum Described {}

impl Output for Described {
    const KIND: Kind = Kind::Mapping;
}

/// The description of the API.
pub(super) async fn get(Extension(document): Extension<Document>) -> ApiResult<Answer<Described>> {
    Ok(Answer::text(document.text().to_owned()))
}

fn document(routes: &[Route]) -> Value {
    let mut schemas = Map::new();
    schemas.insert("Error".to_owned(), error());
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut tags: Vec<&str> = Vec::new();
    for route in routes {
        let none = Section::default();
        let section = prose::section(route.method, route.path).unwrap_or(&none);
        if !tags.contains(&section.tag) {
            tags.push(section.tag);
        }
        let verbs = paths.entry(route.path.replace("{*", "{")).or_default();
        let mut described = describe(route, section);
        hoist(&mut described, &mut schemas);
        if route.method == "GET" && !verbs.contains_key("head") {
            verbs.insert("head".to_owned(), head(&described));
        }
        verbs.insert(route.method.to_ascii_lowercase(), described);
    }
    let tags: Vec<Value> = tags.into_iter().map(|name| json!({ "name": name })).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Testflinger",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": env!("CARGO_PKG_DESCRIPTION"),
            "description": ABOUT,
            "license": { "name": "GPL-3.0-only", "identifier": "GPL-3.0-only" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "An access token. It is accepted without the word Bearer, too.",
                },
                "secret": {
                    "type": "http", "scheme": "basic",
                    "description": "The id and the secret of a client.",
                },
            },
        },
    })
}

const ABOUT: &str = "What is taken beyond what the schemas say: integers as text or with a fraction, words for \
    booleans, and in a query everything as text. Lists are complete. HEAD answers like GET without a body. A request \
    with x-anonymous needs no token in these access modes; otherwise its token needs one of x-roles.";

/// What an operation is.
fn describe(route: &Route, section: &Section) -> Value {
    let Route { method, path, action, operation } = route;
    let names = path.split('{').skip(1).filter_map(|part| part.split('}').next());
    let parameter = |(name, schema): (&str, &Value)| {
        let name = name.trim_start_matches('*');
        let example = like(name, schema);
        json!({ "name": name, "in": "path", "required": true, "schema": schema, "example": example })
    };
    let mut parameters: Vec<Value> = names.zip(&operation.path).map(parameter).collect();
    parameters.extend(operation.query.clone());
    let words = path.split(['/', '{', '}', '*']).filter(|word| !word.is_empty());
    let id: Vec<&str> = [*method].into_iter().chain(words).collect();
    let mut described = json!({
        "operationId": id.join("_").to_ascii_lowercase().replace('.', "_"),
        "summary": section.summary(),
        "description": section.text.trim(),
        "tags": [section.tag],
        "parameters": parameters,
        "responses": responses(route, section),
        "security": security(*action, path),
        "x-roles": action.roles().iter().map(|role| role.as_str()).collect::<Vec<_>>(),
        "x-anonymous": Access::ALL
            .into_iter()
            .filter(|access| action.needs_no_token(*access))
            .map(Access::as_str)
            .collect::<Vec<_>>(),
    });
    if let Some(body) = &operation.body {
        described["requestBody"] = body.clone();
    }
    if *action == Action::LocalOnly {
        described["x-local-only"] = json!(true);
    }
    if section.text.contains("extension of this server") {
        described["x-extension"] = json!(true);
    }
    described
}

/// A value of a parameter in a path, as the examples of `docs/API.md` have it.
fn like(name: &str, schema: &Value) -> &'static str {
    match name {
        "id" if schema["format"] == "uuid" => "01a20ad7-7c66-7762-ad1c-479f6117afcd",
        "file" => "docs.js",
        "kind" => "output",
        "name" => "rack1",
        "number" => "1",
        "path" => "wifi/password",
        "queue" => "myqueue",
        _ => "ci",
    }
}

/// The answers: those that the document names, and those that every request like it may get.
fn responses(route: &Route, section: &Section) -> Value {
    let mut statuses = section.statuses.clone();
    let mut may = |status: u16, about: &str| {
        let text = statuses.entry(status).or_default();
        if text.is_empty() {
            about.clone_into(text);
        }
    };
    for status in &route.operation.statuses {
        may(*status, usual(*status));
    }
    may(200, usual(200));
    if route.action == Action::LocalOnly {
        may(404, "The caller is not the local administrator");
    } else if route.action != Action::Greet {
        may(401, usual(401));
    }
    for status in [403, 500, 503] {
        may(status, usual(status));
    }
    let mut responses = Map::new();
    for (status, about) in statuses {
        let about = if about.is_empty() { usual(status).to_owned() } else { about };
        let mut response = json!({ "description": &about });
        if status == 200 {
            response["content"] = route.operation.content.clone();
            let json = &mut response["content"]["application/json"];
            if let (Some(example), true) = (&section.example, json.is_object()) {
                json["example"] = example.clone();
            } else if json.is_null()
                && let Value::Object(content) = &mut response["content"]
            {
                content.remove("application/json");
            }
        } else if status >= 400 {
            response["content"] = sentence();
            let empty = about.starts_with("`{}`");
            let schema = if empty { json!({ "type": "object" }) } else { reference("Error") };
            response["content"]["application/json"] = json!({ "schema": schema });
        }
        responses.insert(status.to_string(), response);
    }
    // What a webhook answers is passed on.
    if route.path.ends_with("/events") {
        responses.insert(
            "default".to_owned(),
            json!({ "description": "What the webhook answered", "content": sentence() }),
        );
    }
    Value::Object(responses)
}

/// What a status stands for, where nothing more is said.
const fn usual(status: u16) -> &'static str {
    match status {
        200 => "Done",
        204 => "There is nothing",
        304 => "It is as it was when the caller asked before",
        400 => "The request cannot be read",
        401 => "A token is needed, or it has expired",
        403 => "The token is not valid, or its role or rights do not suffice",
        404 => "It does not exist",
        408 => "The body came too slowly",
        413 => "The body is too large",
        422 => "Members are wrong: each is named",
        503 => "The server has too much to do, or is stopping",
        507 => "The disk is full",
        _ => "The server failed",
    }
}

/// What proves who calls: nothing where some mode needs nothing.
fn security(action: Action, path: &str) -> Value {
    if path == "/v1/oauth2/token" {
        return json!([{ "secret": [] }]);
    }
    let open = Access::ALL.into_iter().any(|access| action.needs_no_token(access));
    match action {
        Action::Greet | Action::LocalOnly => json!([]),
        _ if open => json!([{}, { "token": [] }]),
        _ => json!([{ "token": [] }]),
    }
}

/// The same operation for `HEAD`.
fn head(get: &Value) -> Value {
    let mut head = get.clone();
    head["operationId"] =
        json!(get["operationId"].as_str().map(|id| id.replacen("get", "head", 1)));
    head["summary"] = json!("The same without a body");
    // It issues no token, so it looks at no secret.
    if head["security"] == json!([{ "secret": [] }]) {
        head["security"] = json!([]);
    }
    if let Some(responses) = head["responses"].as_object_mut() {
        for response in responses.values_mut().filter_map(Value::as_object_mut) {
            response.remove("content");
        }
        responses.entry("204").or_insert_with(|| json!({ "description": usual(204) }));
    }
    head
}

fn error() -> Value {
    json!({
        "title": "Error",
        "description": "What is wrong. Some errors are a sentence as text instead.",
        "type": "object",
        "properties": {
            "detail": { "type": "object", "description": "Wrong members, by where they are and their name." },
            "message": {
                "type": ["string", "object"],
                "description": "A sentence; for a wrong query of a log, the wrong members.",
            },
        },
        "required": ["detail", "message"],
        "additionalProperties": false,
        "examples": [{ "detail": {}, "message": "Job not found" }],
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Moves the schemas that have names of their own among the components.
fn hoist(value: &mut Value, schemas: &mut Map<String, Value>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| hoist(item, schemas)),
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                // A member's own words would be lost.
                if name != "properties" && name != "example" {
                    hoist(member, schemas);
                }
            }
            if let Some(name) = members.get("title").and_then(Value::as_str).map(str::to_owned) {
                let schema = std::mem::replace(value, reference(&name));
                schemas.insert(name, schema);
            }
        }
        _ => {}
    }
}
