//! Who sends a request, and whether they may.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::agent_cookie;
use super::app::App;
use super::audit::{self, Event};
use super::error::ApiError;
use crate::auth::{Action, Identity, MayAdminister, MayManage, Permissions, jwt, policy};
use crate::domain::{Access, AgentName, Role};
use crate::ops::By;
use crate::store::{Client, ClientReads};

/// How far the clocks of this server and of whoever issued a token may differ, seconds.
const LEEWAY: u32 = 5;

/// The peer of a connection, as the listener saw it.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Marks a request of the local administrator: it came over the admin socket or from this process.
#[derive(Clone, Copy, Debug)]
pub struct Local;

/// The caller of a request.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// Who it is.
    pub identity: Identity,
    /// The agent that it says it is.
    pub agent: Option<AgentName>,
    /// Where it is; `None` for the local administrator.
    pub address: Option<IpAddr>,
}

/// The caller as [`guard`] has found it. A route without a guard has none, and answers 500 instead of leaving a door
/// open.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::internal)
    }
}

impl Caller {
    /// What a use case and the history need to know.
    #[must_use]
    pub fn by(&self, app: &App) -> By {
        let access = app.auth().access;
        By { identity: self.identity.clone(), agent: self.agent.clone(), access }
    }

    /// Who it is, for the audit log.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.identity {
            Identity::Anonymous => "",
            Identity::Client(permissions) => permissions.client.as_str(),
            Identity::LocalAdmin => "(local administrator)",
        }
    }

    /// A proof that the caller may manage clients and queues.
    ///
    /// # Errors
    /// 401 or 403.
    pub fn may_manage(&self, app: &App) -> Result<MayManage, ApiError> {
        Ok(self.identity.may_manage(app.auth().access)?)
    }

    /// A proof that the caller may remove clients and revoke tokens.
    ///
    /// # Errors
    /// 401 or 403.
    pub fn may_administer(&self, app: &App) -> Result<MayAdminister, ApiError> {
        Ok(self.identity.may_administer(app.auth().access)?)
    }
}

/// Stands before every route: finds out who calls and lets in who may.
pub async fn guard(
    State((app, action)): State<(App, Action)>,
    mut request: Request,
    next: Next,
) -> Response {
    match admit(&app, action, &request) {
        Ok(caller) => {
            let path = request.uri().path().to_owned();
            request.extensions_mut().insert(caller.clone());
            let response = next.run(request).await;
            // Past the door, and then asked for more than the token allows: a role above its own, a restricted queue.
            if response.status() == StatusCode::FORBIDDEN {
                audit::log(Event::AccessFail, &caller, &path, "the rights do not suffice");
            }
            response
        }
        Err(error) => error.into_response(),
    }
}

fn admit(app: &App, action: Action, request: &Request) -> Result<Caller, ApiError> {
    let (headers, path) = (request.headers(), request.uri().path());
    let mut caller = Caller {
        identity: Identity::Anonymous,
        agent: agent_cookie::agent(headers),
        address: address(app, request),
    };
    if request.extensions().get::<Local>().is_some() {
        caller.identity = Identity::LocalAdmin;
    } else if action != Action::Greet {
        caller.identity = identity(app, headers).inspect_err(|_| {
            audit::log(Event::TokenFail, &caller, path, "the token was refused");
        })?;
    }
    policy::check(action, app.auth().access, &caller.identity)
        .inspect_err(|denied| audit::log(Event::AccessFail, &caller, path, &denied.to_string()))?;
    // Where agents need tokens, a cookie alone must not acknowledge or keep a job in an agent's name.
    if app.auth().access != Access::Open && caller.identity.role() != Some(Role::Agent) {
        caller.agent = None;
    }
    if let Some(agent) = &caller.agent {
        app.agents().hear(agent, app.now());
    }
    Ok(caller)
}

/// Who the token says it is. A bad token is refused even where none is needed: whoever sends one relies on it.
fn identity(app: &App, headers: &HeaderMap) -> Result<Identity, ApiError> {
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Ok(Identity::Anonymous);
    };
    let Some(token) = header.to_str().map_or(Some(""), jwt::strip_bearer) else {
        return Ok(Identity::Anonymous);
    };
    let claims = jwt::verify(&app.auth().key, token, app.now(), LEEWAY)?;
    let permissions = Permissions::from_claims(claims.permissions);
    let permissions = permissions.ok_or(jwt::TokenError::Invalid)?;
    // A token outlives its client by up to ten minutes otherwise, and would be good for the next one of that name.
    let client = app.read(|tx| tx.client(&permissions.client))?;
    let same = |client: Client| {
        let ours = app.auth().since(&client);
        permissions.since.as_ref().is_none_or(|its| its.instance != ours.instance || *its == ours)
    };
    if !client.is_some_and(same) {
        return Err(jwt::TokenError::Invalid.into());
    }
    Ok(Identity::Client(permissions))
}

/// Where the request comes from. What `X-Forwarded-For` says counts only as far as trusted proxies say it: read from the
/// right, the first address that is none of theirs.
fn address(app: &App, request: &Request) -> Option<IpAddr> {
    let mut address = request.extensions().get::<Peer>()?.0.to_canonical();
    let trusted = |address: &IpAddr| app.auth().proxies.iter().any(|net| net.contains(address));
    let headers = request.headers().get_all("x-forwarded-for");
    let said: Vec<&str> = headers
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in said.iter().rev() {
        if !trusted(&address) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(hop) => address = hop.to_canonical(),
            Err(_) => break,
        }
    }
    Some(address)
}
