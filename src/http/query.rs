//! Queries, where a key may be repeated (axum's own `Query` cannot read that).

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde_json::{Map, Value, json};

use super::error::{ApiError, Place};
use crate::domain::QueueName;

/// The pairs of a query in their order, decoded; what is no UTF-8 is replaced.
#[derive(Clone, Debug, Default)]
pub struct ApiQuery(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for ApiQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}

impl ApiQuery {
    /// All values of a key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(found, _)| found == key).map(|(_, value)| value.as_str())
    }

    /// The first value of a key.
    #[must_use]
    pub fn first<'a>(&'a self, key: &'a str) -> Option<&'a str> {
        self.all(key).next()
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }

    /// The values of `queue`.
    ///
    /// # Errors
    /// 422 for one that is too long.
    pub fn queues(&self) -> Result<Vec<QueueName>, ApiError> {
        self.names("queue")
    }

    /// The values of a key as names.
    ///
    /// # Errors
    /// 422 for one that is too long.
    pub fn names<T: TryFrom<String, Error = crate::domain::NameError>>(
        &self,
        key: &str,
    ) -> Result<Vec<T>, ApiError> {
        let mut errors = Map::new();
        let mut names = Vec::new();
        for (index, value) in self.all(key).enumerate() {
            match T::try_from(value.to_owned()) {
                Ok(name) => names.push(name),
                Err(error) => {
                    errors.insert(index.to_string(), json!([error.to_string()]));
                }
            }
        }
        if errors.is_empty() { Ok(names) } else { Err(refused(key, Value::Object(errors))) }
    }
}

/// 422 for one key of a query.
#[must_use]
pub fn refused(key: &str, what: Value) -> ApiError {
    let mut errors = Map::new();
    errors.insert(key.to_owned(), what);
    ApiError::validation(Place::Query, &errors)
}
