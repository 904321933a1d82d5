//! Who sends a request, and whether they may.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::{ApiError, ApiResult};
use super::load::{self, Load};
use super::{agent_cookie, browser};
use crate::app::audit::{Event, Source};
use crate::app::{self, App};
use crate::auth::{Action, Identity, MayAdminister, MayManage, jwt, policy};
use crate::domain::{Access, AgentName, Role};
use crate::ops::By;

/// The peer of a connection, as the listener saw it.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Marks a request of the local administrator: it came over the admin socket or from this process.
#[derive(Clone, Copy, Debug)]
pub struct Local;

/// The caller of a request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who it is, as use cases and histories need to know it.
    pub by: By,
    /// Where it is; `None` for the local administrator.
    pub address: Option<IpAddr>,
}

impl Caller {
    /// The agent that the caller says it is.
    #[must_use]
    pub const fn agent(&self) -> Option<&AgentName> {
        self.by.agent.as_ref()
    }

    /// The name of the client, else of the agent; empty for a caller without a name.
    #[must_use]
    pub fn name(&self) -> String {
        let client = Some(self.source().name).filter(|name| !name.is_empty());
        let agent = || self.agent().map_or("", AgentName::as_str);
        client.unwrap_or_else(agent).to_owned()
    }

    /// Who it is, for the audit log.
    #[must_use]
    pub fn source(&self) -> Source<'_> {
        let name = match &self.by.identity {
            Identity::Anonymous => "",
            Identity::Client(permissions) => permissions.client.as_str(),
            Identity::LocalAdmin => "(local administrator)",
        };
        Source { name, address: self.address }
    }

    /// Writes a line of the audit log about something that this caller did to `subject`.
    pub fn audit(&self, event: Event, subject: &str, detail: &str) {
        self.source().log(event, subject, detail);
    }
}

/// The caller as [`guard`] has found it. A route without a guard has none, and answers 500 instead of leaving a door
/// open.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::internal)
    }
}

/// Who acts: what a use case and the history need to know of the caller.
impl<S: Sync> FromRequestParts<S> for By {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Ok(Caller::from_request_parts(parts, state).await?.by)
    }
}

/// A proof that the caller may manage clients and queues, or 401 or 403.
impl<S: Sync> FromRequestParts<S> for MayManage {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let by = By::from_request_parts(parts, state).await?;
        Ok(by.identity.may_manage(by.access)?)
    }
}

/// A proof that the caller may remove clients and revoke tokens, or 401 or 403.
impl<S: Sync> FromRequestParts<S> for MayAdminister {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let by = By::from_request_parts(parts, state).await?;
        Ok(by.identity.may_administer(by.access)?)
    }
}

/// What a route does that its guard must know.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    /// What its callers do.
    pub action: Action,
    /// `GET` changes something, too.
    pub get_takes: bool,
    /// Its path, such as `/v1/job/{id}`.
    pub route: &'static str,
}

/// What an answer carries for the log and the metrics.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The route that took the request.
    pub route: &'static str,
    /// The caller's name; empty for one without a name.
    pub caller: String,
}

/// Stands before every route: finds out who calls and lets in who may.
pub async fn guard(
    State((app, door)): State<(App, Door)>,
    request: Request,
    next: Next,
) -> Response {
    let admitted = admit(&app, door, &request);
    let caller = admitted.as_ref().map(Caller::name).unwrap_or_default();
    let mut response = match admitted {
        Ok(caller) => let_in(&app, caller, door.action == Action::Greet, request, next).await,
        Err(error) => error.into_response(),
    };
    response.extensions_mut().insert(Seen { route: door.route, caller });
    response
}

/// Lets a request of this caller through to its handler.
pub async fn let_in(
    app: &App,
    caller: Caller,
    greets: bool,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    request.extensions_mut().insert(caller.clone());
    // Whoever logs in, or looks whether this server lives, is never turned away.
    if !greets
        && caller.address.is_some()
        && let Err(error) = load::check(app)
    {
        return error.into_response();
    }
    let load = Load::of(app, &mut request);
    let response = next.run(request).await;
    drop(load);
    let response = load::count_answer(app, response).await;
    // Past the door, and then asked for more than the token allows: a role above its own, a restricted queue.
    if response.status() == StatusCode::FORBIDDEN {
        caller.audit(Event::AccessFail, &path, "the rights do not suffice");
    }
    response
}

