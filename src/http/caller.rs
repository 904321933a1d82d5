//! Who sends a request.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::app::App;
use super::cookie;
use super::error::ApiError;
use crate::domain::AgentName;
use crate::ops::By;
use crate::store::Actor;

/// The caller of a request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The agent that it says it is.
    pub agent: Option<AgentName>,
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        Ok(Self { agent: cookie::agent(&parts.headers) })
    }
}

impl Caller {
    /// What a use case and the history need to know.
    #[must_use]
    pub fn by(&self) -> By {
        By {
            actor: self.agent.clone().map_or(Actor::Anonymous, Actor::Agent),
            agent: self.agent.clone(),
        }
    }
}
