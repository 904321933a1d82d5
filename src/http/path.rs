//! Names and ids in paths.

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::error::ApiError;
use crate::domain::{AgentName, JobId, QueueName};

/// The one parameter of a path, decoded. Bytes that are no UTF-8 match no route.
async fn parameter(parts: &mut Parts) -> Result<String, ApiError> {
    let TextPaths([text]) = TextPaths::from_request_parts(parts, &()).await?;
    Ok(text)
}

/// The one parameter of a path, as text.
#[derive(Clone)]
pub struct TextPath(pub String);

impl<S: Sync> FromRequestParts<S> for TextPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parameter(parts).await.map(Self)
    }
}

/// The parameters of a path with several, as text.
#[derive(Clone)]
pub struct TextPaths<const N: usize>(pub [String; N]);

impl<S: Sync, const N: usize> FromRequestParts<S> for TextPaths<N> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Path(all) = Path::<Vec<(String, String)>>::from_request_parts(parts, &())
            .await
            .map_err(|_| ApiError::no_route())?;
        let values: Vec<String> = all.into_iter().map(|(_, value)| value).collect();
        values.try_into().map(Self).map_err(|_| ApiError::no_route())
    }
}

/// The job in a path. A bad id is answered with the usual envelope.
#[derive(Clone, Copy)]
pub struct JobPath(pub JobId);

impl<S: Sync> FromRequestParts<S> for JobPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = parameter(parts).await?;
        let bad = || ApiError::bad_request("Invalid job_id specified");
        JobId::from_path(&text).map(Self).ok_or_else(bad)
    }
}

/// The job in a path where upstream answers a bad id with a sentence.
#[derive(Clone, Copy)]
pub struct JobTextPath(pub JobId);

impl<S: Sync> FromRequestParts<S> for JobTextPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = parameter(parts).await?;
        let bad = || ApiError::text(StatusCode::BAD_REQUEST, "Invalid job id\n");
        JobId::from_path(&text).map(Self).ok_or_else(bad)
    }
}

macro_rules! name_path {
    ($(#[$doc:meta])* $path:ident, $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $path(pub $name);

        impl<S: Sync> FromRequestParts<S> for $path {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
                let text = parameter(parts).await?;
                $name::try_from(text)
                    .map(Self)
                    .map_err(|error| ApiError::bad_request(format!("Invalid name: {error}")))
            }
        }
    };
}

name_path!(
    /// The agent in a path.
    AgentPath,
    AgentName
);
name_path!(
    /// The queue in a path.
    QueuePath,
    QueueName
);