/// The caller of a page: somebody in a browser, whom a session identifies and no token.
///
/// # Errors
/// A page of another site made the browser send it.
pub fn in_browser(app: &App, identity: Identity, request: &Request) -> ApiResult<Caller> {
    let (access, guarded) = (app.auth().access, app.auth().guarded);
    let by = By { identity, agent: None, access, guarded };
    let caller = Caller { by, address: address(app, request) };
    let method = request.method();
    browser::check(method, request.headers(), &app.auth().hosts, !method.is_safe()).inspect_err(
        |foreign| caller.audit(Event::AccessFail, request.uri().path(), &foreign.to_string()),
    )?;
    Ok(caller)
}

fn admit(app: &App, door: Door, request: &Request) -> ApiResult<Caller> {
    let Door { action, get_takes, .. } = door;
    let (headers, path) = (request.headers(), request.uri().path());
    let access = app.auth().access;
    let (agent, guarded) = (agent_cookie::agent(headers), app.auth().guarded);
    let by = By { identity: Identity::Anonymous, agent, access, guarded };
    let mut caller = Caller { by, address: address(app, request) };
    if request.extensions().get::<Local>().is_some() {
        caller.by.identity = Identity::LocalAdmin;
    } else if action != Action::Greet {
        caller.by.identity = identity(app, headers).inspect_err(|_| {
            caller.audit(Event::TokenFail, path, "the token was refused");
        })?;
    }
    policy::check(action, access, &caller.by.identity).inspect_err(|denied| {
        caller.audit(Event::AccessFail, path, &denied.to_string());
        if let (Action::ReportAgent, Identity::Anonymous) = (action, &caller.by.identity) {
            advise(app, path);
        }
    })?;
    // A page has no token, unless somebody gave it one.
    if matches!(caller.by.identity, Identity::Anonymous) {
        let method = request.method();
        let changes = !method.is_safe() || (get_takes && method == Method::GET);
        browser::check(method, headers, &app.auth().hosts, changes)
            .inspect_err(|foreign| caller.audit(Event::AccessFail, path, &foreign.to_string()))?;
    }
    // Where agents need tokens, a cookie alone must not acknowledge or keep a job in an agent's name.
    if access != Access::Open && caller.by.identity.role() != Some(Role::Agent) {
        caller.by.agent = None;
    }
    if let Some(agent) = caller.agent() {
        let ours = caller.by.speaks_for(agent);
        ours.inspect_err(|error| caller.audit(Event::AccessFail, path, &error.to_string()))?;
        app.hear(agent);
    }
    let is_known = caller.agent().is_some() || caller.by.identity.client().is_some();
    if let Some(peer) = request.extensions().get::<Peer>().filter(|_| is_known) {
        app.presence().meet(peer.0, app.now());
    }
    Ok(caller)
}

/// Says, once for each agent, what to do about an agent without a token, because the agent itself only looks for its
/// name again and again.
fn advise(app: &App, path: &str) {
    let name = path.strip_prefix("/v1/agents/data/").map(|name| name.trim_end_matches('/'));
    let Some(agent) = name.and_then(|name| AgentName::try_from(name.to_owned()).ok()) else {
        return;
    };
    if app.presence().refuse(&agent, app.now()) {
        tracing::warn!(
            %agent,
            "an agent without a token was refused, and gets no jobs: in this access mode an agent needs a token \
             of a client with the role agent, which agents of 2025 cannot have: see README.md, Clients and agents"
        );
    }
}

/// Who the token says it is. A bad token is refused even where none is needed: whoever sends one relies on it.
fn identity(app: &App, headers: &HeaderMap) -> app::Result<Identity> {
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Ok(Identity::Anonymous);
    };
    match header.to_str().map_or(Some(""), jwt::strip_bearer) {
        Some(token) => app.identify(token),
        None => Ok(Identity::Anonymous),
    }
}

/// Where the request comes from. What `X-Forwarded-For` says counts only as far as trusted proxies say it: read from the
/// right, the first address that is not one of theirs.
fn address(app: &App, request: &Request) -> Option<IpAddr> {
    let mut address = request.extensions().get::<Peer>()?.0.to_canonical();
    let headers = request.headers().get_all("x-forwarded-for");
    let said: Vec<&str> = headers
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in said.iter().rev() {
        if !app.auth().is_proxy(address) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(hop) => address = hop.to_canonical(),
            Err(_) => break,
        }
    }
    Some(address)
}
